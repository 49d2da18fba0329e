//! From TOML to arguments.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::account_sections::{TOKENS, USERS, read_section};
use super::camera::{CameraError, camera_parts};
use super::key::OptionKey;
use super::problems::{Problem, Problems};
use super::value::{Key, in_order, parse_table, unknown_key, values};
use crate::config::accounts::Accounts;

/// The option for cameras, which have sections instead of a key.
const CAMERA: &str = "camera";

/// The sections of cameras.
const CAMERAS: &str = "cameras";

/// The section of the certificate. Its keys are options without the prefix.
const TLS: &str = "tls";
const TLS_KEYS: [&str; 2] = ["certificate", "key"];

/// The options that a file can contain, and who checks them.
pub struct Vocabulary<'v> {
    /// The options.
    pub options: &'v [OptionKey],
    /// Returns what is wrong with an argument of an option on its own, which is to be called by this name.
    pub check: &'v dyn Fn(&OptionKey, &OsString, &str) -> Result<(), String>,
    /// Returns what is wrong with all arguments together.
    pub check_all: &'v dyn Fn(Vec<OsString>) -> Result<(), String>,
}

/// What a valid file says.
#[derive(Debug, Default)]
pub struct Document {
    /// The identifiers of options in clap, each with its arguments.
    pub options: Vec<(String, Vec<OsString>)>,
    /// The users and tokens.
    pub accounts: Accounts,
}

impl Document {
    /// Checks the text of a file. Returns all that is wrong with it.
    pub fn parse(text: &str, vocabulary: &Vocabulary<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { problems: Problems::new(text), document: Self::default(), vocabulary };
        if let Some(document) = parse_table(text, &mut reader.problems) {
            reader.read_document(document.get_ref());
        }
        if reader.problems.is_empty() {
            let arguments = reader.document.options.iter().flat_map(|(_, arguments)| arguments).cloned();
            if let Err(message) = (vocabulary.check_all)(arguments.collect()) {
                reader.problems.add_combination(message);
            }
        }
        reader.problems.check(reader.document)
    }
}

/// Collects the arguments and the problems of a file.
struct Reader<'t, 'v> {
    problems: Problems<'t>,
    document: Document,
    vocabulary: &'v Vocabulary<'v>,
}

impl Reader<'_, '_> {
    fn read_document(&mut self, document: &DeTable<'_>) {
        for (key, value) in in_order(document) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (CAMERAS, DeValue::Table(cameras)) => self.read_cameras(cameras),
                (TLS, DeValue::Table(tls)) => self.read_tls(tls),
                // Also a key, for a file of their own.
                (USERS, DeValue::Table(_)) | (TOKENS, _) => {
                    read_section(key, value, &mut self.document.accounts, &mut self.problems);
                }
                _ => self.read_key(key, value),
            }
        }
        if let Some((users, _)) = document.get_key_value(USERS).filter(|(_, value)| value.get_ref().is_str())
            && document.contains_key(TOKENS)
        {
            let message = format!("with `{USERS}` as a key, the section [{TOKENS}] belongs in the file that it names");
            self.problems.add(users.span().start, message);
        }
    }

    fn read_key(&mut self, key: &Key<'_>, value: &Spanned<DeValue<'_>>) {
        let (at, key) = (key.span().start, key.get_ref().as_ref());
        let mut options = self.vocabulary.options.iter().filter(|option| option.key != CAMERA);
        if let Some(option) = options.clone().find(|option| option.key == key) {
            return self.read_option(option, at, key, value.get_ref());
        }
        let message = match key {
            CAMERA => format!("`{CAMERA}` is not a key; write a section [{CAMERAS}.NAME] for each camera"),
            key => {
                let sections = [CAMERAS, USERS, TOKENS, TLS];
                unknown_key(key, options.by_ref().map(|option| option.key.as_str()).chain(sections))
            }
        };
        self.problems.add(at, message);
    }

    /// Adds the arguments for a value. `name` is what the file calls the option.
    fn read_option(&mut self, option: &OptionKey, at: usize, name: &str, value: &DeValue<'_>) {
        match arguments(option, value) {
            Ok(arguments) => {
                for argument in &arguments {
                    if let Err(message) = (self.vocabulary.check)(option, argument, name) {
                        self.problems.add(at, message);
                    }
                }
                self.document.options.push((option.id.clone(), arguments));
            }
            Err(message) => self.problems.add(at, format!("`{name}` {message}")),
        }
    }

    fn read_tls(&mut self, tls: &DeTable<'_>) {
        for (key, value) in in_order(tls) {
            let (at, name) = (key.span().start, key.get_ref().as_ref());
            let option = self.vocabulary.options.iter().find(|option| option.key == format!("{TLS}_{name}"));
            match option.filter(|_| TLS_KEYS.contains(&name)) {
                Some(option) => self.read_option(option, at, name, value.get_ref()),
                None => self.problems.add(at, unknown_key(name, TLS_KEYS.into_iter())),
            }
        }
    }

    fn read_cameras(&mut self, cameras: &DeTable<'_>) {
        let Some(option) = self.vocabulary.options.iter().find(|option| option.key == CAMERA) else { return };
        let mut arguments = Vec::new();
        for (name, section) in in_order(cameras) {
            let at = name.span().start;
            let Some(section) = section.get_ref().as_table() else {
                self.problems.add(at, format!("a camera is a section [{CAMERAS}.NAME]"));
                continue;
            };
            let parts = camera_parts(name.get_ref(), section);
            match parts.and_then(|parts| self.camera_argument(option, name, &parts)) {
                Ok(argument) => arguments.push(argument),
                Err((place, message)) => self.problems.add(place.unwrap_or(at), message),
            }
        }
        self.document.options.push((option.id.clone(), arguments));
    }

    /// Checks a camera, and returns its argument. `parts` are those of the value, each with its place in the file.
    fn camera_argument(
        &self,
        option: &OptionKey,
        name: &Key<'_>,
        parts: &[(usize, String)],
    ) -> Result<OsString, CameraError> {
        let name = format!("{CAMERAS}.{}", name.get_ref());
        let check = |count: usize| {
            let value: String = parts.iter().take(count).map(|(_, part)| part.as_str()).collect();
            let argument = option.argument(&value);
            (self.vocabulary.check)(option, &argument, &name).map(|()| argument)
        };
        check(parts.len()).map_err(|message| {
            // The first key that makes the camera invalid.
            let wrong = (1..).zip(parts).find_map(|(count, (at, _))| Some((Some(*at), check(count).err()?)));
            wrong.unwrap_or((None, message))
        })
    }
}

/// The arguments that a value stands for. An error is what follows the key in a sentence.
fn arguments(option: &OptionKey, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let argument = |text: Option<String>| text.map_or_else(|| option.flag(), |text| option.argument(&text));
    Ok(values(option.kind, value, '=')?.into_iter().map(argument).collect())
}
