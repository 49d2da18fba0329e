//! Camera controls that can be set while the camera runs: brightness, exposure, focus and the like.

use std::fmt;

use super::error::SourceError;

/// A control of a camera and its present value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// The name for commands: the label in lower case with `_` for everything but letters and digits, like `v4l2-ctl`.
    pub name: String,
    /// The driver's name for people: `White Balance, Automatic`.
    pub label: String,
    /// The type of the control and its valid values.
    pub kind: ControlKind,
    /// The present value. `None` if the control is write-only or cannot be read.
    pub value: Option<i64>,
    /// The driver's default value.
    pub default: i64,
    /// Whether the control cannot be set.
    pub read_only: bool,
    /// Whether the control has no effect at the moment, usually because an automatic mode is on.
    pub inactive: bool,
}

/// The type of a control and its valid values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ControlKind {
    /// A number.
    Integer {
        /// The smallest value.
        minimum: i64,
        /// The largest value.
        maximum: i64,
        /// The distance between values, at least 1.
        step: u64,
    },
    /// 0 for off, 1 for on.
    Boolean,
    /// One of these items.
    Menu(Vec<MenuItem>),
    /// Has no value: setting it to any number triggers an action.
    Button,
}

/// An item of a menu control.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MenuItem {
    /// The value to set.
    pub value: i64,
    /// The meaning of the value.
    pub label: String,
}

/// Why a control cannot be read or set. Each message is a single line.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The camera has no control with this name.
    #[error("there is no control `{name}`; available: {available}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The names of the camera's controls.
        available: String,
    },
    /// The control does not accept the value.
    #[error("`{name}` cannot be {value}; valid: {valid}")]
    OutOfRange {
        /// The name of the control.
        name: String,
        /// The requested value.
        value: i64,
        /// The valid values.
        valid: String,
    },
    /// The control cannot be set.
    #[error("`{name}` is read-only")]
    ReadOnly {
        /// The name of the control.
        name: String,
    },
    /// The control cannot be set at the moment.
    #[error("`{name}` has no effect while an automatic mode controls it; turn that mode off first")]
    Inactive {
        /// The name of the control.
        name: String,
    },
    /// The camera failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Control {
    /// Checks that the control accepts `value`. Does not check [`inactive`](Self::inactive): the driver refuses
    /// inactive controls itself.
    pub fn check(&self, value: i64) -> Result<(), ControlError> {
        if self.read_only {
            return Err(ControlError::ReadOnly { name: self.name.clone() });
        }
        if self.kind.accepts(value) {
            return Ok(());
        }
        Err(ControlError::OutOfRange { name: self.name.clone(), value, valid: self.kind.to_string() })
    }
}

/// Returns the control with this name. The error lists the available names.
pub fn find<'a>(controls: &'a [Control], name: &str) -> Result<&'a Control, ControlError> {
    controls.iter().find(|control| control.name == name).ok_or_else(|| {
        let names: Vec<_> = controls.iter().map(|control| control.name.as_str()).collect();
        let available = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        ControlError::Unknown { name: name.to_owned(), available }
    })
}

impl ControlKind {
    fn accepts(&self, value: i64) -> bool {
        match self {
            // Drivers round to the step themselves.
            Self::Integer { minimum, maximum, .. } => (*minimum..=*maximum).contains(&value),
            Self::Boolean => (0..=1).contains(&value),
            Self::Menu(items) => items.iter().any(|item| item.value == value),
            Self::Button => true,
        }
    }
}

/// Formats the valid values: `0 to 255`, `0 (Off), 1 (On)`.
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

/// Derives the name of a control from its label like `v4l2-ctl`: letters and digits in lower case, joined by `_`.
pub fn name_from_label(label: &str) -> String {
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
    fn names_match_v4l2_ctl() {
        assert_eq!(name_from_label("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(name_from_label("Brightness"), "brightness");
        assert_eq!(name_from_label(" (odd)  Name-2 "), "odd_name_2");
        assert_eq!(name_from_label("\u{fc}"), "");
    }

    #[test]
    fn an_invalid_value_is_refused_with_the_valid_ones() {
        let number = control(ControlKind::Integer { minimum: -5, maximum: 10, step: 5 });
        assert!(number.check(-5).is_ok() && number.check(10).is_ok() && number.check(7).is_ok());
        assert_eq!(number.check(11).unwrap_err().to_string(), "`c` cannot be 11; valid: -5 to 10 in steps of 5");
        let menu = control(ControlKind::Menu(vec![MenuItem { value: 1, label: "Manual".into() }]));
        assert_eq!(menu.check(0).unwrap_err().to_string(), "`c` cannot be 0; valid: 1 (Manual)");
        assert!(control(ControlKind::Boolean).check(2).is_err());
        assert!(control(ControlKind::Button).check(-1).is_ok());
        let fixed = Control { read_only: true, ..control(ControlKind::Boolean) };
        assert!(matches!(fixed.check(1), Err(ControlError::ReadOnly { .. })));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_available_ones() {
        let controls = [control(ControlKind::Boolean)];
        assert!(find(&controls, "c").is_ok());
        assert_eq!(find(&controls, "d").unwrap_err().to_string(), "there is no control `d`; available: c");
        assert_eq!(find(&[], "d").unwrap_err().to_string(), "there is no control `d`; available: none");
    }
}
