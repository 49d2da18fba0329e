//! Finds what moves in a series of pictures: compares each one with a model of the background, pixel by pixel.

/// How fast the model follows the background, in seconds.
const FOLLOW: f32 = 2.0;

/// When something counts as stopped, in seconds. A large object of one colour looks still for as long as it passes.
const STOPPED: f32 = 1.0;

/// How fast something that has stopped becomes background, in seconds.
const ABSORB: f32 = 3.0;

/// How fast something that moves becomes background, in seconds: for what only seems to move, such as a fountain.
const ABSORB_MOVING: f32 = 30.0;

/// If more of the picture differs, it is another scene or another light, and nothing is known about motion.
const MAX_SHARE: f32 = 0.7;

/// What can be heard above the noise: a difference of this many times its mean.
const ABOVE_NOISE: f32 = 4.0;

/// The mean difference of pixels at the start, before it is known. Also the least, because cameras round.
const NOISE: (f32, f32) = (2.0, 0.5);

/// A rectangle of pixels, from the first column and row to those after the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub left: usize,
    pub top: usize,
    pub right: usize,
    pub bottom: usize,
    /// How clearly it differs, from 0 to 1.
    pub score: f32,
}

impl Found {
    fn touches(&self, other: &Self) -> bool {
        let overlap = |start: usize, end: usize, from: usize, to: usize| start <= to + 1 && from <= end + 1;
        overlap(self.left, self.right, other.left, other.right)
            && overlap(self.top, self.bottom, other.top, other.bottom)
    }
}

/// What is known about a pixel.
struct Pixel {
    background: f32,
    /// Its mean difference from the background.
    noise: f32,
    last: u8,
    /// For how long it has not changed, in seconds.
    still: f32,
}

impl Pixel {
    /// Updates the model of the background. If the pixel is background, it has a mean `difference` from the model.
    fn learn(&mut self, luma: u8, gain: f32, difference: Option<f32>, threshold: f32, seconds: f32) {
        let share = |time: f32| (seconds / time).min(1.0);
        let is_same = f32::from(luma.abs_diff(self.last)) < threshold / 2.0;
        self.still = if is_same { self.still + seconds } else { 0.0 };
        self.last = luma;
        let towards = |from: f32, to: f32, time: f32| from + share(time) * (to - from);
        let luma = f32::from(luma);
        if let Some(difference) = difference {
            self.background = towards(self.background, luma, FOLLOW);
            self.noise = towards(self.noise, difference.abs(), FOLLOW).max(NOISE.1);
        } else {
            // The light of what is hidden changes as well.
            let lit = self.background * (1.0 + share(FOLLOW) * (gain - 1.0));
            self.background = towards(lit, luma, if self.still > STOPPED { ABSORB } else { ABSORB_MOVING });
        }
    }
}

/// A model of the background, and what moved last.
pub struct Detector {
    width: usize,
    /// The pixels in which motion counts.
    zone: Vec<bool>,
    /// The smallest difference in luma that counts.
    threshold: f32,
    /// The fewest pixels that count.
    min_pixels: usize,
    pixels: Vec<Pixel>,
    /// What differed in the last picture.
    before: Vec<Found>,
}

impl Detector {
    /// Starts with a picture, whose pixels are background: luma in rows of `width` pixels. Motion counts in the pixels
    /// of `zone`, from a difference in luma of `threshold` and in groups of `min_pixels`.
    pub fn new(luma: &[u8], width: usize, zone: Vec<bool>, threshold: f32, min_pixels: usize) -> Self {
        let pixel = |luma: &u8| Pixel { background: f32::from(*luma), noise: NOISE.0, last: *luma, still: 0.0 };
        Self { width, zone, threshold, min_pixels, pixels: luma.iter().map(pixel).collect(), before: Vec::new() }
    }

