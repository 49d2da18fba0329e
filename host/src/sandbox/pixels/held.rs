//! A picture that an instance holds.

use std::sync::Arc;

use super::error::PixelsError;
use super::memory::Reservation;
use super::shared::SharedPicture;
use crate::camera::pixels::{Area, Picture};

/// A picture held by an instance.
#[derive(Clone)]
pub struct HeldPicture {
    picture: Arc<Picture>,
    owner: Owner,
}

/// Who else may hold a picture. Keeps its memory reserved.
#[derive(Clone)]
enum Owner {
    Shared { _shared: Arc<SharedPicture> },
    Own { _memory: Arc<Reservation> },
}

impl HeldPicture {
    pub(super) fn shared(picture: Arc<Picture>, shared: Arc<SharedPicture>) -> Self {
        Self { picture, owner: Owner::Shared { _shared: shared } }
    }

    pub(super) fn own(picture: Picture, memory: Reservation) -> Self {
        Self { picture: Arc::new(picture), owner: Owner::Own { _memory: Arc::new(memory) } }
    }

    /// The pixels.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.owner, Owner::Shared { .. })
    }

    /// Replaces the pixels of an area. The picture must not be shared.
    pub(super) fn write(&mut self, area: Area, bytes: &[u8]) -> Result<(), PixelsError> {
        Ok(Arc::make_mut(&mut self.picture).write(area, bytes)?)
    }
}
