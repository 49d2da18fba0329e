//! The state of guests: buckets of keys and values, behind `wasi:keyvalue`.
//!
//! There is one state for the whole server. All instances of all generations share it, so it outlives requests and
//! swaps. It is a redb database, in memory or, with `--guest-store`, in a file. Both behave the same, except that a
//! write to the file returns when it is on the disk.
//!
//! * `database`: opens the database, and opens it again after a failure.
//! * `entries`: the entries within a transaction, and their limits.
//! * `write`: the kinds of writes. `queue`: commits waiting writes together.
//! * `error`: the errors for the operator and for guests. `limits`: how much guests can store.
//!
//! Reads and writes run on blocking threads, because a disk can be slow. A guest that writes in a loop waits for the
//! disk like every other; each instance has at most one write in progress.

mod database;
mod entries;
mod error;
mod limits;
mod queue;
mod write;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tokio::sync::Semaphore;

use self::database::Database;
use self::entries::Committed;
pub(in crate::sandbox) use self::entries::{KeyPage, PageStart};
use self::error::Failure;
pub(in crate::sandbox) use self::error::StateError;
pub use self::error::StoreError;
use self::limits::{MAX_BATCH_BYTES, MAX_BATCH_KEYS, MAX_BUCKET_NAME_BYTES, MAX_KEY_BYTES};
use self::queue::WriteQueue;
pub(in crate::sandbox) use self::write::digest;
use self::write::{Digest, Outcome, Write};

/// How many reads run at a time. Reads take microseconds; a disk that hangs must not occupy all blocking threads.
const MAX_READS: usize = 8;

/// The state that guests share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    database: Arc<Database>,
    writes: Arc<WriteQueue>,
    reads: Arc<Semaphore>,
}

/// The name of a bucket. A bucket without keys takes no space, so every name can be opened.
#[derive(Clone, Debug)]
pub struct Bucket(Arc<str>);

impl Bucket {
    /// Returns the bucket with this name, or `None` if the name is too long.
    pub(in crate::sandbox) fn new(name: &str) -> Option<Self> {
        (name.len() <= MAX_BUCKET_NAME_BYTES).then(|| Self(name.into()))
    }
}

/// A key that a guest will write if its value is still the one that the guest knows. [`State::get`] has checked its
/// length, since a guest may hold hundreds of them.
#[derive(Clone, Debug)]
pub struct HeldCas {
    pub(in crate::sandbox) bucket: Bucket,
    pub(in crate::sandbox) key: String,
    /// The digest of the expected value, or `None` if the key is not expected to exist.
    pub(in crate::sandbox) expected: Option<Digest>,
}

impl Default for State {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.database, formatter)
    }
}

impl Serialize for State {
    /// Serializes the path of the file, or `null` for a state in memory.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.database.file().serialize(serializer)
    }
}

/// Refuses keys that are too long: none can exist, and they must not wait for the database, nor be kept.
fn check_keys<'a>(keys: impl IntoIterator<Item = &'a String>) -> Result<(), StateError> {
    if keys.into_iter().all(|key| key.len() <= MAX_KEY_BYTES) { Ok(()) } else { Err(StateError::KeyTooLong) }
}

/// Every operation fails with `KeyTooLong` before it does anything if one of its keys is longer than
/// `MAX_KEY_BYTES`.
impl State {
    /// A state in memory, which is lost when the server ends. Nothing is allocated until a guest uses it.
    pub fn in_memory() -> Self {
        Self::new(Database::in_memory())
    }

    /// A state in this file, which is created if it does not exist. Blocks.
    pub fn open(path: PathBuf) -> Result<Self, StoreError> {
        let database = Database::in_file(path);
        database.with(|_| ())?;
        Ok(Self::new(database))
    }

    /// What to say about it in the log. `None` if it is in memory.
    pub(super) fn summary(&self) -> Option<String> {
        self.database.file().map(|file| format!("store {}", file.display()))
    }

    fn new(database: Database) -> Self {
        let database = Arc::new(database);
        let writes = Arc::new(WriteQueue::new(database.clone()));
        Self { database, writes, reads: Arc::new(Semaphore::new(MAX_READS)) }
    }

