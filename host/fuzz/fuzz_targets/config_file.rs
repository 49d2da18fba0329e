//! The parser of configuration files and of files with users, with any text.
#![no_main]

// Includes single modules, because the whole host takes minutes to build.
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/account_sections.rs"]
mod account_sections;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/accounts.rs"]
mod accounts;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/camera.rs"]
mod camera;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/document.rs"]
mod document;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/key.rs"]
mod key;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/camera_spec/name.rs"]
mod name;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/password.rs"]
mod password;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/problems.rs"]
mod problems;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/role.rs"]
mod role;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/users.rs"]
mod users;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/file/value.rs"]
mod value;
// Where these modules expect them.
mod config {
    pub(crate) use crate::accounts;
    pub(crate) mod camera_spec {
        pub(crate) use crate::name;
    }
}
mod http {
    pub(crate) mod auth {
        pub(crate) use crate::password::PasswordHash;
        pub(crate) use crate::role::Role;
        pub(crate) use crate::users::check_name;
    }
}

use account_sections::parse_accounts;
use accounts::Accounts;
use document::{Document, Vocabulary};
use key::{OptionKey, OptionKind};
use libfuzzer_sys::fuzz_target;
use problems::Problem;
use users::check_name;

/// Options of each kind. The parsers of the command line check their values, which is not the matter of this target.
fn options() -> Vec<OptionKey> {
    let option = |(key, kind): (&str, OptionKind)| OptionKey { id: key.to_owned(), key: key.to_owned(), kind };
    let options = [
        ("camera", OptionKind::Repeatable),
        ("listen", OptionKind::Repeatable),
        ("guest_env", OptionKind::Repeatable),
        ("linger", OptionKind::Single),
        ("users", OptionKind::Single),
        ("tls_certificate", OptionKind::Single),
        ("tls_key", OptionKind::Single),
        ("watch", OptionKind::Flag),
    ];
    options.map(option).to_vec()
}

/// Each problem is a line of text, with the number of a line that exists.
fn check_problems(text: &str, problems: &[Problem]) {
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(!problem.message.is_empty());
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
    }
}

fn check_accounts(accounts: &Accounts) {
    assert!(accounts.users.keys().all(|name| check_name(name).is_ok()));
}

fuzz_target!(|text: &str| {
    let options = options();
    let vocabulary = Vocabulary { options: &options, check: &|_, _, _| Ok(()), check_all: &|_| Ok(()) };
    match Document::parse(text, &vocabulary) {
        Ok(document) => {
            check_accounts(&document.accounts);
            for (id, arguments) in &document.options {
                let option = options.iter().find(|option| option.id == *id).unwrap();
                // Nothing in the file can become another option.
                let flag = option.flag().into_string().unwrap();
                for argument in arguments {
                    let rest = argument.to_str().unwrap().strip_prefix(&flag).unwrap();
                    assert_eq!(rest.is_empty(), option.kind == OptionKind::Flag, "{argument:?}");
                    assert!(rest.is_empty() || rest.starts_with('='), "{argument:?}");
                }
            }
        }
        Err(problems) => check_problems(text, &problems),
    }
    match parse_accounts(text) {
        Ok(accounts) => check_accounts(&accounts),
        Err(problems) => check_problems(text, &problems),
    }
});
