//! Configuration: keys and values that guests read as their environment (`wasi:cli/environment`) and as
//! `wasi:config/store`. Values may be secrets, so only keys are ever shown.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 128;

/// The most that all keys and values may have together, in bytes. Each instance gets a copy of them as its environment,
/// and a guest that needs more data can read files.
const MAX_TOTAL_BYTES: usize = 256 << 10;

/// Why a configuration is invalid. Displays keys, but no values.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigurationError {
    /// The key is not one that every language can look up.
    #[error("invalid key; use 1 to {MAX_KEY_BYTES} visible ASCII characters other than `=`")]
    Key,
    /// A value has a NUL character, which ends strings in C.
    #[error("the value of {0} contains a NUL character")]
    Value(String),
    /// Two values have the same key.
    #[error("{0} is set twice")]
    Duplicate(String),
    /// The keys and values are too large.
    #[error("the keys and values have more than {} KiB together; put large data into files", MAX_TOTAL_BYTES >> 10)]
    TooLarge,
}

/// Keys and values for guests. Empty by default.
#[derive(Clone, Default)]
pub struct Configuration(Arc<Entries>);

#[derive(Default)]
struct Entries {
    environment: Vec<(String, String)>,
    store: WasiConfigVariables,
}

impl Configuration {
    /// Creates a configuration. The order of the entries is that of the environment.
    pub fn new(entries: Vec<(String, String)>) -> Result<Self, ConfigurationError> {
        let mut keys = BTreeSet::new();
        let mut total = 0;
        for (key, value) in &entries {
            if !is_valid_key(key) {
                return Err(ConfigurationError::Key);
            }
            if value.contains('\0') {
                return Err(ConfigurationError::Value(key.clone()));
            }
            if !keys.insert(key) {
                return Err(ConfigurationError::Duplicate(key.clone()));
            }
            total += key.len() + value.len();
            if total > MAX_TOTAL_BYTES {
                return Err(ConfigurationError::TooLarge);
            }
        }
        let store = entries.iter().cloned().collect();
        Ok(Self(Arc::new(Entries { environment: entries, store })))
    }

    /// The environment of an instance.
    pub(in crate::sandbox) fn environment(&self) -> &[(String, String)] {
        &self.0.environment
    }

    /// The host side of `wasi:config/store`.
    pub(in crate::sandbox) fn store(&self) -> WasiConfig<'_> {
        WasiConfig::from(&self.0.store)
    }

    /// What to say about it in the log. `None` if it is empty.
    pub(super) fn summary(&self) -> Option<String> {
        match self.keys().count() {
            0 => None,
            1 => Some("configuration (1 key)".to_owned()),
            count => Some(format!("configuration ({count} keys)")),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.environment.iter().map(|(key, _)| key.as_str())
    }
}

/// Whether a key can be used as the name of an environment variable, and shown as it is.
fn is_valid_key(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

impl fmt::Debug for Configuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.keys()).finish()
    }
}

impl Serialize for Configuration {
    /// Serializes the keys.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.keys())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(entries: &[(&str, &str)]) -> Result<Configuration, ConfigurationError> {
        Configuration::new(entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn values_are_never_displayed() {
        let configuration = configuration(&[("USER", "secret-1"), ("PASSWORD", "secret-2")]).unwrap();
        let shown = [
            format!("{configuration:?}"),
            configuration.summary().unwrap(),
            serde_json::to_string(&configuration).unwrap(),
        ];
        assert_eq!(shown, [r#"{"USER", "PASSWORD"}"#, "configuration (2 keys)", r#"["USER","PASSWORD"]"#]);
    }

    #[test]
    fn invalid_entries_are_refused_without_displaying_values() {
        let error = |entries: &[(&str, &str)]| configuration(entries).unwrap_err();
        for key in ["", "a b", "a\n", "ä", "a=b", &"k".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(error(&[(key, "secret")]), ConfigurationError::Key, "{key:?}");
        }
        assert_eq!(error(&[("a", "secret\0")]), ConfigurationError::Value("a".to_owned()));
        assert_eq!(error(&[("a", "1"), ("b", "2"), ("a", "1")]), ConfigurationError::Duplicate("a".to_owned()));
        let large = "x".repeat(MAX_TOTAL_BYTES / 2);
        assert_eq!(error(&[("a", &large), ("b", &large)]), ConfigurationError::TooLarge);
        assert!(configuration(&[("a", &large[2..]), ("b", &large)]).is_ok());
    }
}
