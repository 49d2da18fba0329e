//! Selects the input and the video standard of a capture device, and adopts the timings of an HDMI signal.

use std::path::Path;

use rustix::io::Errno;

use super::device::{Device, System};
use super::errors::device_error;
use crate::error::{SignalSetting, SourceError};

/// What to select. `None` keeps the present choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RequestedSignal {
    /// The number of the input, counted from 0, or its name.
    pub(super) input: Option<String>,
    /// The name of the standard.
    pub(super) standard: Option<String>,
}

/// Selects the input and the standard, and adopts the timings of the signal. The formats of the device depend on all of
/// them.
pub(super) fn select(
    system: &dyn System,
    device: &dyn Device,
    path: &Path,
    requested: &RequestedSignal,
) -> Result<(), SourceError> {
    let failed = |step| move |error| device_error(system, path, step, error);
    if let Some(input) = &requested.input {
        let offered = device.inputs();
        let number = input.parse().ok().filter(|number| *number < offered.len());
        let number = number.or_else(|| offered.iter().position(|name| name.eq_ignore_ascii_case(input)));
        let number = number.ok_or_else(|| unknown(path, SignalSetting::Input, input, &offered))?;
        device.select_input(number as u32).map_err(failed("select its input"))?;
    }
    if let Some(standard) = &requested.standard {
        let offered = device.standards();
        let number = offered.iter().position(|name| name.eq_ignore_ascii_case(standard));
        let number = number.ok_or_else(|| unknown(path, SignalSetting::Standard, standard, &offered))?;
        device.select_standard(number as u32).map_err(failed("select its standard"))?;
    }
    device.adopt_timings().map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOLINK | Errno::NOLCK) => SourceError::NoSignal { path: path.to_owned() },
        Some(Errno::RANGE) => SourceError::UnsupportedSignal { path: path.to_owned() },
        _ => device_error(system, path, "adopt the timings of its signal", error),
    })
}

fn unknown(path: &Path, setting: SignalSetting, requested: &str, offered: &[String]) -> SourceError {
    let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
    SourceError::UnknownSetting { path: path.to_owned(), setting, requested: requested.to_owned(), offered }
}
