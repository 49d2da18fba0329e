//! Limits the rate of a source and turns its pictures, for sources that can do neither by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::controls::{Control, ControlError};
use super::error::SourceError;
use super::frame::monotonic_now;
use super::orientation::Orientation;
use super::rate_limit::RateLimit;
use super::source::{Capture, CaptureOutcome, CapturedImage, ImageData, Source};
use super::status::Outage;
use super::stream_mode::StreamMode;

/// A source whose pictures are limited to a rate, and marked with an orientation, after they were captured.
pub struct Adjusted {
    source: Arc<dyn Source>,
    /// In frames per second, greater than 0.
    rate: Option<f64>,
    orientation: Orientation,
}

impl Adjusted {
    /// Limits `source` to `rate` frames per second, greater than 0, and marks its pictures with `orientation`, which
    /// copies each once more. Returns the source itself if there is nothing to do.
    pub fn adjust(source: Arc<dyn Source>, rate: Option<f64>, orientation: Orientation) -> Arc<dyn Source> {
        if rate.is_none() && orientation.is_upright() {
            return source;
        }
        Arc::new(Self { source, rate, orientation })
    }
}

impl Source for Adjusted {
    fn description(&self) -> String {
        let description = self.source.description();
        if self.orientation.is_upright() {
            return description;
        }
        format!("{description}, {} by EXIF", self.orientation)
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let limit = RateLimit::new(self.rate);
        Ok(Box::new(AdjustedCapture { capture: self.source.open()?, limit, orientation: self.orientation }))
    }

    fn hotplug_events(&self) -> Option<watch::Receiver<()>> {
        self.source.hotplug_events()
    }

    fn max_retry_delay(&self) -> Duration {
        self.source.max_retry_delay()
    }

    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        self.source.controls()
    }

    fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        self.source.set_control(name, value)
    }

    fn release(&self) {
        self.source.release();
    }
}

struct AdjustedCapture {
    capture: Box<dyn Capture>,
    limit: RateLimit,
    orientation: Orientation,
}

impl Capture for AdjustedCapture {
    fn mode(&self) -> Option<StreamMode> {
        let mode = self.capture.mode()?;
        Some(StreamMode { rate: self.limit.limited(mode.rate), ..mode })
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let CaptureOutcome { image, lost } = self.capture.next(deadline)?;
        // By the time of arrival: drivers and servers choose the times of capture.
        let image = image.filter(|_| self.capture.is_polling() || self.limit.admits(monotonic_now()));
        let image = image.map(|CapturedImage { data, timestamp }| {
            let data = match data {
                ImageData::Jpeg(image) => ImageData::Jpeg(image.turned(self.orientation)),
                ImageData::Raw(mut image) => {
                    image.orientation = self.orientation;
                    ImageData::Raw(image)
                }
            };
            CapturedImage { data, timestamp }
        });
        Ok(CaptureOutcome { image, lost })
    }

    fn source_sequence(&self) -> Option<u64> {
        self.capture.source_sequence()
    }

    fn is_polling(&self) -> bool {
        self.capture.is_polling()
    }

    fn outage(&self) -> Option<&Outage> {
        self.capture.outage()
    }
}
