//! How much guests can store.

/// The most keys in all buckets together. Listing and opening take time proportional to it.
pub(super) const MAX_KEYS: u64 = 10_000;

/// The most bytes in the names of buckets, keys and values together. The database may take up five times as much,
/// because it copies on write and rounds sizes up to powers of two. Without a file that is memory, on machines that may
/// have 512 MiB.
pub(super) const MAX_BYTES: u64 = 8 << 20;

/// The longest key, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 1024;

/// The largest value, in bytes: enough for a picture.
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;

/// The most keys in one call.
pub(super) const MAX_BATCH_KEYS: usize = 1000;

/// The most bytes in the keys and values that one call returns: as many as a guest can pass in one call.
pub(super) const MAX_BATCH_BYTES: usize = 8 << 20;

/// The longest name of a bucket, in bytes. Names are chosen by programmers and are short.
pub(super) const MAX_BUCKET_NAME_BYTES: usize = 128;
