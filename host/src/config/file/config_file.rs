//! The configuration file: reads it, and checks it by the parsers of the command line.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use super::document::{Document, Vocabulary};
use super::error::ConfigError;
use super::option::{check, check_all, serve_options};
use super::problems::Problem;
use crate::config::accounts::Accounts;
use crate::process::private_file::{PrivateFileError, check_is_private, check_mode};
use crate::process::regular_file::{open_regular_file, read_text};

/// How much of a file is read, in bytes: enough for thousands of cameras and users.
pub const FILE_LIMIT: u64 = 1 << 20;

/// A valid configuration file.
#[derive(Debug, Default)]
pub struct ConfigFile {
    document: Document,
}

impl ConfigFile {
    /// Reads and checks a file. Blocks while it does. Opens nothing that the file names.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, if its text has errors, or if it contains hashes of passwords and belongs to
    /// another user or is accessible to one.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::read_private(path, check_is_private)
    }

    /// Like [`read`](Self::read), but the file may belong to any user: root checks it for the user of the service, and
    /// is not told to take it away from that user.
    pub fn read_for_check(path: &Path) -> Result<Self, ConfigError> {
        Self::read_private(path, check_mode)
    }

    /// Reads and checks a file. If it contains hashes of passwords, `check_privacy` decides whether they are safe.
    fn read_private(
        path: &Path,
        check_privacy: fn(&'static str, &Path, &Metadata) -> Result<(), PrivateFileError>,
    ) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let file = open_regular_file(path).map_err(failed)?;
        // That of the file that was opened; the path may lead to another one by now.
        let metadata = file.metadata().map_err(failed)?;
        let too_large = || failed(io::Error::other(format!("it is larger than {FILE_LIMIT} bytes")));
        let text = read_text(&file, FILE_LIMIT).map_err(failed)?.ok_or_else(too_large)?;
        let file = Self::parse(&text).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })?;
        if file.accounts().has_hash() {
            check_privacy("configuration with passwords", path, &metadata)?;
        }
        Ok(file)
    }

    /// Checks the text of a file. Returns all that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let options = serve_options();
        let vocabulary = Vocabulary { options: &options, check: &check, check_all: &check_all };
        Ok(Self { document: Document::parse(text, &vocabulary)? })
    }

    /// The arguments of all options that `is_overridden` does not hold for.
    pub fn arguments(&self, is_overridden: impl Fn(&str) -> bool) -> impl Iterator<Item = &OsString> {
        let options = self.document.options.iter().filter(move |(id, _)| !is_overridden(id));
        options.flat_map(|(_, arguments)| arguments)
    }

    /// The users and tokens.
    pub fn accounts(&self) -> &Accounts {
        &self.document.accounts
    }
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
            quality = ["low", 2]
            insecure = true
            format = false
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
                "--camera=own=component:driver.wasm,env=A:1,its_own=setting,quality=low,quality=2,insecure",
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
                "line 2: invalid value 'soon' for `linger`: use a number of seconds up to 31536000 (a year), such as \
                 10, 10s or 0.5",
                "line 3: `watch` must be true or false",
                "line 4: `camera` is not a key; write a section [cameras.NAME] for each camera",
                "line 5: unknown key `qqq`; `hotshoe config example` lists all keys",
                "line 9: unknown key `fsp`; did you mean `fps`?",
                "line 10: the camera needs a source, such as source = \"auto\"",
                "line 12: `a b` is not a camera name; use 1 to 32 letters, \
                 digits, `-` and `_`",
                "line 16: invalid value 'x=emulated,fps=0' for `cameras.x`: `0` is not a frame rate; use frames per \
                 second from 1/86400 to 10000, such as fps=30 or fps=0.2",
            ]
        );
    }

    #[test]
    fn keys_of_cameras_have_values_of_a_type() {
        let problems = |keys: &str| problems_of(&format!("[cameras.a]\nsource = \"auto\"\nfps = 5\n{keys}\n"));
        let problem = |text: &str| [format!("line 4: {text}")];
        for (keys, key) in [("keep_open = \"yes\"", "keep_open"), ("insecure = 1", "insecure")] {
            assert_eq!(problems(keys), problem(&format!("`{key}` must be true or false")));
        }
        for (keys, key, kind) in [
            ("size = true", "size", "boolean"),
            ("quality = false", "quality", "boolean"),
            ("buffers = [5, 6]", "buffers", "array"),
            ("label = { a = 1 }", "label", "table"),
            ("filter = true", "filter", "boolean"),
            ("control = { hue = false }", "control", "boolean"),
        ] {
            let message = format!("`{key}` must be a string or a number, not a value of the type {kind}");
            assert_eq!(problems(keys), problem(&message));
        }
        let text = "[cameras.a]\nfps = 5\nsource = [\"auto\"]\n";
        assert_eq!(problems_of(text), ["line 3: `source` must be a string, such as source = \"auto\""]);
        // Also of a driver, as far as the host handles them.
        let text = "[cameras.a]\nsource = \"component:driver.wasm\"\nkeep_open = 1\n";
        assert_eq!(problems_of(text), ["line 3: `keep_open` must be true or false"]);
    }

    #[test]
    fn errors_of_cameras_have_the_line_of_the_first_key_that_is_wrong() {
        let text = "[cameras.a]\nlabel = \"A\"\nquality = 9\nrotate = 1\nfps = 0\n\nsource = \"emulated\"\n\
                    [cameras.b]\nfps = 5\nsource = \"webcam\"\n";
        let problems = problems_of(text);
        let starts = [
            "line 3: invalid value 'a=emulated,label=A,quality=9' for `cameras.a`: an emulated camera has no option",
            "line 10: invalid value 'b=webcam' for `cameras.b`: unknown camera `webcam`",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        let all_start = problems.iter().zip(starts).all(|(problem, start)| problem.starts_with(start));
        assert!(all_start, "{problems:?}");
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
