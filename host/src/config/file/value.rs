//! Values, and keys that do not exist.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::OptionKind;
use super::problems::Problems;

/// A key with its place in the file.
pub(super) type Key<'a> = Spanned<Cow<'a, str>>;

/// How similar a key must be to another for it to be suggested, from 0 to 1. Enough for two swapped letters of three.
const SIMILARITY: f64 = 0.6;

/// Parses a text. Without a table, adds what is wrong with it.
pub(super) fn parse_table<'t>(text: &'t str, problems: &mut Problems<'_>) -> Option<Spanned<DeTable<'t>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let message = error.message().trim_end().replace('\n', ", ");
        match error.span() {
            Some(span) => problems.add(span.start, message),
            None => problems.add_combination(message),
        }
    }
    problems.is_empty().then_some(table)
}

/// The entries of a table in the order of the file.
pub(super) fn in_order<'t, 'd>(table: &'t DeTable<'d>) -> Vec<(&'t Key<'d>, &'t Spanned<DeValue<'d>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The values that an option of this kind gets: none or one without a text for a flag. Those of a table are the name,
/// `separator` and the value for each entry. An error is what follows the key in a sentence.
pub(super) fn values(kind: OptionKind, value: &DeValue<'_>, separator: char) -> Result<Vec<Option<String>>, String> {
    match (kind, value) {
        (OptionKind::Flag, DeValue::Boolean(true)) => Ok(vec![None]),
        (OptionKind::Flag, DeValue::Boolean(false)) => Ok(Vec::new()),
        (OptionKind::Flag, _) => Err("must be true or false".to_owned()),
        (OptionKind::Repeatable, value) => Ok(texts(value, separator)?.into_iter().map(Some).collect()),
        (OptionKind::Single, value) => Ok(vec![Some(scalar(value)?)]),
    }
}

/// The texts that a value of a repeatable option stands for: several for an array, and the name, `separator` and the
/// value for each entry of a table.
fn texts(value: &DeValue<'_>, separator: char) -> Result<Vec<String>, String> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
        DeValue::Table(table) => {
            let pair = |(name, value): (&Key<'_>, &Spanned<DeValue<'_>>)| {
                Ok(format!("{}{separator}{}", name.get_ref(), scalar(value.get_ref())?))
            };
            in_order(table).into_iter().map(pair).collect()
        }
        value => Ok(vec![scalar(value)?]),
    }
}

/// A string or a number as text.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
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
