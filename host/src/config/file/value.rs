//! Values, and keys that do not exist.

use toml::de::DeValue;

/// How similar a key must be to another for it to be suggested, from 0 to 1. Enough for two swapped letters of three.
const SIMILARITY: f64 = 0.6;

/// A string or a number as text.
pub(super) fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => Err(format!("must be a string or a number, not a value of the type {}", other.type_str())),
    }
}

/// Says that a key does not exist, and which similar one does.
pub(super) fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    let similarity = |known: &&str| strsim::normalized_damerau_levenshtein(key, known);
    let nearest = known.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|nearest| similarity(nearest) > SIMILARITY) {
        Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`; `hotshoe config example` lists all keys"),
    }
}
