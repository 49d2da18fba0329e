//! From TOML to arguments.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use clap::CommandFactory as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::camera::camera_spec;
use super::error::{ConfigError, Problem};
use super::option::{OptionKind, ServeOption, first_paragraph, serve_options};
use super::value::{Key, in_order, scalar, texts, unknown_key};
use crate::config::cli::Cli;

/// How much of a file is read, in bytes: enough for thousands of cameras and users.
const FILE_LIMIT: u64 = 1 << 20;

/// The option for cameras, which have sections instead of a key.
const CAMERA: &str = "camera";

/// The sections of cameras.
const CAMERAS: &str = "cameras";

/// A valid configuration file.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// The identifiers of options in clap, each with its arguments.
    options: Vec<(String, Vec<OsString>)>,
}

impl ConfigFile {
    /// Reads and checks a file. Blocks while it does. Opens nothing that the file names.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
    }

    /// Checks the text of a file. Returns all that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let options = serve_options();
        let mut reader = Reader { text, file: Self::default(), problems: Vec::new(), options: &options };
        for error in errors {
            let at = error.span().map(|span| span.start);
            reader.add_problem(at, error.message().trim_end().replace('\n', ", "));
        }
        if reader.problems.is_empty() {
            reader.read_document(document.get_ref());
        }
        if reader.problems.is_empty() {
            reader.check_combination();
        }
        reader.problems.sort_by_key(|problem| problem.line);
        if reader.problems.is_empty() { Ok(reader.file) } else { Err(reader.problems) }
    }

    /// The arguments of all options that `is_overridden` does not hold for.
    pub fn arguments(&self, is_overridden: impl Fn(&str) -> bool) -> impl Iterator<Item = &OsString> {
        let options = self.options.iter().filter(move |(id, _)| !is_overridden(id));
        options.flat_map(|(_, arguments)| arguments)
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(io::Error::other(format!("it is larger than {FILE_LIMIT} bytes")));
    }
    Ok(text)
}

/// Collects the arguments and the problems of a file.
struct Reader<'t> {
    text: &'t str,
    file: ConfigFile,
    problems: Vec<Problem>,
    options: &'t [ServeOption],
}

impl Reader<'_> {
    fn add_problem(&mut self, at: Option<usize>, message: String) {
        let line = |at: usize| self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        self.problems.push(Problem { line: at.map(line), message });
    }

    fn read_document(&mut self, document: &DeTable<'_>) {
        for (key, value) in in_order(document) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (CAMERAS, DeValue::Table(cameras)) => self.read_cameras(cameras),
                _ => self.read_option(key, value),
            }
        }
    }

    fn read_option(&mut self, key: &Key<'_>, value: &Spanned<DeValue<'_>>) {
        let (at, key) = (key.span().start, key.get_ref().as_ref());
        let options = self.options.iter().filter(|option| option.key != CAMERA);
        let Some(option) = options.clone().find(|option| option.key == key) else {
            let message = match key {
                CAMERA => format!("`{CAMERA}` is not a key; write a section [{CAMERAS}.NAME] for each camera"),
                key => unknown_key(key, options.map(|option| option.key.as_str()).chain([CAMERAS])),
            };
            return self.add_problem(Some(at), message);
        };
        match arguments(option, value.get_ref()) {
            Ok(arguments) => {
                for argument in &arguments {
                    if let Err(message) = option.check(argument.clone(), key) {
                        self.add_problem(Some(at), message);
                    }
                }
                self.file.options.push((option.id().to_owned(), arguments));
            }
            Err(message) => self.add_problem(Some(at), format!("`{key}` {message}")),
        }
    }

    fn read_cameras(&mut self, cameras: &DeTable<'_>) {
        let Some(option) = self.options.iter().find(|option| option.key == CAMERA) else { return };
        let mut arguments = Vec::new();
        for (name, section) in in_order(cameras) {
            let at = name.span().start;
            let Some(section) = section.get_ref().as_table() else {
                self.add_problem(Some(at), format!("a camera is a section [{CAMERAS}.NAME]"));
                continue;
            };
            match camera_spec(name.get_ref(), section) {
                Ok(spec) => {
                    let argument = option.argument(&spec);
                    match option.check(argument.clone(), &format!("{CAMERAS}.{}", name.get_ref())) {
                        Ok(()) => arguments.push(argument),
                        Err(message) => self.add_problem(Some(at), message),
                    }
                }
                Err((place, message)) => self.add_problem(Some(place.unwrap_or(at)), message),
            }
        }
        self.file.options.push((option.id().to_owned(), arguments));
    }

    /// Checks what only all values together show.
    fn check_combination(&mut self) {
        let arguments = self.file.arguments(|_| false).cloned();
        let all = std::iter::once("hotshoe".into()).chain(arguments);
        if let Err(error) = Cli::command().try_get_matches_from(all) {
            let text = first_paragraph(&error);
            self.add_problem(None, text.strip_prefix("error: ").unwrap_or(&text).to_owned());
        }
    }
}

