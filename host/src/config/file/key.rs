//! The keys of the file that stand for options.

use std::ffi::OsString;

/// How many values an option has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OptionKind {
    /// None: it is given or not.
    Flag,
    /// One.
    Single,
    /// Any number: it is repeatable.
    Repeatable,
}

/// An option of serving.
#[derive(Clone, Debug)]
pub struct OptionKey {
    /// The identifier in clap.
    pub id: String,
    /// The name in the file, with `_` for `-`.
    pub key: String,
    /// How many values it has.
    pub kind: OptionKind,
}

impl OptionKey {
    /// The name of the variable in the environment.
    pub fn variable(&self) -> String {
        format!("HOTSHOE_{}", self.key.to_uppercase())
    }

    /// An argument with this value.
    pub fn argument(&self, value: &str) -> OsString {
        let mut argument = self.flag();
        argument.push("=");
        argument.push(value);
        argument
    }

    /// The argument of a flag.
    pub fn flag(&self) -> OsString {
        format!("--{}", self.key.replace('_', "-")).into()
    }
}