    /// Returns what moves in the next picture, which has the same size and follows this many seconds later.
    pub fn look(&mut self, luma: &[u8], seconds: f32) -> Vec<Found> {
        let gain = self.gain(luma);
        let difference = |(pixel, luma): (&Pixel, &u8)| f32::from(*luma) - gain * pixel.background;
        let differences: Vec<f32> = self.pixels.iter().zip(luma).map(difference).collect();
        let means = means(&differences, self.width);
        let mut differing = 0;
        // The contrast of each pixel that differs in the zone.
        let mut contrasts = Vec::with_capacity(luma.len());
        let pixels = self.pixels.iter_mut().zip(luma).zip(&self.zone);
        for (((pixel, luma), in_zone), (difference, mean)) in pixels.zip(differences.iter().zip(means)) {
            let limit = self.threshold.max(ABOVE_NOISE * pixel.noise);
            let differs = mean.abs() > limit;
            differing += usize::from(differs);
            contrasts.push((differs && *in_zone).then(|| difference.abs() / limit));
            pixel.learn(*luma, gain, (!differs).then_some(mean), self.threshold, seconds);
        }
        if differing as f32 > MAX_SHARE * luma.len() as f32 {
            let zone = std::mem::take(&mut self.zone);
            *self = Self::new(luma, self.width, zone, self.threshold, self.min_pixels);
            return Vec::new();
        }
        let now = self.groups(contrasts);
        // Noise that happens to form a group does not do so twice at the same place.
        let before = std::mem::replace(&mut self.before, now);
        self.before.iter().filter(|found| before.iter().any(|other| found.touches(other))).copied().collect()
    }

    /// How much brighter the light is than in the background: the median of all pixels that are not too dark to tell.
    fn gain(&self, luma: &[u8]) -> f32 {
        let pixels = self.pixels.iter().zip(luma).filter(|(pixel, luma)| **luma > 15 && pixel.background > 15.0);
        // Positive numbers are in the order of their bits, which are faster to compare.
        let mut ratios = Vec::with_capacity(luma.len());
        ratios.extend(pixels.map(|(pixel, luma)| (f32::from(*luma) / pixel.background).to_bits()));
        let middle = ratios.len() / 2;
        if ratios.is_empty() { 1.0 } else { f32::from_bits(*ratios.select_nth_unstable(middle).1) }
    }

    /// Groups neighbouring pixels, of those that have a contrast.
    fn groups(&self, mut contrasts: Vec<Option<f32>>) -> Vec<Found> {
        let (width, height) = (self.width, contrasts.len() / self.width);
        let mut groups = Vec::new();
        let mut waiting = Vec::new();
        for start in 0..contrasts.len() {
            let Some(contrast) = contrasts[start].take() else { continue };
            waiting.push((start, contrast));
            let (mut pixels, mut sum) = (0, 0.0);
            let mut found = Found { left: width, top: height, right: 0, bottom: 0, score: 0.0 };
            while let Some((index, contrast)) = waiting.pop() {
                let (x, y) = (index % width, index / width);
                pixels += 1;
                sum += contrast;
                // The edges are where the picture itself differs, not only the mean of neighbours.
                if contrast > 1.0 {
                    (found.left, found.right) = (found.left.min(x), found.right.max(x + 1));
                    (found.top, found.bottom) = (found.top.min(y), found.bottom.max(y + 1));
                }
                // Across gaps of a pixel.
                for y in y.saturating_sub(2)..(y + 3).min(height) {
                    for x in x.saturating_sub(2)..(x + 3).min(width) {
                        let index = y * width + x;
                        waiting.extend(contrasts[index].take().map(|contrast| (index, contrast)));
                    }
                }
            }
            found.score = 1.0 - 0.5 / (sum / pixels as f32).max(0.5);
            if pixels >= self.min_pixels && found.left < found.right {
                groups.push(found);
            }
        }
        groups
    }
}

