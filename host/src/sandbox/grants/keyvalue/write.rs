//! The kinds of writes.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::entries::Uncommitted;
use super::error::{Failure, StateError};

/// The SHA-256 digest of a value. A guest may hold hundreds of values to compare with, which would take up too much
/// memory.
pub(in crate::sandbox) type Digest = [u8; 32];

/// Returns the digest of a value.
pub(in crate::sandbox) fn digest(value: &[u8]) -> Digest {
    Sha256::digest(value).into()
}

/// A change of the entries of a bucket.
pub(super) enum Write {
    /// Sets values.
    Set { bucket: Arc<str>, entries: Vec<(String, Vec<u8>)> },
    /// Deletes keys.
    Delete { bucket: Arc<str>, keys: Vec<String> },
    /// Adds to a number.
    Increment { bucket: Arc<str>, key: String, delta: i128, min: i128, max: i128 },
    /// Sets a value if the current one has this digest, or is absent.
    Swap { bucket: Arc<str>, key: String, expected: Option<Digest>, value: Vec<u8> },
}

/// What a write returns.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// It is done, and this is the new number.
    Number(i128),
    /// Nothing was written, because the current value has this digest, or is absent.
    Changed(Option<Digest>),
}

impl Write {
    /// Makes the change in a transaction.
    pub(super) fn apply(&self, entries: &mut Uncommitted<'_>) -> Result<Outcome, Failure> {
        match self {
            Self::Set { bucket, entries: new } => {
                for (key, value) in new {
                    entries.set(bucket, key, value)?;
                }
            }
            Self::Delete { bucket, keys } => {
                for key in keys {
                    entries.delete(bucket, key)?;
                }
            }
            Self::Increment { bucket, key, delta, min, max } => {
                let number = entries.get(bucket, key)?.map_or(Ok(0), |value| number(&value))?;
                let sum = number.checked_add(*delta).filter(|sum| (*min..=*max).contains(sum));
                let sum = sum.ok_or(StateError::OutOfRange)?;
                entries.set(bucket, key, sum.to_string().as_bytes())?;
                return Ok(Outcome::Number(sum));
            }
            Self::Swap { bucket, key, expected, value } => {
                let current = entries.get(bucket, key)?.map(|value| digest(&value));
                if current != *expected {
                    return Ok(Outcome::Changed(current));
                }
                entries.set(bucket, key, value)?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Parses a number in decimal digits.
fn number(value: &[u8]) -> Result<i128, StateError> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(StateError::NotANumber)
}
