//! Parts of a picture that the operator chooses: polygons.

/// A polygon, whose corners are fractions of the width and height of a picture, from its upper left corner.
pub struct Polygon(Vec<(f64, f64)>);

impl Polygon {
    /// Reads polygons that are separated by `+`. Their corners are separated by `_`: `0.2x0.1_0.5x0.1_0.5x0.6`.
    ///
    /// # Panics
    ///
    /// Panics if this is something else, so that the mistake is in the log.
    pub fn parse_all(text: &str) -> Vec<Self> {
        text.split('+').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let corner = |text: &str| {
            let (x, y) = text.split_once('x')?;
            let (x, y): (f64, f64) = (x.parse().ok()?, y.parse().ok()?);
            (x.is_finite() && y.is_finite()).then_some((x, y))
        };
        let corners: Option<Vec<_>> = text.split('_').map(corner).collect();
        match corners {
            Some(corners) if corners.len() >= 3 => Self(corners),
            _ => panic!("`{text}` is no area: use at least three corners, for example 0x0_0.5x0_0.5x0.5"),
        }
    }

    /// The pixels of a row that are inside, rounded outwards, in a picture of this size: pairs of the first one and the
    /// one after the last.
    pub fn spans(&self, row: u32, width: u32, height: u32) -> Vec<(u32, u32)> {
        let y = (f64::from(row) + 0.5) / f64::from(height);
        let width = f64::from(width);
        let edges = self.0.iter().zip(self.0.iter().cycle().skip(1));
        let mut crossings: Vec<f64> = edges
            .filter(|(from, to)| (from.1 <= y) != (to.1 <= y))
            .map(|(from, to)| (from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0)) * width)
            .collect();
        crossings.sort_by(f64::total_cmp);
        let inside = |pair: &[f64]| {
            let (left, right) = ((pair[0] - 1.0).clamp(0.0, width), (pair[1] + 1.0).ceil().clamp(0.0, width));
            (left as u32, right as u32)
        };
        crossings.chunks_exact(2).map(inside).filter(|(left, right)| left < right).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_what_is_inside() {
        let half = &Polygon::parse_all("0x0_0.5x0_0.5x1_0x1")[0];
        assert_eq!(half.spans(0, 100, 10), [(0, 51)]);
        // A V has two arms.
        let v = &Polygon::parse_all("0x0_0.2x0_0.5x0.9_0.8x0_1x0_0.5x1")[0];
        assert_eq!(v.spans(0, 100, 10).len(), 2);
        let beyond = &Polygon::parse_all("-1x-1_2x-1_2x0.5_-1x0.5")[0];
        assert_eq!((beyond.spans(0, 100, 10), beyond.spans(9, 100, 10)), (vec![(0, 100)], vec![]));
    }

    #[test]
    #[should_panic = "`0x0_1x1` is no area"]
    fn two_corners_are_no_area() {
        Polygon::parse_all("0x0_1x0_1x1+0x0_1x1");
    }
}
