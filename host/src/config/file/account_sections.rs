//! The sections `[users.NAME]` and `[tokens]`, in a configuration file or in one of their own.
//!
//! No message contains a value of a user's section, which may be a password.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::{Problem, Problems};
use super::value::{Key, in_order, parse_table, unknown_key};
use crate::config::accounts::{Accounts, PasswordEntry, TokensEntry, UserEntry};
use crate::http::auth::{Role, check_name};

/// The names of the sections.
pub(super) const USERS: &str = "users";
pub(super) const TOKENS: &str = "tokens";

/// The keys of a user.
const PASSWORD: &str = "password";
const PASSWORD_FILE: &str = "password_file";
const ROLE: &str = "role";

/// The keys of tokens.
const SECRET_FILE: &str = "secret_file";
const REVOKED: &str = "revoked";

/// Parses a file that has nothing but users and tokens. Returns all that is wrong with it.
pub fn parse_accounts(text: &str) -> Result<Accounts, Vec<Problem>> {
    let mut problems = Problems::new(text);
    let mut accounts = Accounts::default();
    if let Some(document) = parse_table(text, &mut problems) {
        for (key, value) in in_order(document.get_ref()) {
            if !read_section(key, value, &mut accounts, &mut problems) {
                problems.add(key.span().start, unknown_key(key.get_ref(), [USERS, TOKENS].into_iter()));
            }
        }
    }
    problems.check(accounts)
}

/// Reads one of the sections. Returns false if this is another.
pub(super) fn read_section(
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
    accounts: &mut Accounts,
    problems: &mut Problems<'_>,
) -> bool {
    let at = key.span().start;
    match (key.get_ref().as_ref(), value.get_ref()) {
        (USERS, DeValue::Table(users)) => {
            if users.is_empty() {
                problems
                    .add(at, "there are no users; write a section [users.NAME] for each, or omit this one".to_owned());
            }
            accounts.users = read_users(users, problems);
        }
        (TOKENS, DeValue::Table(tokens)) => accounts.tokens = read_tokens(at, tokens, problems),
        (USERS, _) => problems.add(at, "a user is a section [users.NAME]".to_owned()),
        (TOKENS, _) => problems.add(at, "tokens are a section [tokens]".to_owned()),
        _ => return false,
    }
    true
}

