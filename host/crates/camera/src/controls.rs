//! What can be set on a camera while it runs: brightness, exposure, focus and the like.

use std::fmt;

use super::error::SourceError;

/// Something that can be set on a camera, as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// Its name in commands: the label in small letters, with `_` for everything else, as `v4l2-ctl` shows it.
    pub name: String,
    /// Its name for people, as the driver gives it: `White Balance, Automatic`.
    pub label: String,
    /// What it can be set to.
    pub kind: ControlKind,
    /// What it is set to; none for one that cannot be read.
    pub value: Option<i64>,
    /// What it is set to by the driver at first.
    pub default: i64,
    /// It can be read and not set.
    pub read_only: bool,
    /// It has no effect for now, mostly because an automatic does its work.
    pub inactive: bool,
}

/// What a control can be set to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ControlKind {
    /// A number.
    Integer {
        /// The least.
        minimum: i64,
        /// The greatest.
        maximum: i64,
        /// Between two of its values; at least 1.
        step: u64,
    },
    /// 0 for off, 1 for on.
    Boolean,
    /// One of these.
    Menu(Vec<MenuItem>),
    /// Nothing: setting it to any value does something once.
    Button,
}

/// One of the values of a menu.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MenuItem {
    /// The value.
    pub value: i64,
    /// What it means.
    pub label: String,
}

/// Why a control cannot be read or set. One line each.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The camera has none of this name.
    #[error("there is no control `{name}`; there are {offered}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        offered: String,
    },
    /// The value is none that it can have.
    #[error("`{name}` cannot be {value}: give {allowed}")]
    OutOfRange {
        /// The control.
        name: String,
        /// The value.
        value: i64,
        /// What it can be.
        allowed: String,
    },
    /// It cannot be set.
    #[error("`{name}` can only be read")]
    ReadOnly {
        /// The control.
        name: String,
    },
    /// It cannot be set for now.
    #[error("`{name}` has no effect while an automatic does its work; turn that off first")]
    Inactive {
        /// The control.
        name: String,
    },
    /// The camera cannot be talked to.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Control {
    /// Whether it can be set to this value.
    pub fn check(&self, value: i64) -> Result<(), ControlError> {
        if self.read_only {
            return Err(ControlError::ReadOnly { name: self.name.clone() });
        }
        if self.kind.allows(value) {
            return Ok(());
        }
        Err(ControlError::OutOfRange { name: self.name.clone(), value, allowed: self.kind.to_string() })
    }
}

/// The control of this name; the error names those that there are.
pub fn find<'a>(controls: &'a [Control], name: &str) -> Result<&'a Control, ControlError> {
    controls.iter().find(|control| control.name == name).ok_or_else(|| {
        let names: Vec<_> = controls.iter().map(|control| control.name.as_str()).collect();
        let offered = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        ControlError::Unknown { name: name.to_owned(), offered }
    })
}

impl ControlKind {
    fn allows(&self, value: i64) -> bool {
        match self {
            // Drivers round to their steps themselves.
            Self::Integer { minimum, maximum, .. } => (*minimum..=*maximum).contains(&value),
            Self::Boolean => (0..=1).contains(&value),
            Self::Menu(items) => items.iter().any(|item| item.value == value),
            Self::Button => true,
        }
    }
}

impl fmt::Display for ControlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { minimum, maximum, step: 0 | 1 } => write!(f, "{minimum} to {maximum}"),
            Self::Integer { minimum, maximum, step } => write!(f, "{minimum} to {maximum} in steps of {step}"),
            Self::Boolean => write!(f, "0 or 1"),
            Self::Menu(items) => {
                let items: Vec<_> = items.iter().map(|item| format!("{} ({})", item.value, item.label)).collect();
                write!(f, "{}", items.join(", "))
            }
            Self::Button => write!(f, "any number"),
        }
    }
}

/// A control's name in commands, of its name for people: letters and digits in lower case, everything between them
/// one `_`, as `v4l2-ctl` does.
pub fn name_of(label: &str) -> String {
    let words = label.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(kind: ControlKind) -> Control {
        Control {
            name: "c".into(),
            label: "C".into(),
            kind,
            value: None,
            default: 0,
            read_only: false,
            inactive: false,
        }
    }

    #[test]
    fn names_are_those_of_v4l2_ctl() {
        assert_eq!(name_of("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(name_of("Brightness"), "brightness");
        assert_eq!(name_of(" (odd)  Name-2 "), "odd_name_2");
        assert_eq!(name_of("\u{fc}"), "");
    }

    #[test]
    fn a_value_outside_of_what_there_is_is_refused_with_what_there_is() {
        let number = control(ControlKind::Integer { minimum: -5, maximum: 10, step: 5 });
        assert!(number.check(-5).is_ok() && number.check(10).is_ok() && number.check(7).is_ok());
        assert_eq!(number.check(11).unwrap_err().to_string(), "`c` cannot be 11: give -5 to 10 in steps of 5");
        let menu = control(ControlKind::Menu(vec![MenuItem { value: 1, label: "Manual".into() }]));
        assert_eq!(menu.check(0).unwrap_err().to_string(), "`c` cannot be 0: give 1 (Manual)");
        assert!(control(ControlKind::Boolean).check(2).is_err());
        assert!(control(ControlKind::Button).check(-1).is_ok());
        let fixed = Control { read_only: true, ..control(ControlKind::Boolean) };
        assert!(matches!(fixed.check(1), Err(ControlError::ReadOnly { .. })));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let controls = [control(ControlKind::Boolean)];
        assert!(find(&controls, "c").is_ok());
        assert_eq!(find(&controls, "d").unwrap_err().to_string(), "there is no control `d`; there are c");
        assert_eq!(find(&[], "d").unwrap_err().to_string(), "there is no control `d`; there are none");
    }
}
