//! Decides which images of a camera get their entropy-coded data checked.
//!
//! For large images, checking the data costs more than everything else that happens to a frame. Damage comes in series,
//! usually from a bad cable or an overloaded bus, and a camera without damage will very likely stay that way. So every
//! image is checked until many in a row were good, and then only one in [`SAMPLE_INTERVAL`]. The structure of every image
//! is checked in any case, and damage that it reveals ends sampling, too.

use tracing::warn;

use super::jpeg::JpegError;

/// The number of good images in a row after which sampling starts, for a camera without any damage so far: about a
/// second, since the data of large images cost as much as everything else that one viewer costs.
const GOOD_BEFORE_SAMPLING: u32 = 32;

/// The same after damage: about three seconds.
const GOOD_AFTER_DAMAGE: u32 = 100;

/// While sampling, one image out of this many is checked: about one per second.
const SAMPLE_INTERVAL: u32 = 32;

/// Checking stops permanently after `BAD_BEFORE_GIVING_UP` damaged images if fewer than one good image was found for
/// every `BAD_PER_GOOD` damaged ones. Such a camera violates the standard instead of losing data, so viewers' decoders
/// must cope with its images.
const BAD_BEFORE_GIVING_UP: u32 = 30;
const BAD_PER_GOOD: u32 = 10;

/// Decides which images to check. Outlasts an opening of the camera, because a camera whose images are all rejected
/// stalls and is reopened.
#[derive(Debug, Default)]
pub(crate) struct FrameSampling {
    /// Images since the last damage, checked or not.
    good_in_a_row: u32,
    /// All images that were checked and good.
    good: u32,
    /// All images that were checked and damaged.
    bad: u32,
    /// Whether an image was damaged, or there was no image, at any time.
    has_damage: bool,
    has_given_up: bool,
}

impl FrameSampling {
    /// Runs `check` on the next image, or accepts the image without.
    pub(crate) fn apply(&mut self, check: impl FnOnce() -> Result<(), JpegError>) -> Result<(), JpegError> {
        let good_before_sampling = if self.has_damage { GOOD_AFTER_DAMAGE } else { GOOD_BEFORE_SAMPLING };
        let is_sampling = self.good_in_a_row >= good_before_sampling;
        if self.has_given_up || (is_sampling && !self.good_in_a_row.is_multiple_of(SAMPLE_INTERVAL)) {
            self.good_in_a_row = self.good_in_a_row.wrapping_add(1).max(good_before_sampling);
            return Ok(());
        }
        match check() {
            Ok(()) => {
                self.good = self.good.saturating_add(1);
                self.good_in_a_row = self.good_in_a_row.wrapping_add(1);
                Ok(())
            }
            Err(error) => {
                self.note_damage();
                self.bad = self.bad.saturating_add(1);
                if self.bad >= BAD_BEFORE_GIVING_UP && self.good < self.bad / BAD_PER_GOOD {
                    self.has_given_up = true;
                    warn!("nearly all images from this camera look damaged ({error}); forwarding them unchecked");
                }
                Err(error)
            }
        }
    }

    /// Ends sampling until enough images in a row are good again. Called when a buffer held no image at all.
    pub(crate) fn note_damage(&mut self) {
        self.good_in_a_row = 0;
        self.has_damage = true;
    }

    /// Ends sampling until enough images in a row are good. Called when the camera is opened: it may have come back with
    /// a bad cable.
    pub(crate) fn note_opening(&mut self) {
        self.good_in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies `sampling` to `count` images with this result. Returns how many were checked.
    fn checked(sampling: &mut FrameSampling, count: u32, result: Result<(), JpegError>) -> u32 {
        let mut checked = 0;
        for _ in 0..count {
            let _ = sampling.apply(|| {
                checked += 1;
                result
            });
        }
        checked
    }

    #[test]
    fn a_good_camera_is_only_sampled() {
        let mut sampling = FrameSampling::default();
        assert_eq!(checked(&mut sampling, GOOD_BEFORE_SAMPLING, Ok(())), GOOD_BEFORE_SAMPLING);
        let sampled = checked(&mut sampling, 10 * SAMPLE_INTERVAL, Ok(()));
        assert!((9..=11).contains(&sampled), "{sampled}");
        sampling.note_opening();
        assert_eq!(checked(&mut sampling, GOOD_BEFORE_SAMPLING, Ok(())), GOOD_BEFORE_SAMPLING);
    }

    #[test]
    fn any_damage_ends_sampling() {
        let mut sampling = FrameSampling::default();
        checked(&mut sampling, 1000, Ok(()));
        sampling.note_damage();
        assert_eq!(checked(&mut sampling, GOOD_AFTER_DAMAGE, Ok(())), GOOD_AFTER_DAMAGE);
        checked(&mut sampling, 1000, Ok(()));
        let mut damaged = 0;
        while damaged == 0 {
            damaged = checked(&mut sampling, 1, Err(JpegError::InvalidData));
        }
        assert_eq!(checked(&mut sampling, GOOD_AFTER_DAMAGE, Ok(())), GOOD_AFTER_DAMAGE);
        sampling.note_opening();
        assert_eq!(checked(&mut sampling, GOOD_AFTER_DAMAGE, Ok(())), GOOD_AFTER_DAMAGE, "damage is remembered");
    }

    #[test]
    fn a_camera_whose_images_all_look_damaged_is_served_anyway() {
        let mut sampling = FrameSampling::default();
        assert_eq!(checked(&mut sampling, 1000, Err(JpegError::ExcessData)), BAD_BEFORE_GIVING_UP);
        assert!(sampling.apply(|| Err(JpegError::ExcessData)).is_ok());
        // A camera with a third of good images is still checked.
        let mut sampling = FrameSampling::default();
        for _ in 0..1000 {
            assert_eq!(checked(&mut sampling, 1, Ok(())), 1);
            assert_eq!(checked(&mut sampling, 2, Err(JpegError::InvalidData)), 2);
        }
    }
}
