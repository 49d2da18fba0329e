//! Finds what moves: compares each picture with a model of the background, pixel by pixel.

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

pub struct Detector {
    width: usize,
    /// The pixels in which motion counts.
    zone: Vec<bool>,
    /// The smallest difference in luma that counts.
    threshold: f32,
    /// The fewest pixels that count.
    min_pixels: usize,
    background: Vec<f32>,
    /// The mean difference of each pixel from the background.
    noise: Vec<f32>,
    last: Vec<u8>,
    /// For how long each pixel has not changed, in seconds.
    still: Vec<f32>,
    /// What differed in the last picture.
    before: Vec<Found>,
}

impl Detector {
    /// Starts with a picture, whose pixels are background.
    pub fn new(luma: Vec<u8>, width: usize, zone: Vec<bool>, threshold: f32, min_pixels: usize) -> Self {
        let background: Vec<f32> = luma.iter().map(|luma| f32::from(*luma)).collect();
        let (noise, still) = (vec![NOISE.0; luma.len()], vec![0.0; luma.len()]);
        Self { width, zone, threshold, min_pixels, background, noise, last: luma, still, before: Vec::new() }
    }

    /// Returns what moves in the next picture, which follows this many seconds later.
    pub fn look(&mut self, luma: Vec<u8>, seconds: f32) -> Vec<Found> {
        let gain = self.gain(&luma);
        let differences: Vec<f32> =
            luma.iter().zip(&self.background).map(|(luma, background)| f32::from(*luma) - gain * background).collect();
        let smooth = smooth(&differences, self.width);
        let limit = |index: usize| self.threshold.max(ABOVE_NOISE * self.noise[index]);
        let differs: Vec<bool> = (0..luma.len()).map(|index| smooth[index].abs() > limit(index)).collect();
        if differs.iter().filter(|differs| **differs).count() as f32 > MAX_SHARE * luma.len() as f32 {
            *self = Self::new(luma, self.width, self.zone.clone(), self.threshold, self.min_pixels);
            return Vec::new();
        }
        let inside: Vec<bool> = differs.iter().zip(&self.zone).map(|(differs, zone)| *differs && *zone).collect();
        let contrast = |index: usize| differences[index].abs() / limit(index);
        let now = self.groups(inside, contrast);
        self.learn(&luma, gain, &smooth, &differs, seconds);
        self.last = luma;
        // Noise that happens to form a group does not do so twice at the same place.
        let before = std::mem::replace(&mut self.before, now);
        self.before.iter().filter(|found| before.iter().any(|other| found.touches(other))).copied().collect()
    }

    /// How much brighter the light is than in the background: the median of all pixels that are not too dark to tell.
    fn gain(&self, luma: &[u8]) -> f32 {
        let pixels = luma.iter().zip(&self.background).filter(|(luma, background)| **luma > 15 && **background > 15.0);
        let mut ratios: Vec<f32> = pixels.map(|(luma, background)| f32::from(*luma) / background).collect();
        let middle = ratios.len() / 2;
        if ratios.is_empty() { 1.0 } else { *ratios.select_nth_unstable_by(middle, f32::total_cmp).1 }
    }

    /// Updates the model of the background.
    fn learn(&mut self, luma: &[u8], gain: f32, smooth: &[f32], differs: &[bool], seconds: f32) {
        let share = |time: f32| (seconds / time).min(1.0);
        for (index, luma) in luma.iter().enumerate() {
            let is_same = f32::from(luma.abs_diff(self.last[index])) < self.threshold / 2.0;
            self.still[index] = if is_same { self.still[index] + seconds } else { 0.0 };
            let background = &mut self.background[index];
            // The light of what is hidden changes as well.
            let lit = *background * (1.0 + share(FOLLOW) * (gain - 1.0));
            *background = match (differs[index], self.still[index] > STOPPED) {
                (false, _) => *background + share(FOLLOW) * (f32::from(*luma) - *background),
                (true, true) => lit + share(ABSORB) * (f32::from(*luma) - lit),
                (true, false) => lit + share(ABSORB_MOVING) * (f32::from(*luma) - lit),
            };
            if !differs[index] {
                let noise = &mut self.noise[index];
                *noise = (*noise + share(FOLLOW) * (smooth[index].abs() - *noise)).max(NOISE.1);
            }
        }
    }

    /// Groups neighbouring pixels.
    fn groups(&self, mut inside: Vec<bool>, contrast: impl Fn(usize) -> f32) -> Vec<Found> {
        let (width, height) = (self.width, inside.len() / self.width);
        let mut groups = Vec::new();
        let (mut waiting, mut next) = (Vec::new(), 0);
        while let Some(start) = inside[next..].iter().position(|inside| *inside) {
            next += start;
            waiting.push(next);
            inside[next] = false;
            let (mut pixels, mut sum) = (0, 0.0);
            let mut found = Found { left: width, top: height, right: 0, bottom: 0, score: 0.0 };
            while let Some(index) = waiting.pop() {
                let (x, y) = (index % width, index / width);
                pixels += 1;
                sum += contrast(index);
                // The edges are where the picture itself differs, not only the mean of neighbours.
                if contrast(index) > 1.0 {
                    (found.left, found.right) = (found.left.min(x), found.right.max(x + 1));
                    (found.top, found.bottom) = (found.top.min(y), found.bottom.max(y + 1));
                }
                // Across gaps of a pixel.
                for y in y.saturating_sub(2)..(y + 3).min(height) {
                    for x in x.saturating_sub(2)..(x + 3).min(width) {
                        if std::mem::take(&mut inside[y * width + x]) {
                            waiting.push(y * width + x);
                        }
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

/// The mean of each value and its neighbours.
fn smooth(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    let row = |y: usize, x: usize| {
        let at = y * width + x;
        values[at - usize::from(x > 0)] + values[at] + values[at + usize::from(x + 1 < width)]
    };
    let rows: Vec<f32> = (0..height).flat_map(|y| (0..width).map(move |x| row(y, x))).collect();
    let column = |(index, value): (usize, &f32)| {
        let (above, below) = (index.checked_sub(width), index + width);
        (value + above.map_or(*value, |at| rows[at]) + rows.get(below).unwrap_or(value)) / 9.0
    };
    rows.iter().enumerate().map(column).collect()
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
        let mut detector = Detector::new(picture(0, 1.0, None), WIDTH, vec![true; WIDTH * HEIGHT], 12.0, 4);
        for number in 1..40 {
            assert_eq!(detector.look(picture(number, 1.0, None), 0.1), [], "noise at {number}");
        }
        detector
    }

    #[test]
    fn what_moves_is_found_where_it_is() {
        let mut detector = detector();
        for number in 0..20 {
            let left = 5 + number;
            let found = detector.look(picture(100 + number as u32, 1.0, Some((left, 10))), 0.1);
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
            assert_eq!(detector.look(picture(200 + number, light, None), 0.1), [], "{light}");
        }
    }

    #[test]
    fn what_stops_becomes_background() {
        let mut detector = detector();
        let mut found = 0;
        for number in 0..150 {
            found = detector.look(picture(300 + number, 1.0, Some((10, 10))), 0.1).len();
        }
        assert_eq!(found, 0);
    }

    #[test]
    fn motion_counts_in_the_zone_only() {
        let mut detector = detector();
        detector.zone = (0..WIDTH * HEIGHT).map(|index| index % WIDTH >= WIDTH / 2).collect();
        for number in 0..10 {
            assert_eq!(detector.look(picture(400 + number as u32, 1.0, Some((number, 10))), 0.1), []);
        }
    }
}
