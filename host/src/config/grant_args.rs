//! The options that grant something to guests, for serving and for `hotshoe guest imports`.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "doc comments are the texts of --help, which are not Markdown"
)]

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use crate::process::private_file::{PrivateFileError, read_private_file};
use crate::sandbox::{Configuration, ConfigurationError, Destination, Directory, DirectoryError, Grants, Outgoing};
use crate::tls_client::TlsError;

/// How much of a file with a value is read, in bytes: enough for keys and certificates.
pub(super) const VALUE_FILE_LIMIT: u64 = 64 << 10;

/// What to grant to guests.
#[derive(Args, Debug, Default)]
pub struct GrantArgs {
    /// Value for the guest, in its environment and in wasi:config (repeatable)
    ///
    /// Other users of this machine can see the command line. For secrets, use --guest-env-file.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Guest grants")]
    pub guest_env: Vec<Assignment>,

    /// The same, with the value from a file that no other user may access (repeatable)
    ///
    /// The file is read at the start. A line end at its end is not part of the value.
    #[arg(long, value_name = "KEY=FILE", help_heading = "Guest grants")]
    pub guest_env_file: Vec<Assignment>,

    /// Directory whose files the guest may read, but not change
    ///
    /// The guest finds it at /, and sees changes at once. Links that lead out of it do not work.
    #[arg(long, value_name = "DIR", help_heading = "Guest grants")]
    pub guest_dir: Option<PathBuf>,

    /// Server that the guest may send HTTP requests to, such as https://ntfy.sh (repeatable)
    ///
    /// An origin: scheme, host and port. A host name counts only as far as it resolves to public
    /// addresses. For a name in a private network, add its address or network:
    /// http://homeassistant.local:8123=192.168.1.0/24
    #[arg(long, value_name = "ORIGIN[=NETWORK]", help_heading = "Guest grants", verbatim_doc_comment)]
    pub allow_outgoing: Vec<Destination>,
}

/// `KEY=VALUE` as typed. It is split only later, since clap would print an invalid one, with its value.
#[derive(Clone)]
pub struct Assignment(String);

/// An option that grants something cannot be used. Displays as one line, without values.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// There is no `=`.
    #[error("{0} without `=`; write {0} KEY=…")]
    NoAssignment(&'static str),
    /// The file with the value cannot be used.
    #[error("--guest-env-file {key}: {source}")]
    File {
        /// The key.
        key: String,
        /// What is wrong with the file.
        source: PrivateFileError,
    },
    /// A key or value is invalid.
    #[error("--guest-env or --guest-env-file: {0}")]
    Configuration(#[from] ConfigurationError),
    /// The directory cannot be used.
    #[error("--guest-dir: {0}")]
    Directory(#[from] DirectoryError),
    /// Requests to HTTPS origins cannot be sent.
    #[error("--allow-outgoing: {0}")]
    Tls(#[from] TlsError),
}

impl GrantArgs {
    /// Checks the values, and that all have a key. Opens nothing.
    pub fn check(&self) -> Result<(), GrantsError> {
        for assignment in &self.guest_env_file {
            assignment.split("--guest-env-file")?;
        }
        Configuration::new(self.environment()?)?;
        Ok(())
    }

    /// The keys and values of `--guest-env`.
    fn environment(&self) -> Result<Vec<(String, String)>, GrantsError> {
        let pairs = self.guest_env.iter().map(|assignment| assignment.split("--guest-env"));
        pairs.map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
    }

    /// Reads the files, opens the directory, and creates the grants, with a state in memory. Blocks while it does.
    pub fn grants(&self) -> Result<Grants, GrantsError> {
        let mut entries = self.environment()?;
        for assignment in &self.guest_env_file {
            let (key, file) = assignment.split("--guest-env-file")?;
            let text = read_private_file("file", Path::new(file), VALUE_FILE_LIMIT)
                .map_err(|source| GrantsError::File { key: key.to_owned(), source })?;
            entries.push((key.to_owned(), without_line_end(&text).to_owned()));
        }
        let directory = self.guest_dir.as_deref().map(Directory::open).transpose()?;
        Ok(Grants {
            configuration: Configuration::new(entries)?,
            directory,
            outgoing: Outgoing::new(self.allow_outgoing.clone())?,
            ..Grants::default()
        })
    }
}

/// The text without one line end at its end. Editors and `echo` add one.
pub(super) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

impl Assignment {
    /// Returns the key and the value. `option` is for the error.
    fn split(&self, option: &'static str) -> Result<(&str, &str), GrantsError> {
        self.0.split_once('=').ok_or(GrantsError::NoAssignment(option))
    }
}

impl FromStr for Assignment {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Assignment {
    /// Shows the key, since the value may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.0.split_once('=').map_or("", |(key, _)| key);
        write!(formatter, "{key:?}=…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_end_is_removed_from_a_value() {
        for (text, value) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("a\nb", "a\nb"), ("", "")]
        {
            assert_eq!(without_line_end(text), value, "{text:?}");
        }
    }

    #[test]
    fn the_options_are_never_displayed_with_values() {
        let args = GrantArgs { guest_env: vec![Assignment("A=secret=1".to_owned())], ..GrantArgs::default() };
        assert_eq!(format!("{:?}", args.guest_env), r#"["A"=…]"#);
        assert_eq!(args.grants().unwrap().to_string(), "configuration (1 key)");
        let args = GrantArgs { guest_env: vec![Assignment("secret".to_owned())], ..GrantArgs::default() };
        assert_eq!(format!("{:?}", args.guest_env), r#"[""=…]"#);
        assert_eq!(args.grants().unwrap_err().to_string(), "--guest-env without `=`; write --guest-env KEY=…");
    }
}
