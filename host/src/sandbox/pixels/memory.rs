//! How much memory the pictures and images of all instances take.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::PixelsError;
use crate::camera::JpegImage;

/// The most memory for pictures, and for images that instances have made, in bytes: about 90 pictures of 1280x720 in
/// colour. A machine with 1 GiB survives it.
const MAX_BYTES: usize = 256 << 20;

/// The unit in which memory is counted, in bytes.
const UNIT: usize = 1 << 10;

/// Counts memory.
pub(super) struct Memory {
    free: Arc<Semaphore>,
}

/// Memory that is returned when this is dropped.
pub(super) type Reservation = OwnedSemaphorePermit;

impl Default for Memory {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_BYTES / UNIT)) }
    }
}

impl Memory {
    /// Reserves memory for this many bytes.
    pub(super) fn reserve(&self, bytes: usize) -> Result<Reservation, PixelsError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| PixelsError::Memory)?;
        self.free.clone().try_acquire_many_owned(units).map_err(|_| PixelsError::Memory)
    }

    /// The memory that is not reserved.
    #[cfg(test)]
    pub(super) fn free_bytes(&self) -> usize {
        self.free.available_permits() * UNIT
    }

    /// Counts the bytes of an image for as long as it is referenced anywhere.
    pub(super) fn count(&self, mut image: JpegImage) -> Result<JpegImage, PixelsError> {
        let _memory = self.reserve(image.bytes.len())?;
        image.bytes = Bytes::from_owner(CountedBytes { bytes: image.bytes, _memory });
        Ok(image)
    }
}

/// Returns what exceeds this many bytes.
pub(super) fn keep(memory: &mut Reservation, bytes: usize) {
    drop(memory.split(memory.num_permits().saturating_sub(bytes.div_ceil(UNIT))));
}

/// Bytes whose memory is counted.
struct CountedBytes {
    bytes: Bytes,
    _memory: Reservation,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
