//! Zones: the parts of a picture in which components look for something. They are for people and change no results.

use super::findings::{FindingsError, check_name};

/// The most zones of a camera. A picture with more shows nothing else anymore.
pub const MAX_ZONES: usize = 16;

/// The most corners of a zone. Enough for a driveway with curves.
pub const MAX_CORNERS: usize = 32;

/// The fewest corners that enclose something.
const MIN_CORNERS: usize = 3;

/// The horizontal and the vertical position of a corner, from 0 at the left or top edge of the picture to 1.
pub type Corner = (f64, f64);

/// A polygon in which a component looks for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// The label of the boxes that it looks for.
    pub label: String,
    /// The corners in order, from 3 to [`MAX_CORNERS`].
    pub corners: Vec<Corner>,
}

/// Checks the zones of one label.
///
/// # Errors
///
/// Fails if the label or a corner is invalid, or if there are too many zones or corners.
pub fn check(label: &str, zones: &[Vec<Corner>]) -> Result<(), FindingsError> {
    check_name(label)?;
    if zones.len() > MAX_ZONES {
        return Err(FindingsError::TooManyZones(MAX_ZONES));
    }
    if zones.iter().any(|corners| corners.len() > MAX_CORNERS) {
        return Err(FindingsError::TooManyCorners(MAX_CORNERS));
    }
    let is_inside = |(x, y): &Corner| [x, y].into_iter().all(|value| (0.0..=1.0).contains(value));
    let is_valid = |corners: &Vec<Corner>| corners.len() >= MIN_CORNERS && corners.iter().all(is_inside);
    if zones.iter().all(is_valid) { Ok(()) } else { Err(FindingsError::InvalidZone) }
}

/// Replaces the zones with this label, which were [checked](check).
///
/// # Errors
///
/// Fails if the camera would have more than [`MAX_ZONES`], and changes nothing then.
pub(super) fn replace(all: &mut Vec<Zone>, label: &str, zones: Vec<Vec<Corner>>) -> Result<(), FindingsError> {
    let others = all.iter().filter(|zone| zone.label != label).count();
    if others + zones.len() > MAX_ZONES {
        return Err(FindingsError::TooManyZones(MAX_ZONES));
    }
    all.retain(|zone| zone.label != label);
    all.extend(zones.into_iter().map(|corners| Zone { label: label.to_owned(), corners }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIANGLE: [Corner; 3] = [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)];

    #[test]
    fn zones_that_enclose_nothing_or_leave_the_picture_are_refused() {
        let check = |corners: &[Corner]| check("motion", &[corners.to_vec()]);
        assert_eq!(check(&TRIANGLE), Ok(()));
        assert_eq!(check(&TRIANGLE[..2]), Err(FindingsError::InvalidZone));
        for outside in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(
                check(&[TRIANGLE[0], TRIANGLE[1], (outside, 0.5)]),
                Err(FindingsError::InvalidZone),
                "{outside}"
            );
        }
        assert_eq!(check(&[(0.5, 0.5); MAX_CORNERS + 1]), Err(FindingsError::TooManyCorners(MAX_CORNERS)));
        assert_eq!(super::check("", &[]), Err(FindingsError::InvalidName));
        assert_eq!(
            super::check("motion", &vec![TRIANGLE.to_vec(); MAX_ZONES + 1]),
            Err(FindingsError::TooManyZones(MAX_ZONES))
        );
    }

    #[test]
    fn zones_of_a_label_replace_each_other_within_the_limit_of_the_camera() {
        let mut all = Vec::new();
        let triangles = |count| vec![TRIANGLE.to_vec(); count];
        let count = |all: &[Zone], label: &str| all.iter().filter(|zone| zone.label == label).count();
        replace(&mut all, "motion", triangles(10)).unwrap();
        replace(&mut all, "face", triangles(6)).unwrap();
        assert_eq!(replace(&mut all, "face", triangles(7)), Err(FindingsError::TooManyZones(MAX_ZONES)));
        assert_eq!((count(&all, "motion"), count(&all, "face")), (10, 6));
        replace(&mut all, "motion", triangles(1)).unwrap();
        replace(&mut all, "face", vec![]).unwrap();
        assert_eq!((count(&all, "motion"), count(&all, "face")), (1, 0));
    }
}