/// The mean of each value and its eight neighbours, in rows of this width. Values at an edge count again beyond it.
fn means(values: &[f32], width: usize) -> Vec<f32> {
    let last = width - 1;
    let mut sums = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        sums.push(row[0] + row[0] + row[last.min(1)]);
        sums.extend(row.windows(3).map(|three| three[0] + three[1] + three[2]));
        if last > 0 {
            sums.push(row[last - 1] + row[last] + row[last]);
        }
    }
    let rows: Vec<&[f32]> = sums.chunks_exact(width).collect();
    let mut means = Vec::with_capacity(values.len());
    for (y, row) in rows.iter().enumerate() {
        let (above, below) = (rows[y.saturating_sub(1)], rows[(y + 1).min(rows.len() - 1)]);
        means.extend(row.iter().zip(above).zip(below).map(|((sum, above), below)| (sum + above + below) / 9.0));
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 40;
    const HEIGHT: usize = 30;

    /// A picture with noise, in this light. What is in the square of 6x6 pixels at `object` is darker.
    fn picture(number: u32, light: f32, object: Option<(usize, usize)>) -> Vec<u8> {
        let mut random = 0x9E37_79B9_u32.wrapping_mul(number + 1);
        let mut pixel = |x: usize, y: usize| {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let is_object =
                object.is_some_and(|(left, top)| (left..left + 6).contains(&x) && (top..top + 6).contains(&y));
            let luma = if is_object { 40.0 } else { 90.0 + 2.0 * x as f32 };
            (light * luma) as u8 + (random % 7) as u8
        };
        (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
    }

    fn detector() -> Detector {
        let mut detector = Detector::new(&picture(0, 1.0, None), WIDTH, vec![true; WIDTH * HEIGHT], 12.0, 4);
        for number in 1..40 {
            assert_eq!(detector.look(&picture(number, 1.0, None), 0.1), [], "noise at {number}");
        }
        detector
    }

    #[test]
    fn means_include_the_neighbours() {
        let middle = [0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(means(&middle, 3), [1.0; 9]);
        let corner = [9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(means(&corner, 3), [4.0, 2.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        for width in [1, 2, 4] {
            assert_eq!(means(&[5.0; 4], width), [5.0; 4]);
        }
    }

    #[test]
    fn what_moves_is_found_where_it_is() {
        let mut detector = detector();
        for number in 0..20 {
            let left = 5 + number;
            let found = detector.look(&picture(100 + number as u32, 1.0, Some((left, 10))), 0.1);
            if number > 0 {
                let [found] = found[..] else { panic!("{found:?}") };
                // What is slow and has one colour leaves a trace.
                assert!(found.left.abs_diff(left) <= 2 && found.right.abs_diff(left + 6) <= 1, "{left}: {found:?}");
                assert!(found.top.abs_diff(10) <= 1 && found.bottom.abs_diff(16) <= 1, "{found:?}");
                assert!((0.5..=1.0).contains(&found.score));
            }
        }
    }

    #[test]
    fn a_change_of_light_is_no_motion() {
        let mut detector = detector();
        for (number, light) in (0..).zip([1.3, 1.3, 0.6, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]) {
            assert_eq!(detector.look(&picture(200 + number, light, None), 0.1), [], "{light}");
        }
    }

    #[test]
    fn what_stops_becomes_background() {
        let mut detector = detector();
        let mut found = 0;
        for number in 0..150 {
            found = detector.look(&picture(300 + number, 1.0, Some((10, 10))), 0.1).len();
        }
        assert_eq!(found, 0);
    }

    #[test]
    fn motion_counts_in_the_zone_only() {
        let mut detector = detector();
        detector.zone = (0..WIDTH * HEIGHT).map(|index| index % WIDTH >= WIDTH / 2).collect();
        for number in 0..10 {
            assert_eq!(detector.look(&picture(400 + number as u32, 1.0, Some((number, 10))), 0.1), []);
        }
    }
}
