//! What to ask a device for, and what to say of what it gave.

use std::path::Path;

use tracing::warn;

use super::device::{Device, Format, OfferedSize, System};
use super::errors::device_error;
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::raw::PixelFormat;
use crate::source::StreamMode;

/// The formats whose buffers are JPEG images. UVC cameras say the first, a few others the second.
pub(super) const JPEG_FORMATS: [FourCc; 2] = [FourCc(*b"MJPG"), FourCc(*b"JPEG")];

/// How far a rate may be from what was asked for and count as that: rates are fractions of whole numbers, so 29.97 may
/// be asked for, and 30000/1001 given.
const RATE_TOLERANCE: f64 = 0.01;

/// What is asked of a device. What is not asked is left to the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) size: Option<Dimensions>,
    /// In frames per second, greater than 0.
    pub(super) rate: Option<f64>,
    pub(super) format: Option<FourCc>,
}

/// What the device agreed to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    pub(super) format: Format,
    pub(super) mode: StreamMode,
}

/// Ask the device for what is wished.
pub(super) fn negotiate(
    system: &dyn System,
    device: &dyn Device,
    path: &Path,
    wish: &Wish,
) -> Result<Agreement, SourceError> {
    let failed = |step| move |error| device_error(system, path, step, error);
    let offered: Vec<_> = device.formats().into_iter().map(|format| format.code).collect();
    let Some(code) = choose(device, &offered, wish) else {
        return Err(no_format(path, wish.format, &offered));
    };
    let current = device.format().map_err(failed("tell its format"))?.dimensions;
    let format = device.set_format(code, wish.size.unwrap_or(current)).map_err(failed("set its format"))?;
    // Some drivers give another one than they were asked for.
    if format.code != code && (wish.format.is_some() || !is_usable(format.code)) {
        let offered = format.code.to_string();
        return Err(SourceError::NoFormat { path: path.to_owned(), asked: Some(code), offered });
    }
    let rate = wish.rate.map_or_else(|| device.rate(), |rate| device.set_rate(rate));
    let mode = StreamMode { dimensions: format.dimensions, rate, format: Some(format.code), quality: None };
    Ok(Agreement { format, mode })
}

/// What it means that none of the formats that are offered can be served, or not the one that was asked for.
pub(super) fn no_format(path: &Path, asked: Option<FourCc>, offered: &[FourCc]) -> SourceError {
    let path = path.to_owned();
    if asked.is_none() && offered.iter().any(is_bayer) {
        return SourceError::NeedsLibcamera { path };
    }
    let offered: Vec<_> = offered.iter().map(ToString::to_string).collect();
    let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    SourceError::NoFormat { path, asked, offered }
}

/// Whether a format is what the pixels of a sensor give, each behind a filter of one colour ("Raw Bayer Formats").
fn is_bayer(code: &FourCc) -> bool {
    match &code.0 {
        // 8 bits for each pixel, and 16.
        b"BA81" | b"GBRG" | b"GRBG" | b"RGGB" | b"BYR2" => true,
        // 10 to 16 bits, in words.
        [b'B', b'G' | b'A', b'1', _] | [b'G', b'B' | b'R', b'1', _] | [b'R', b'G', b'1', _] => true,
        // 10 to 14 bits, packed.
        [b'p', b'B' | b'G' | b'g' | b'R', b'A' | b'C' | b'E', _] => true,
        _ => false,
    }
}

/// Of the formats that are offered and can be served, the one to take: one that reaches the size and the rate; of
/// those JPEG, since it is passed on as it is; else, with colour before grey, the one of the fewest bits, which cost the
/// bus and the encoder least.
fn choose(device: &dyn Device, offered: &[FourCc], wish: &Wish) -> Option<FourCc> {
    if let Some(asked) = wish.format {
        return offered.contains(&asked).then_some(asked).filter(|code| is_usable(*code));
    }
    let preference = |code: &FourCc| {
        let raw = PixelFormat::from_code(code.0).filter(|_| !JPEG_FORMATS.contains(code));
        (!reaches(device, *code, wish), raw.map(|raw| (!raw.has_colour(), raw.bits_per_pixel())))
    };
    // The first of equals, as the driver lists them.
    offered.iter().copied().filter(|code| is_usable(*code)).min_by_key(preference)
}

/// Whether frames of this format can be served.
pub(super) fn is_usable(code: FourCc) -> bool {
    JPEG_FORMATS.contains(&code) || PixelFormat::from_code(code.0).is_some()
}

/// Whether the device offers the size in this format, and the rate at that size. A device that does not say might.
fn reaches(device: &dyn Device, code: FourCc, wish: &Wish) -> bool {
    let sizes = device.sizes(code);
    let has_size = |asked: Dimensions| {
        sizes.is_empty()
            || sizes.iter().any(|size| match *size {
                OfferedSize::One(size) => size == asked,
                OfferedSize::Range(least, most) => {
                    (least.width..=most.width).contains(&asked.width)
                        && (least.height..=most.height).contains(&asked.height)
                }
            })
    };
    let size = wish.size.or_else(|| device.format().ok().map(|format| format.dimensions));
    let has_rate = |asked: f64| {
        let rates = size.map(|size| device.rates(code, size)).unwrap_or_default();
        rates.is_empty() || rates.iter().any(|rate| *rate >= asked * (1.0 - RATE_TOLERANCE))
    };
    wish.size.is_none_or(has_size) && wish.rate.is_none_or(has_rate)
}

/// Say in the log what was asked for and not given, with what the device offers instead.
pub(super) fn say_what_was_not_granted(device: &dyn Device, path: &Path, wish: &Wish, given: &StreamMode) {
    let path = path.display();
    let Some(code) = given.format else { return };
    if let Some(asked) = wish.size.filter(|asked| *asked != given.dimensions) {
        let offered = list(device.sizes(code).iter().map(size_text));
        warn!("{path}: asked for {asked}, the driver gave {}; in {code} it offers {offered}", given.dimensions);
    }
    if let (Some(asked), Some(rate)) = (wish.rate, given.rate)
        && (asked - rate).abs() > RATE_TOLERANCE * asked
    {
        let offered = list(device.rates(code, given.dimensions).into_iter().map(rate_text));
        warn!(
            "{path}: asked for {asked} frames a second, the driver gave {}; in {code} at {} it offers {offered}",
            rate_text(rate),
            given.dimensions
        );
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "what it does not say".to_owned() } else { items.join(", ") }
}

/// A size that is offered, to show.
pub(super) fn size_text(size: &OfferedSize) -> String {
    match size {
        OfferedSize::One(size) => size.to_string(),
        OfferedSize::Range(least, most) => format!("{least} to {most}"),
    }
}

/// A rate to show: two decimals for 29.97, none for 30.
pub(super) fn rate_text(rate: f64) -> String {
    ((rate * 100.0).round() / 100.0).to_string()
}
