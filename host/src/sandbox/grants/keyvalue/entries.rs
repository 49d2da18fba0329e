//! The entries within a transaction, and their limits.

use redb::{ReadOnlyTable, ReadableDatabase as _, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::error::{Failure, StateError};
use super::limits::{MAX_BYTES, MAX_KEYS, MAX_VALUE_BYTES};

/// The entries, by the name of their bucket and their key.
pub(super) const ENTRIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("entries");

/// The most keys in a page, which has at most as many bytes as a value.
const PAGE_KEYS: usize = 1000;

/// A page of the keys of a bucket.
pub(in crate::sandbox) struct KeyPage {
    pub(in crate::sandbox) keys: Vec<String>,
    /// Whether there are further keys.
    pub(in crate::sandbox) has_more: bool,
}

/// Where a page of keys starts.
pub(in crate::sandbox) enum PageStart {
    /// At the key with this index in the order of keys.
    Index(u64),
    /// After this key.
    After(String),
}

/// What the entries take up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Usage {
    keys: u64,
    bytes: u64,
}

type Key = (&'static str, &'static str);
type Value = &'static [u8];

/// Counts what all entries take up.
pub(super) fn usage(table: &impl ReadableTable<Key, Value>) -> Result<Usage, redb::StorageError> {
    let mut usage = Usage::default();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let (bucket, key) = key.value();
        usage.keys += 1;
        usage.bytes += size(bucket, key, value.value().len());
    }
    Ok(usage)
}

/// The entries as of the last commit.
pub(super) struct Committed {
    table: ReadOnlyTable<Key, Value>,
}

impl Committed {
    pub(super) fn new(database: &redb::Database) -> Result<Self, Failure> {
        Ok(Self { table: database.begin_read()?.open_table(ENTRIES)? })
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.table.get((bucket, key))?.map(|value| value.value().to_vec()))
    }

    pub(super) fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        Ok(self.table.get((bucket, key))?.is_some())
    }

    pub(super) fn keys(&self, bucket: &str, start: PageStart) -> Result<KeyPage, Failure> {
        let (first, skipped) = match &start {
            PageStart::Index(index) => ("", usize::try_from(*index).unwrap_or(usize::MAX)),
            PageStart::After(key) => (key.as_str(), usize::from(self.exists(bucket, key)?)),
        };
        let mut page = KeyPage { keys: Vec::new(), has_more: false };
        for entry in self.table.range((bucket, first)..)?.skip(skipped) {
            let (entry, _) = entry?;
            let (entry_bucket, key) = entry.value();
            if entry_bucket != bucket {
                break;
            }
            if page.keys.len() >= PAGE_KEYS {
                page.has_more = true;
                break;
            }
            page.keys.push(key.to_owned());
        }
        Ok(page)
    }
}

/// The entries in a transaction that writes.
pub(super) struct Uncommitted<'a> {
    table: Table<'a, Key, Value>,
    pub(super) usage: Usage,
}

impl<'a> Uncommitted<'a> {
    /// `usage` is that of the committed entries.
    pub(super) fn new(transaction: &'a WriteTransaction, usage: Usage) -> Result<Self, Failure> {
        Ok(Self { table: transaction.open_table(ENTRIES)?, usage })
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.table.get((bucket, key))?.map(|value| value.value().to_vec()))
    }

    pub(super) fn set(&mut self, bucket: &str, key: &str, value: &[u8]) -> Result<(), Failure> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(StateError::ValueTooLarge.into());
        }
        let old = self.table.get((bucket, key))?.map(|old| size(bucket, key, old.value().len()));
        let (old_size, new_size) = (old.unwrap_or_default(), size(bucket, key, value.len()));
        let keys = self.usage.keys + u64::from(old.is_none());
        let bytes = self.usage.bytes.saturating_sub(old_size) + new_size;
        // A store that is too full, because it is of a version with other limits, may still shrink.
        if keys > MAX_KEYS && old.is_none() {
            return Err(StateError::TooManyKeys.into());
        }
        if bytes > MAX_BYTES && new_size > old_size {
            return Err(StateError::TooManyBytes.into());
        }
        self.table.insert((bucket, key), value)?;
        self.usage = Usage { keys, bytes };
        Ok(())
    }

    pub(super) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), Failure> {
        if let Some(old) = self.table.remove((bucket, key))? {
            self.usage.keys = self.usage.keys.saturating_sub(1);
            self.usage.bytes = self.usage.bytes.saturating_sub(size(bucket, key, old.value().len()));
        }
        Ok(())
    }
}

/// How much an entry counts.
fn size(bucket: &str, key: &str, value: usize) -> u64 {
    (bucket.len() + key.len() + value) as u64
}
