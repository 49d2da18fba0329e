//! What is known about the images of each driver of a camera.

use std::sync::{Arc, Mutex, PoisonError};

use crate::camera::image_input::{InputOptions, InputState};

/// The most drivers to remember: the one that runs, the one before, and a candidate.
const MAX_DRIVERS: usize = 3;

/// What is known about the images of the latest drivers of a camera: a driver whose images were all damaged must not
/// decide how those of another one are checked. Outlasts openings.
pub(super) struct Inputs {
    options: InputOptions,
    /// By the digest of the driver, the latest one last.
    drivers: Mutex<Vec<(Arc<str>, InputState)>>,
}

impl Inputs {
    pub(super) fn new(options: InputOptions) -> Self {
        Self { options, drivers: Mutex::default() }
    }

    /// The state of the driver with this digest.
    pub(super) fn of(&self, digest: &Arc<str>) -> InputState {
        // No code that holds the lock can leave the list inconsistent.
        let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = drivers.iter().position(|(known, _)| known == digest).map(|index| drivers.remove(index));
        if drivers.len() == MAX_DRIVERS {
            drivers.remove(0);
        }
        let (digest, state) = known.unwrap_or_else(|| (digest.clone(), InputState::new(self.options)));
        drivers.push((digest, state.clone()));
        state
    }
}