    /// Returns the value of a key.
    pub(in crate::sandbox) async fn get(&self, bucket: Bucket, key: String) -> Result<Option<Vec<u8>>, StateError> {
        check_keys([&key])?;
        self.read(move |entries| entries.get(&bucket.0, &key)).await
    }

    /// Returns the values of keys, in the order of the keys.
    pub(in crate::sandbox) async fn get_many(
        &self,
        bucket: Bucket,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, StateError> {
        if keys.len() > MAX_BATCH_KEYS {
            return Err(StateError::BatchTooLarge);
        }
        check_keys(&keys)?;
        self.read(move |entries| {
            let mut bytes = 0;
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                let value = entries.get(&bucket.0, &key)?;
                bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                if bytes > MAX_BATCH_BYTES {
                    return Err(StateError::BatchTooLarge.into());
                }
                values.push((key, value));
            }
            Ok(values)
        })
        .await
    }

    /// Whether a key exists.
    pub(in crate::sandbox) async fn exists(&self, bucket: Bucket, key: String) -> Result<bool, StateError> {
        check_keys([&key])?;
        self.read(move |entries| entries.exists(&bucket.0, &key)).await
    }

    /// Lists the keys of a bucket, in the order of their bytes.
    pub(in crate::sandbox) async fn list_keys(&self, bucket: Bucket, start: PageStart) -> Result<KeyPage, StateError> {
        if let PageStart::After(key) = &start {
            check_keys([key])?;
        }
        self.read(move |entries| entries.keys(&bucket.0, start)).await
    }

    /// Sets values, in this order. If that fails, those before the one that failed are set.
    pub(in crate::sandbox) async fn set(
        &self,
        bucket: Bucket,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), StateError> {
        if entries.len() > MAX_BATCH_KEYS {
            return Err(StateError::BatchTooLarge);
        }
        check_keys(entries.iter().map(|(key, _)| key))?;
        self.writes.run(Write::Set { bucket: bucket.0, entries }).await.map(drop)
    }

    /// Deletes keys. Ignores those that do not exist.
    pub(in crate::sandbox) async fn delete(&self, bucket: Bucket, keys: Vec<String>) -> Result<(), StateError> {
        if keys.len() > MAX_BATCH_KEYS {
            return Err(StateError::BatchTooLarge);
        }
        check_keys(&keys)?;
        self.writes.run(Write::Delete { bucket: bucket.0, keys }).await.map(drop)
    }

    /// Adds `delta` to a number and returns the sum, which must be between `min` and `max`. The number is stored as
    /// decimal text; a key that does not exist counts as 0.
    pub(in crate::sandbox) async fn increment(
        &self,
        bucket: Bucket,
        key: String,
        delta: i128,
        (min, max): (i128, i128),
    ) -> Result<i128, StateError> {
        check_keys([&key])?;
        match self.writes.run(Write::Increment { bucket: bucket.0, key, delta, min, max }).await? {
            Outcome::Number(number) => Ok(number),
            Outcome::Done | Outcome::Changed(_) => Err(StateError::Unavailable),
        }
    }

    /// Sets a value if the current one has this digest. Otherwise returns the digest of the current one as an error.
    pub(in crate::sandbox) async fn swap(
        &self,
        bucket: Bucket,
        key: String,
        expected: Option<Digest>,
        value: Vec<u8>,
    ) -> Result<Result<(), Option<Digest>>, StateError> {
        check_keys([&key])?;
        match self.writes.run(Write::Swap { bucket: bucket.0, key, expected, value }).await? {
            Outcome::Changed(current) => Ok(Err(current)),
            Outcome::Done | Outcome::Number(_) => Ok(Ok(())),
        }
    }

    /// Runs a read on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Committed) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StateError> {
        let permit = self.reads.clone().acquire_owned().await.map_err(|_| StateError::Unavailable)?;
        let database = self.database.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            database.attempt(|open| read(&Committed::new(&open.redb)?))
        });
        reading.await.map_err(|_| StateError::Unavailable)?
    }
}

#[cfg(test)]
mod tests;
