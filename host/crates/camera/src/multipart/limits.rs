//! How much of a stream is held.

/// The most bytes in one part. Images of 50 megapixels have about 20 MB.
pub const MAX_PART_LENGTH: usize = 32 << 20;

/// The most bytes of headers in one part. ustreamer sends 700.
pub(super) const MAX_HEAD_LENGTH: usize = 8 << 10;

/// The most bytes to skip before a delimiter: a preamble, or what follows an image.
pub(super) const MAX_SKIPPED: usize = 64 << 10;
