//! From a section `[cameras.NAME]` to the value of `--camera`.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{scalar, unknown_key};

/// The key of the source.
const SOURCE: &str = "source";

/// The keys of cameras. Those of a driver are its own.
pub(super) const KEYS: [&str; 21] = [
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
];

/// A key that is not in [`KEYS`] because it has no value.
pub(super) const KEEP_OPEN: &str = "keep_open";

/// Why a section is no camera, and the offset of the place in the file, if it is a certain one.
pub(super) type CameraError = (Option<usize>, String);

/// Returns the value of `--camera` for a section.
pub(super) fn camera_spec(name: &str, section: &DeTable<'_>) -> Result<String, CameraError> {
    let text = |key: &str| section.get(key).and_then(|value| value.get_ref().as_str());
    let source =
        text(SOURCE).ok_or_else(|| (None, format!("the camera needs a source, such as {SOURCE} = \"auto\"")))?;
    let is_component = source.starts_with("component:");
    let mut spec = format!("{name}={}", escape(source));
    let mut keys: Vec<_> = section.iter().filter(|(key, _)| key.get_ref() != SOURCE).collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let at = Some(key.span().start);
        let key = key.get_ref().as_ref();
        let is_known = KEYS.contains(&key) || key == KEEP_OPEN;
        if !is_known && !is_component {
            let known = KEYS.iter().copied().chain([KEEP_OPEN]);
            return Err((at, unknown_key(key, known)));
        }
        // What a driver calls its options is its own affair.
        let option = if is_known { key.replace('_', "-") } else { key.to_owned() };
        for value in values(value.get_ref()).map_err(|message| (at, format!("`{key}` {message}")))? {
            match value {
                Value::Flag(true) => spec.push_str(&format!(",{option}")),
                Value::Flag(false) => {}
                Value::Text(value) => spec.push_str(&format!(",{option}={}", escape(&value))),
            }
        }
    }
    Ok(spec)
}

/// The value of an option.
enum Value {
    Flag(bool),
    Text(String),
}

/// The values that a key stands for: several for an array, and `KEY:VALUE` for each entry of a table.
fn values(value: &DeValue<'_>) -> Result<Vec<Value>, String> {
    if let Some(flag) = value.as_bool() {
        return Ok(vec![Value::Flag(flag)]);
    }
    match value {
        DeValue::Array(values) => values.iter().map(|value| Ok(Value::Text(scalar(value.get_ref())?))).collect(),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            let pair = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                Ok(Value::Text(format!("{}:{}", key.get_ref(), scalar(value.get_ref())?)))
            };
            entries.into_iter().map(pair).collect()
        }
        value => Ok(vec![Value::Text(scalar(value)?)]),
    }
}

/// Doubles commas, which separate the options of `--camera`.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}
