//! Negotiates the format, the frame size and the frame rate with a device.

use std::path::Path;

use tracing::warn;

use super::device::{Device, Format, OfferedSize, System};
use super::errors::device_error;
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::raw::PixelFormat;
use crate::stream_mode::StreamMode;

/// The formats whose buffers hold JPEG images. UVC cameras offer the first, a few others the second.
pub(super) const JPEG_FORMATS: [FourCc; 2] = [FourCc(*b"MJPG"), FourCc(*b"JPEG")];

/// The relative difference up to which two frame rates count as equal. Frame intervals are fractions of integers: the
/// request may be 29.97, and the result 30000/1001.
const RATE_TOLERANCE: f64 = 0.01;

/// The mode requested from a device. The driver chooses whatever is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RequestedMode {
    pub(super) size: Option<Dimensions>,
    /// In frames per second, greater than 0.
    pub(super) rate: Option<f64>,
    pub(super) format: Option<FourCc>,
    /// Accepts only raw formats.
    pub(super) must_be_raw: bool,
}

impl RequestedMode {
    /// Whether this program can serve frames in this format as requested.
    fn accepts(&self, code: FourCc) -> bool {
        raw_format(code).is_some() || (JPEG_FORMATS.contains(&code) && !self.must_be_raw)
    }
}

/// The mode that the device chose.
#[derive(Clone, Copy, Debug)]
pub(super) struct NegotiatedMode {
    pub(super) format: Format,
    pub(super) mode: StreamMode,
}

/// Requests a mode from the device.
pub(super) fn negotiate(
    system: &dyn System,
    device: &dyn Device,
    path: &Path,
    requested: &RequestedMode,
) -> Result<NegotiatedMode, SourceError> {
    let failed = |step| move |error| device_error(system, path, step, error);
    let offered: Vec<_> = device.formats().into_iter().map(|format| format.code).collect();
    let Some(code) = choose(device, &offered, requested) else {
        let jpeg = offered.iter().copied().find(|code| JPEG_FORMATS.contains(code));
        let jpeg = jpeg.filter(|code| requested.must_be_raw && requested.format.is_none_or(|format| format == *code));
        return Err(match jpeg {
            Some(format) => SourceError::CropUnsupported { path: path.to_owned(), format },
            None => no_format(path, requested.format, &offered),
        });
    };
    let current = device.format().map_err(failed("report its format"))?.dimensions;
    let format = device.set_format(code, requested.size.unwrap_or(current)).map_err(failed("set its format"))?;
    // Some drivers choose another format than the requested one.
    if format.code != code && (requested.format.is_some() || !requested.accepts(format.code)) {
        let offered = format.code.to_string();
        return Err(SourceError::NoFormat { path: path.to_owned(), requested: Some(code), offered });
    }
    let rate = requested.rate.map_or_else(|| device.frame_rate(), |rate| device.set_frame_rate(rate));
    let mode = StreamMode { dimensions: format.dimensions, rate, format: Some(format.code), quality: None };
    Ok(NegotiatedMode { format, mode })
}

/// The error for a device that offers neither the requested format nor, without a request, a usable one.
pub(super) fn no_format(path: &Path, requested: Option<FourCc>, offered: &[FourCc]) -> SourceError {
    let path = path.to_owned();
    if requested.is_none() && offered.iter().any(is_bayer) {
        return SourceError::NeedsLibcamera { path };
    }
    let is_only_video = requested.is_none() && !offered.is_empty() && offered.iter().all(is_compressed_video);
    let offered: Vec<_> = offered.iter().map(ToString::to_string).collect();
    if is_only_video {
        return SourceError::OnlyVideo { path, offered: offered.join(", ") };
    }
    let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
    SourceError::NoFormat { path, requested, offered }
}

/// Whether this is a raw sensor format, with a filter of one colour in front of each pixel ("Raw Bayer Formats").
fn is_bayer(code: &FourCc) -> bool {
    match &code.0 {
        // 8 and 16 bits per pixel.
        b"BA81" | b"GBRG" | b"GRBG" | b"RGGB" | b"BYR2" => true,
        // 10 to 16 bits per pixel, in 16-bit words.
        [b'B', b'G' | b'A', b'1', _] | [b'G', b'B' | b'R', b'1', _] | [b'R', b'G', b'1', _] => true,
        // 10 to 14 bits per pixel, packed.
        [b'p', b'B' | b'G' | b'g' | b'R', b'A' | b'C' | b'E', _] => true,
        _ => false,
    }
}

