//! From a section `[cameras.NAME]` to the value of `--camera`.

use toml::de::{DeTable, DeValue};

use super::value::{in_order, texts, unknown_key};
use crate::config::camera_spec::name::{invalid_name, is_valid_name};

/// The key of the source.
const SOURCE: &str = "source";

/// The keys of cameras. Those of a driver are its own.
const KEYS: [&str; 22] = [
    SOURCE,
    "size",
    "fps",
    "format",
    "quality",
    "crop",
    "rotate",
    "flip",
    "input",
    "standard",
    "buffers",
    "control",
    "credentials",
    "insecure",
    "dir",
    "env",
    "env_file",
    "allow_outgoing",
    "filter",
    "label",
    "remember",
    "keep_open",
];

/// Why a section is no camera, and the offset of the place in the file, if it is a certain one.
pub(super) type CameraError = (Option<usize>, String);

/// Returns the value of `--camera` for a section.
pub(super) fn camera_spec(name: &str, section: &DeTable<'_>) -> Result<String, CameraError> {
    // Of other names, the parser of `--camera` would take some for parts of a path.
    if !is_valid_name(name) {
        return Err((None, invalid_name(name)));
    }
    let text = |key: &str| section.get(key).and_then(|value| value.get_ref().as_str());
    let source =
        text(SOURCE).ok_or_else(|| (None, format!("the camera needs a source, such as {SOURCE} = \"auto\"")))?;
    let is_component = source.starts_with("component:");
    let mut spec = format!("{name}={}", escape(source));
    for (key, value) in in_order(section) {
        let (at, key) = (Some(key.span().start), key.get_ref().as_ref());
        if key == SOURCE {
            continue;
        }
        let is_known = KEYS.contains(&key);
        if !is_known && !is_component {
            return Err((at, unknown_key(key, KEYS.into_iter())));
        }
        // What a driver calls its options is its own affair.
        let option = if is_known { key.replace('_', "-") } else { key.to_owned() };
        match value.get_ref() {
            DeValue::Boolean(true) => spec.push_str(&format!(",{option}")),
            DeValue::Boolean(false) => {}
            value => {
                let values = texts(value, ':').map_err(|message| (at, format!("`{key}` {message}")))?;
                values.iter().for_each(|value| spec.push_str(&format!(",{option}={}", escape(value))));
            }
        }
    }
    Ok(spec)
}

/// Doubles commas, which separate the options of `--camera`.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}
