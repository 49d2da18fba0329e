//! From a section `[cameras.NAME]` to the value of `--camera`.

use toml::de::{DeTable, DeValue};

use super::key::OptionKind;
use super::value::{in_order, unknown_key, values};
use crate::config::camera_spec::name::{invalid_name, is_valid_name};

/// The key of the source.
const SOURCE: &str = "source";

/// The keys that the host handles whatever the source is, and how many values each has.
const HOST_KEYS: [(&str, OptionKind); 12] = [
    ("size", OptionKind::Single),
    ("fps", OptionKind::Single),
    ("rotate", OptionKind::Single),
    ("flip", OptionKind::Single),
    ("dir", OptionKind::Single),
    ("env", OptionKind::Repeatable),
    ("env_file", OptionKind::Repeatable),
    ("allow_outgoing", OptionKind::Repeatable),
    ("filter", OptionKind::Repeatable),
    ("label", OptionKind::Single),
    ("remember", OptionKind::Single),
    ("keep_open", OptionKind::Flag),
];

/// The keys of sources that are part of the host. If the source is a driver, they are options of its own.
const SOURCE_KEYS: [(&str, OptionKind); 9] = [
    ("format", OptionKind::Single),
    ("quality", OptionKind::Single),
    ("crop", OptionKind::Single),
    ("input", OptionKind::Single),
    ("standard", OptionKind::Single),
    ("buffers", OptionKind::Single),
    ("control", OptionKind::Repeatable),
    ("credentials", OptionKind::Single),
    ("insecure", OptionKind::Flag),
];

/// Why a section is no camera, and the offset of the place in the file, if it is a certain one.
pub(super) type CameraError = (Option<usize>, String);

/// Returns the value of `--camera` for a section, in parts: the name with the source, and one for each other key. Each
/// has the offset of its key in the file.
pub(super) fn camera_parts(name: &str, section: &DeTable<'_>) -> Result<Vec<(usize, String)>, CameraError> {
    // Of other names, the parser of `--camera` would take some for parts of a path.
    if !is_valid_name(name) {
        return Err((None, invalid_name(name)));
    }
    let (key, source) = section
        .get_key_value(SOURCE)
        .ok_or_else(|| (None, format!("the camera needs a source, such as {SOURCE} = \"auto\"")))?;
    let at = key.span().start;
    let source = source
        .get_ref()
        .as_str()
        .ok_or_else(|| (Some(at), format!("`{SOURCE}` must be a string, such as {SOURCE} = \"auto\"")))?;
    let is_driver = source.starts_with("component:");
    let mut parts = vec![(at, format!("{name}={}", escape(source)))];
    for (key, value) in in_order(section) {
        let (at, key, value) = (key.span().start, key.get_ref().as_ref(), value.get_ref());
        if key == SOURCE {
            continue;
        }
        let (option, kind) = match kind(key, is_driver) {
            Some(kind) => (key.replace('_', "-"), kind),
            // What a driver calls its options, and how many values they have, is its own affair.
            None if is_driver && matches!(value, DeValue::Boolean(_)) => (key.to_owned(), OptionKind::Flag),
            None if is_driver => (key.to_owned(), OptionKind::Repeatable),
            None => {
                let known = HOST_KEYS.iter().chain(&SOURCE_KEYS).map(|(key, _)| *key);
                return Err((Some(at), unknown_key(key, [SOURCE].into_iter().chain(known))));
            }
        };
        let values = values(kind, value, ':').map_err(|message| (Some(at), format!("`{key}` {message}")))?;
        let text = |value: Option<String>| match value {
            Some(value) => format!(",{option}={}", escape(&value)),
            None => format!(",{option}"),
        };
        parts.push((at, values.into_iter().map(text).collect()));
    }
    Ok(parts)
}

/// How many values a key has. `None` if the host does not handle it.
fn kind(key: &str, is_driver: bool) -> Option<OptionKind> {
    let of_source: &[(&str, OptionKind)] = if is_driver { &[] } else { &SOURCE_KEYS };
    HOST_KEYS.iter().chain(of_source).find(|(known, _)| *known == key).map(|(_, kind)| *kind)
}

/// Doubles commas, which separate the options of `--camera`.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::camera_spec::CameraSpec;

    /// The parser of `--camera` decides which options a driver gets.
    #[test]
    fn the_host_handles_the_keys_that_no_driver_gets() {
        for (key, _) in HOST_KEYS.iter().chain(&SOURCE_KEYS) {
            let spec = format!("component:driver.wasm,{}=x", key.replace('_', "-")).parse::<CameraSpec>();
            let is_of_driver = spec.is_ok_and(|spec| !spec.driver.options.is_empty());
            assert_eq!(kind(key, true).is_none(), is_of_driver, "{key}");
        }
    }
}
