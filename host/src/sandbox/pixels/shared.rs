//! Finds pictures that another instance has decoded, or is waiting for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::memory::Reservation;
use crate::camera::JpegImage;
use crate::camera::pixels::{DecodeError, Format, Picture, Scale};

/// What identifies a decoded picture.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Key {
    /// The address and length of the image's bytes, which are immutable. [`SharedPicture`] keeps them, so no other
    /// image is there.
    image: (usize, usize),
    scale: Scale,
    format: Format,
}

/// The pictures that instances hold.
#[derive(Default)]
pub(super) struct SharedPictures {
    pictures: Mutex<HashMap<Key, Weak<SharedPicture>>>,
}

/// A picture that is decoded once for all that hold it.
pub(super) struct SharedPicture {
    pictures: Arc<SharedPictures>,
    key: Key,
    pub(super) image: JpegImage,
    /// Empty until the image is decoded.
    pub(super) result: OnceCell<Result<CountedPicture, DecodeError>>,
}

/// A decoded picture, and the memory that it takes.
pub(super) struct CountedPicture {
    pub(super) picture: Arc<Picture>,
    pub(super) _memory: Reservation,
}

impl SharedPictures {
    /// Returns the picture of an image. If there is none, makes one that is not decoded.
    pub(super) fn get(self: &Arc<Self>, image: &JpegImage, scale: Scale, format: Format) -> Arc<SharedPicture> {
        let key = Key { image: (image.bytes.as_ptr().addr(), image.bytes.len()), scale, format };
        let mut pictures = self.lock();
        if let Some(picture) = pictures.get(&key).and_then(Weak::upgrade) {
            return picture;
        }
        let picture =
            Arc::new(SharedPicture { pictures: self.clone(), key, image: image.clone(), result: OnceCell::new() });
        pictures.insert(key, Arc::downgrade(&picture));
        picture
    }

    /// The number of pictures that are held.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ignores poisoning: no critical section can leave the map inconsistent.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<SharedPicture>>> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedPicture {
    fn drop(&mut self) {
        let mut pictures = self.pictures.lock();
        // Unless another one has already taken its place.
        if pictures.get(&self.key).is_some_and(|picture| picture.strong_count() == 0) {
            pictures.remove(&self.key);
        }
    }
}