/// Whether this is a video format whose pictures depend on one another ("Compressed Formats").
fn is_compressed_video(code: &FourCc) -> bool {
    matches!(
        &code.0,
        b"H264" | b"AVC1" | b"M264" | b"H263" | b"HEVC" | b"VP80" | b"VP90" | b"MPEG" | b"MPG1" | b"MPG2" | b"MPG4"
    )
}

/// Chooses a usable format. Prefers formats that reach the requested size and rate; among those JPEG, which needs no
/// encoding; then colour over grey; then fewer bits per pixel, which saves bandwidth and encoding time.
fn choose(device: &dyn Device, offered: &[FourCc], requested: &RequestedMode) -> Option<FourCc> {
    if let Some(format) = requested.format {
        return offered.contains(&format).then_some(format).filter(|code| requested.accepts(*code));
    }
    let preference = |code: &FourCc| {
        let raw = raw_format(*code);
        (!reaches(device, *code, requested), raw.map(|raw| (!raw.has_colour(), raw.bits_per_pixel())))
    };
    // Among equals, takes the first in the driver's order.
    offered.iter().copied().filter(|code| requested.accepts(*code)).min_by_key(preference)
}

/// Whether this program can serve frames in this format.
pub(super) fn is_usable(code: FourCc) -> bool {
    JPEG_FORMATS.contains(&code) || raw_format(code).is_some()
}

/// Returns the raw format with this code, in one buffer or with a buffer for each plane.
pub(super) fn raw_format(code: FourCc) -> Option<PixelFormat> {
    PixelFormat::from_code(code.0).or_else(|| PixelFormat::from_multi_planar_code(code.0))
}

/// Whether the device offers the requested size in this format, and the requested rate at that size. Assumes so if the
/// device does not list sizes or rates.
fn reaches(device: &dyn Device, code: FourCc, requested: &RequestedMode) -> bool {
    let sizes = device.sizes(code);
    let has_size = |requested: Dimensions| {
        sizes.is_empty()
            || sizes.iter().any(|size| match *size {
                OfferedSize::Discrete(size) => size == requested,
                OfferedSize::Stepwise(smallest, largest) => {
                    (smallest.width..=largest.width).contains(&requested.width)
                        && (smallest.height..=largest.height).contains(&requested.height)
                }
            })
    };
    let size = requested.size.or_else(|| device.format().ok().map(|format| format.dimensions));
    let has_rate = |requested: f64| {
        let rates = size.map(|size| device.frame_rates(code, size)).unwrap_or_default();
        rates.is_empty() || rates.iter().any(|rate| *rate >= requested * (1.0 - RATE_TOLERANCE))
    };
    requested.size.is_none_or(has_size) && requested.rate.is_none_or(has_rate)
}

/// Logs where the negotiated mode differs from the requested one, and what the device offers instead.
pub(super) fn log_differences(device: &dyn Device, path: &Path, requested: &RequestedMode, mode: &StreamMode) {
    let path = path.display();
    let Some(code) = mode.format else { return };
    if let Some(size) = requested.size.filter(|size| *size != mode.dimensions) {
        let offered = list(device.sizes(code).iter().map(size_text));
        warn!("{path}: requested {size}, got {}; {code} sizes: {offered}", mode.dimensions);
    }
    if let (Some(requested), Some(rate)) = (requested.rate, mode.rate)
        && (requested - rate).abs() > RATE_TOLERANCE * requested
    {
        let offered = list(device.frame_rates(code, mode.dimensions).into_iter().map(rate_text));
        let skipped = if rate > requested { "; frames above the requested rate are skipped" } else { "" };
        warn!(
            "{path}: requested {requested} fps, got {} fps{skipped}; {code} rates at {}: {offered}",
            rate_text(rate),
            mode.dimensions
        );
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "unknown".to_owned() } else { items.join(", ") }
}

/// Formats a size for people.
pub(super) fn size_text(size: &OfferedSize) -> String {
    match size {
        OfferedSize::Discrete(size) => size.to_string(),
        OfferedSize::Stepwise(smallest, largest) => format!("{smallest} to {largest}"),
    }
}

/// Formats a rate for people: two decimals for 29.97, none for 30.
pub(super) fn rate_text(rate: f64) -> String {
    ((rate * 100.0).round() / 100.0).to_string()
}
