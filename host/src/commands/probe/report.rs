//! The text of the report.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::reading::Outcome;
use crate::camera::history::{CAPACITY, FrameRecord};
use crate::camera::{Camera, FrameCounts, StreamMode};

/// What a probe found out. Displays as the lines that people paste into bug reports.
pub(super) struct Report<'a> {
    description: String,
    mode: Option<StreamMode>,
    counts: FrameCounts,
    /// Of the frames that were delivered.
    records: Vec<FrameRecord>,
    outcome: &'a Outcome,
    saved_as: Option<&'a Path>,
}

impl<'a> Report<'a> {
    /// Collects the facts after the camera was read. `saved_as` is the file with the picture.
    pub(super) fn new(camera: &Camera, outcome: &'a Outcome, saved_as: Option<&'a Path>) -> Self {
        Self {
            description: camera.description(),
            mode: camera.status().mode,
            counts: camera.counts(),
            records: camera.history(0, CAPACITY),
            outcome,
            saved_as,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let (version, architecture) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        writeln!(f, "program    hotshoe {version}, Linux {} {architecture}", kernel.trim())?;
        writeln!(f, "camera     {}", self.description)?;
        match self.mode {
            Some(mode @ StreamMode { quality: Some(quality), .. }) => {
                writeln!(f, "mode       {mode}, encoded with quality {quality}")?;
            }
            Some(mode) => writeln!(f, "mode       {mode}")?,
            None => writeln!(f, "mode       unknown")?,
        }
        if let Some(opening) = self.outcome.first_picture_after {
            writeln!(f, "opening    first picture after {:.2} s", opening.as_secs_f64())?;
        }
        let intervals = intervals(&self.records);
        let span: Duration = intervals.iter().sum();
        write!(f, "frames     {}", self.counts.frames)?;
        if !span.is_zero() {
            let rate = intervals.len() as f64 / span.as_secs_f64();
            write!(f, " in {:.1} s, {rate:.2} fps", span.as_secs_f64())?;
        }
        writeln!(f)?;
        match self.counts.lost {
            lost if lost.total() == 0 => writeln!(f, "lost       0")?,
            lost => writeln!(f, "lost       {lost}")?,
        }
        let lengths = self.records.iter().map(|record| f64::from(record.length) / 1000.0);
        if let Some(lengths) = Spread::of(lengths) {
            writeln!(f, "sizes      {lengths} kB")?;
        }
        if let Some(intervals) = Spread::of(intervals.iter().map(|interval| interval.as_secs_f64() * 1000.0)) {
            writeln!(f, "intervals  {intervals} ms, standard deviation {:.1} ms", intervals.deviation)?;
        }
        for outage in &self.outcome.outages {
            writeln!(f, "outage     {outage}")?;
        }
        if let (Some(path), Some(frame)) = (self.saved_as, &self.outcome.newest) {
            let (dimensions, length) = (frame.image.dimensions, frame.image.bytes.len());
            writeln!(f, "picture    {}, {dimensions}, {length} bytes", path.display())?;
        }
        Ok(())
    }
}

/// The times between each frame and the next, by the times of capture. Those are not in order if a driver's clock is
/// broken; then the interval is 0.
fn intervals(records: &[FrameRecord]) -> Vec<Duration> {
    let later = records.iter().skip(1);
    let times = records.iter().zip(later).map(|(one, next)| (one.timestamp.monotonic, next.timestamp.monotonic));
    times.map(|(one, next)| next.saturating_sub(one)).collect()
}

/// The range of several values.
struct Spread {
    mean: f64,
    minimum: f64,
    maximum: f64,
    /// The standard deviation.
    deviation: f64,
}

impl Spread {
    /// Returns `None` without values.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let count = values.clone().count();
        if count == 0 {
            return None;
        }
        let average = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / count as f64;
        let mean = average(&mut values.clone());
        let variance = average(&mut values.clone().map(|value| (value - mean).powi(2)));
        let minimum = values.clone().fold(f64::INFINITY, f64::min);
        let maximum = values.fold(f64::NEG_INFINITY, f64::max);
        Some(Self { mean, minimum, maximum, deviation: variance.sqrt() })
    }
}

/// Formats as `33.3 (31.0 to 35.2)`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1} to {:.1})", self.mean, self.minimum, self.maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_have_mean_range_and_deviation() {
        let spread = Spread::of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter()).unwrap();
        assert_eq!(spread.to_string(), "5.0 (2.0 to 9.0)");
        assert!((spread.deviation - 2.0).abs() < 1e-9, "{}", spread.deviation);
        assert!(Spread::of([].into_iter()).is_none());
    }
}
