//! The values of all options, to find out what a new configuration changes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::ArgMatches;

/// The values of options as they were written, defaults included. The keys are those of the configuration file.
#[derive(Clone, Default)]
pub struct OptionValues(BTreeMap<String, Vec<OsString>>);

impl OptionValues {
    /// Takes the values of these options, each with its identifier in clap and its key.
    pub(super) fn new<'a>(matches: &ArgMatches, options: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let values = |id| matches.get_raw(id).into_iter().flatten().map(ToOwned::to_owned).collect();
        Self(options.map(|(id, key)| (key.to_owned(), values(id))).collect())
    }

    /// The keys whose values differ.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        self.0.iter().filter(|(key, values)| other.0.get(*key) != Some(values)).map(|(key, _)| key.clone()).collect()
    }
}

impl fmt::Debug for OptionValues {
    /// Shows no values, since they may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
