//! How closely to look at a camera's images.
//!
//! Wrong bytes in the middle of an image are found by walking all of its data, which for a camera with large images
//! costs more than all else that is done with a frame. Where one frame was damaged more follow, mostly for a bad cable
//! or a full bus; a camera that was always good will very likely stay so. So every image is walked until many in a row
//! were good, and then one now and then.

use tracing::warn;

use crate::jpeg::JpegError;

/// After this many good images in a row, a camera is trusted: about three seconds.
const GOOD_TO_BE_TRUSTED: u32 = 100;

/// Of a trusted camera, one image of this many is walked.
const SAMPLE: u32 = 16;

/// If after this many damaged images fewer than one in ten was good, then it is no damage: this is how the camera makes
/// them, against the standard, and viewers' decoders have to see for themselves.
const BAD_TO_GIVE_UP: u32 = 30;
const GOOD_TO_GO_ON: u32 = 10;

/// What is thought of a camera. It outlasts an opening: a camera whose every image is refused stalls.
#[derive(Debug, Default)]
pub(super) struct Scrutiny {
    /// Images since the last damage that were walked or let pass.
    good_in_a_row: u32,
    /// Images that were walked and found good, in all.
    good: u32,
    /// Images that were walked and found damaged, in all.
    bad: u32,
    given_up: bool,
}

impl Scrutiny {
    /// Walk the next image by `walk`, if it is to be.
    pub(super) fn apply(&mut self, walk: impl FnOnce() -> Result<(), JpegError>) -> Result<(), JpegError> {
        let is_trusted = self.good_in_a_row >= GOOD_TO_BE_TRUSTED;
        if self.given_up || (is_trusted && !self.good_in_a_row.is_multiple_of(SAMPLE)) {
            self.good_in_a_row = self.good_in_a_row.wrapping_add(1).max(GOOD_TO_BE_TRUSTED);
            return Ok(());
        }
        match walk() {
            Ok(()) => {
                self.good = self.good.saturating_add(1);
                self.good_in_a_row = self.good_in_a_row.wrapping_add(1);
                Ok(())
            }
            Err(damage) => {
                self.good_in_a_row = 0;
                self.bad = self.bad.saturating_add(1);
                if self.bad >= BAD_TO_GIVE_UP && self.good < self.bad / GOOD_TO_GO_ON {
                    self.given_up = true;
                    warn!("nearly all images of this camera look damaged ({damage}); they are passed on as they are");
                }
                Err(damage)
            }
        }
    }

    /// A buffer held no image at all: what comes after it is looked at closely.
    pub(super) fn note_damage(&mut self) {
        self.good_in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `count` images are walked, each with this result.
    fn walked(scrutiny: &mut Scrutiny, count: u32, result: Result<(), JpegError>) -> u32 {
        let mut walked = 0;
        for _ in 0..count {
            let _ = scrutiny.apply(|| {
                walked += 1;
                result
            });
        }
        walked
    }

    #[test]
    fn a_good_camera_is_trusted_and_sampled() {
        let mut scrutiny = Scrutiny::default();
        assert_eq!(walked(&mut scrutiny, GOOD_TO_BE_TRUSTED, Ok(())), GOOD_TO_BE_TRUSTED);
        let sampled = walked(&mut scrutiny, 10 * SAMPLE, Ok(()));
        assert!((9..=11).contains(&sampled), "{sampled}");
    }

    #[test]
    fn trust_is_lost_by_one_damaged_image_of_any_kind() {
        let mut scrutiny = Scrutiny::default();
        walked(&mut scrutiny, 1000, Ok(()));
        scrutiny.note_damage();
        assert_eq!(walked(&mut scrutiny, 50, Ok(())), 50);
        walked(&mut scrutiny, 1000, Ok(()));
        let mut damaged = 0;
        while damaged == 0 {
            damaged = walked(&mut scrutiny, 1, Err(JpegError::InvalidData));
        }
        assert_eq!(walked(&mut scrutiny, 50, Ok(())), 50);
    }

    #[test]
    fn a_camera_whose_every_image_is_odd_is_served_all_the_same() {
        let mut scrutiny = Scrutiny::default();
        assert_eq!(walked(&mut scrutiny, 1000, Err(JpegError::ExcessData)), BAD_TO_GIVE_UP);
        assert!(scrutiny.apply(|| Err(JpegError::ExcessData)).is_ok());
        // But not one of which every third is good.
        let mut scrutiny = Scrutiny::default();
        for _ in 0..1000 {
            assert_eq!(walked(&mut scrutiny, 1, Ok(())), 1);
            assert_eq!(walked(&mut scrutiny, 2, Err(JpegError::InvalidData)), 2);
        }
    }
}