/// The arguments that a value stands for. An error is what follows the key in a sentence.
fn arguments(option: &ServeOption, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let texts = match (option.kind, value) {
        (OptionKind::Flag, DeValue::Boolean(true)) => return Ok(vec![option.flag()]),
        (OptionKind::Flag, DeValue::Boolean(false)) => return Ok(Vec::new()),
        (OptionKind::Flag, _) => return Err("must be true or false".to_owned()),
        (OptionKind::Repeatable, value) => texts(value, '=')?,
        (OptionKind::Single, value) => vec![scalar(value)?],
    };
    Ok(texts.iter().map(|text| option.argument(text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments_of(text: &str) -> Vec<String> {
        let file = ConfigFile::parse(text).unwrap();
        file.arguments(|_| false).map(|argument| argument.to_str().unwrap().to_owned()).collect()
    }

    fn problems_of(text: &str) -> Vec<String> {
        let problems = ConfigFile::parse(text).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_options_and_sections_are_cameras() {
        let text = r#"
            listen = ["127.0.0.1:5000", ":5001"]
            linger = 2.5
            max_requests = 50
            watch = true
            no_cache = false
            guest = "porch.wasm"
            guest_env = { A = "1", B = "x y" }

            [cameras.yard]
            source = "emulated:a,b"
            fps = 5
            label = "Yard, east"
            [cameras.front]
            source = "/dev/video0"
            size = "1280x720"
            control = { brightness = 99, hue = -1 }
            filter = ["mask.wasm?areas=0x0_1x0_1x1", "label.wasm"]
            keep_open = true
            [cameras.own]
            source = "component:driver.wasm"
            env = { A = "1" }
            its_own = "setting"
        "#;
        assert_eq!(
            arguments_of(text),
            [
                "--listen=127.0.0.1:5000",
                "--listen=:5001",
                "--linger=2.5",
                "--max-requests=50",
                "--watch",
                "--guest=porch.wasm",
                "--guest-env=A=1",
                "--guest-env=B=x y",
                "--camera=yard=emulated:a,,b,fps=5,label=Yard,, east",
                "--camera=front=/dev/video0,size=1280x720,control=brightness:99,control=hue:-1,filter=mask.wasm?areas=0x0_1x0_1x1,\
                 filter=label.wasm,keep-open",
                "--camera=own=component:driver.wasm,env=A:1,its_own=setting",
            ]
        );
    }

    #[test]
    fn all_problems_are_reported_with_their_lines() {
        let text = "listn = \":5000\"\nlinger = \"soon\"\nwatch = 1\ncamera = \"auto\"\nqqq = 1\n\n[cameras.front]\n\
                    source = \"emulated\"\nfsp = 5\n[cameras.yard]\nfps = 5\n[cameras.\"a b\"]\nsource = \"auto\"\n\
                    [cameras.x]\nsource = \"emulated\"\nfps = 0\n";
        assert_eq!(
            problems_of(text),
            [
                "line 1: unknown key `listn`; did you mean `listen`?",
                "line 2: invalid value 'soon' for `linger`: use a number of seconds, such as 10 or 0.5",
                "line 3: `watch` must be true or false",
                "line 4: `camera` is not a key; write a section [cameras.NAME] for each camera",
                "line 5: unknown key `qqq`; `hotshoe config example` lists all keys",
                "line 9: unknown key `fsp`; did you mean `fps`?",
                "line 10: the camera needs a source, such as source = \"auto\"",
                "line 12: invalid value 'a b=auto' for `cameras.a b`: `a b` is not a camera name; use 1 to 32 letters, \
                 digits, `-` and `_`",
                "line 14: invalid value 'x=emulated,fps=0' for `cameras.x`: `0` is not a frame rate; use frames per \
                 second from 1/86400 to 10000, such as fps=30 or fps=0.2",
            ]
        );
    }

    #[test]
    fn errors_of_toml_have_their_line() {
        for (text, line) in [
            ("listen = \n", "line 1: "),
            ("\n\nlisten = \":1\"\nlisten = \":2\"\n", "line 4: "),
            ("\n[cameras", "line 2: "),
        ] {
            let problems = problems_of(text);
            assert!(problems.iter().any(|problem| problem.starts_with(line)), "{problems:?}");
        }
    }

    #[test]
    fn values_that_exclude_each_other_are_an_error() {
        let problems = problems_of("cache = \"cache\"\nno_cache = true\n");
        assert!(problems[0].contains("cannot be used with"), "{problems:?}");
    }
}
