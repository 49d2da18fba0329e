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
            let is_fraction = |value| (0.0..=1.0).contains(&value);
            (is_fraction(x) && is_fraction(y)).then_some((x, y))
        };
        let corners: Option<Vec<_>> = text.split('_').map(corner).collect();
        match corners {
            Some(corners) if corners.len() >= 3 => Self(corners),
            _ => panic!(
                "`{text}` is no area: use at least three corners, as fractions from 0 to 1, for example 0x0_0.5x0_0.5x0.5"
            ),
        }
    }

    /// The corners, as fractions of the width and the height.
    pub fn corners(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// The pixels of a row that the polygon covers, even in part, in a picture of this size: pairs of the first one and
    /// the one after the last. One pixel more on each side hides what the encoder spreads over an edge. What the polygon
    /// surrounds several times is inside as well.
    pub fn spans(&self, row: u32, width: u32, height: u32) -> Vec<(u32, u32)> {
        let (width, height) = (f64::from(width), f64::from(height));
        let (top, bottom) = ((f64::from(row) - 1.0) / height, (f64::from(row) + 2.0) / height);
        let edges: Vec<_> = self.0.iter().zip(self.0.iter().cycle().skip(1)).collect();
        let mut spans: Vec<(f64, f64)> = Vec::new();
        // The parts of the edges within the row.
        for (from, to) in &edges {
            let (upper, lower) = if from.1 <= to.1 { (from, to) } else { (to, from) };
            if lower.1 <= top || upper.1 >= bottom {
                continue;
            }
            let at = |y: f64| match lower.1 - upper.1 {
                0.0 => [upper.0, lower.0],
                height => [upper.0 + (y - upper.1) / height * (lower.0 - upper.0); 2],
            };
            let ends = [at(upper.1.max(top)), at(lower.1.min(bottom))].concat();
            let ends = ends.iter().fold((f64::MAX, f64::MIN), |(left, right), x| (left.min(*x), right.max(*x)));
            spans.push(ends);
        }
        // What the edges surround, in the middle of the row.
        let y = (f64::from(row) + 0.5) / height;
        let mut crossings: Vec<(f64, i32)> = edges
            .iter()
            .filter(|(from, to)| (from.1 <= y) != (to.1 <= y))
            .map(|(from, to)| {
                let x = from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0);
                (x, if from.1 < to.1 { 1 } else { -1 })
            })
            .collect();
        crossings.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut winding = 0;
        for pair in crossings.windows(2) {
            winding += pair[0].1;
            if winding != 0 {
                spans.push((pair[0].0, pair[1].0));
            }
        }
        let pixels = |(left, right): (f64, f64)| {
            let (left, right) = ((left * width).floor() - 1.0, (right * width).ceil() + 1.0);
            (left.clamp(0.0, width) as u32, right.clamp(0.0, width) as u32)
        };
        spans.into_iter().map(pixels).filter(|(left, right)| left < right).collect()
    }
}

/// Whether each pixel of a picture of this size is covered by one of the polygons, row by row.
pub fn covered(polygons: &[Polygon], width: u32, height: u32) -> Vec<bool> {
    let mut covered = vec![false; (width * height) as usize];
    for (row, pixels) in (0..height).zip(covered.chunks_mut(width as usize)) {
        for (left, right) in polygons.iter().flat_map(|polygon| polygon.spans(row, width, height)) {
            pixels[left as usize..right as usize].fill(true);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: u32 = 20;
    const HEIGHT: u32 = 10;

    /// The picture as text, with `#` for what is hidden.
    fn hidden(areas: &str) -> Vec<String> {
        let covered = covered(&Polygon::parse_all(areas), WIDTH, HEIGHT);
        let row = |pixels: &[bool]| pixels.iter().map(|is_hidden| if *is_hidden { '#' } else { '.' }).collect();
        covered.chunks(WIDTH as usize).map(row).collect()
    }

    #[test]
    fn an_area_is_hidden_with_a_margin_of_a_pixel() {
        let picture = hidden("0.5x0.5_0.7x0.5_0.7x0.7_0.5x0.7");
        assert_eq!(picture[3], "....................");
        for row in &picture[4..8] {
            assert_eq!(row, ".........######.....");
        }
        assert_eq!(picture[8], "....................");
        assert!(hidden("0x0_1x0_1x1_0x1").iter().all(|row| !row.contains('.')));
    }

    #[test]
    fn thin_areas_and_those_without_extent_are_hidden_too() {
        // Between the middles of two rows.
        assert!(hidden("0x0.51_1x0.51_1x0.54_0x0.54")[5].chars().all(|pixel| pixel == '#'));
        let line = hidden("0.2x0.3_0.8x0.3_0.2x0.3");
        assert!(line[3].starts_with("...##############"), "{line:?}");
        let dot = hidden("0.5x0.5_0.5x0.5_0.5x0.5");
        assert!(dot[5].contains('#'), "{dot:?}");
    }

    #[test]
    fn what_a_polygon_surrounds_twice_is_hidden() {
        // A pentagram, whose middle is surrounded twice.
        let picture = hidden("0.5x0_0.8x1_0x0.4_1x0.4_0.2x1");
        assert_eq!(picture[5].chars().nth(10), Some('#'), "{picture:?}");
    }

    #[test]
    fn a_concave_polygon_has_several_spans() {
        let v = &Polygon::parse_all("0x0_0.2x0_0.5x0.9_0.8x0_1x0_0.5x1")[0];
        let covered = |x: u32| v.spans(0, 100, 100).iter().any(|(left, right)| (*left..*right).contains(&x));
        assert!(covered(10) && !covered(50) && covered(90));
    }

    #[test]
    fn corners_outside_of_the_picture_are_refused() {
        for areas in ["20x10_50x10_50x60", "-0.1x0_1x0_1x1", "0x0_1x0_1xNaN", "0x0_1x0", "", "0x0_1x0_infx1"] {
            assert!(std::panic::catch_unwind(|| Polygon::parse_all(areas)).is_err(), "{areas}");
        }
    }

    #[test]
    #[should_panic = "`0x0_1x1` is no area"]
    fn two_corners_are_no_area() {
        Polygon::parse_all("0x0_1x0_1x1+0x0_1x1");
    }
}