fn read_users(users: &DeTable<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, UserEntry> {
    let mut entries = BTreeMap::new();
    for (name, section) in in_order(users) {
        let at = name.span().start;
        if let Err(error) = check_name(name.get_ref()) {
            problems.add(at, error.to_string());
        } else if let Some(section) = section.get_ref().as_table() {
            if let Some(entry) = read_user(name, section, problems) {
                entries.insert(name.get_ref().to_string(), entry);
            }
        } else {
            problems.add(at, "a user is a section [users.NAME]".to_owned());
        }
    }
    entries
}

fn read_user(name: &Key<'_>, section: &DeTable<'_>, problems: &mut Problems<'_>) -> Option<UserEntry> {
    let (mut passwords, mut role) = (Vec::new(), Some(Role::View));
    let mut failed = |at: usize, message: String| problems.add(at, format!("the user {}: {message}", name.get_ref()));
    for (key, value) in in_order(section) {
        let at = key.span().start;
        match (key.get_ref().as_ref(), value.get_ref().as_str()) {
            (PASSWORD, Some(text)) => match text.parse() {
                Ok(hash) => passwords.push(Some(PasswordEntry::Hash(hash))),
                Err(error) => {
                    passwords.push(None);
                    failed(at, error.to_string());
                }
            },
            (PASSWORD_FILE, Some(path)) => passwords.push(Some(PasswordEntry::File(path.into()))),
            (ROLE, Some(text)) => {
                role = text.parse().ok();
                if role.is_none() {
                    failed(at, format!("`{ROLE}` must be view, control or admin"));
                }
            }
            (key @ (PASSWORD | PASSWORD_FILE | ROLE), None) => failed(at, format!("`{key}` must be a string")),
            (key, _) => failed(at, unknown_key(key, [PASSWORD, PASSWORD_FILE, ROLE].into_iter())),
        }
    }
    if passwords.len() != 1 {
        failed(name.span().start, format!("needs either {PASSWORD} or {PASSWORD_FILE}"));
        return None;
    }
    Some(UserEntry { password: passwords.pop()??, role: role? })
}

fn read_tokens(at: usize, section: &DeTable<'_>, problems: &mut Problems<'_>) -> Option<TokensEntry> {
    let (mut secret_file, mut revoked) = (None, Vec::new());
    for (key, value) in in_order(section) {
        let at = key.span().start;
        match (key.get_ref().as_ref(), value.get_ref()) {
            (SECRET_FILE, DeValue::String(path)) => secret_file = Some(path.to_string().into()),
            (REVOKED, DeValue::Array(ids)) => {
                let texts = ids.iter().filter_map(|id| id.get_ref().as_str());
                revoked = texts.map(str::to_owned).collect();
                if revoked.len() != ids.len() {
                    problems.add(at, format!("`{REVOKED}` must be a list of strings, the ids of tokens"));
                }
            }
            (SECRET_FILE, _) => problems.add(at, format!("`{SECRET_FILE}` must be a string, the path of a file")),
            (REVOKED, _) => problems.add(at, format!("`{REVOKED}` must be a list of strings, the ids of tokens")),
            (key, _) => problems.add(at, unknown_key(key, [SECRET_FILE, REVOKED].into_iter())),
        }
    }
    if secret_file.is_none() {
        problems.add(at, format!("tokens need a {SECRET_FILE}; `hotshoe token` creates one"));
    }
    Some(TokensEntry { secret_file: secret_file?, revoked })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b1dWRWJTmaaJObG";

    fn problems_of(text: &str) -> Vec<String> {
        parse_accounts(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_user_has_a_password_and_a_role_and_tokens_have_a_secret() {
        let text = format!(
            "[users.ann]\npassword = \"{HASH}\"\nrole = \"control\"\n[users.bob]\npassword_file = \"bob\"\n\
             [tokens]\nsecret_file = \"secret\"\nrevoked = [\"0a\"]\n"
        );
        let accounts = parse_accounts(&text).unwrap();
        let hash = PasswordEntry::Hash(HASH.parse().unwrap());
        assert_eq!(accounts.users["ann"], UserEntry { password: hash, role: Role::Control });
        let file = PasswordEntry::File("bob".into());
        assert_eq!(accounts.users["bob"], UserEntry { password: file, role: Role::View });
        let tokens = TokensEntry { secret_file: "secret".into(), revoked: vec!["0a".to_owned()] };
        assert_eq!((accounts.tokens.as_ref(), accounts.has_hash()), (Some(&tokens), true));
        assert!(parse_accounts("").unwrap().is_empty());
    }

    #[test]
    fn all_errors_have_their_line_and_no_value() {
        let text = "[users.ann]\npassword = 17\n[users.bob]\npassword = \"hunter22\"\nrole = \"root\"\n[users.cid]\n\
                    pasword = \"hunter22\"\n[users.\"a:b\"]\npassword_file = \"x\"\n[tokens]\nrevoked = [1]\n\
                    [user]\nx = 1\n";
        assert_eq!(
            problems_of(text),
            [
                "line 1: the user ann: needs either password or password_file",
                "line 2: the user ann: `password` must be a string",
                "line 4: the user bob: the password is not a hash such as $argon2id$…; make one with `hotshoe passwd`",
                "line 5: the user bob: `role` must be view, control or admin",
                "line 6: the user cid: needs either password or password_file",
                "line 7: the user cid: unknown key `pasword`; did you mean `password`?",
                "line 8: `a:b` is not the name of a user; use 1 to 64 letters, digits, `.`, `-`, `_` and `@`",
                "line 10: tokens need a secret_file; `hotshoe token` creates one",
                "line 11: `revoked` must be a list of strings, the ids of tokens",
                "line 12: unknown key `user`; did you mean `users`?",
            ]
        );
        for text in
            ["[users]\nann = \"hunter22\"", "users = \"hunter22\"", "tokens = \"hunter22\"", "[users]", "[users.ann"]
        {
            let problems = problems_of(text);
            assert!(!problems.is_empty() && !problems.concat().contains("hunter22"), "{problems:?}");
        }
    }
}
