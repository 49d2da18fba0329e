//! What a device offers, for `hotshoe cameras`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::control_settings;
use super::device::{Capabilities, DEV, Device, DeviceCaps, OfferedSize};
use super::find::check_camera;
use super::negotiate::{is_usable, no_format, rate_text, size_text};
use crate::controls::Control;
use crate::error::SourceError;
use crate::fourcc::FourCc;

/// A V4L2 device and what it offers.
#[derive(Debug)]
pub struct DeviceInfo {
    /// The node: `/dev/video0`.
    pub path: PathBuf,
    /// The model name.
    pub card: String,
    /// Where the device is attached.
    pub bus: String,
    /// The formats.
    pub formats: Vec<FormatInfo>,
    /// The controls.
    pub controls: Vec<Control>,
    /// Why the device cannot be used, if it cannot.
    pub unusable: Option<SourceError>,
}

/// A pixel format that a device offers.
#[derive(Debug)]
pub struct FormatInfo {
    /// The four-character code: `MJPG`.
    pub code: FourCc,
    /// The driver's name for it.
    pub name: String,
    /// Whether this program can serve it.
    pub usable: bool,
    /// The frame sizes, each with its frame rates in frames per second.
    pub sizes: Vec<(String, Vec<f64>)>,
}

impl DeviceInfo {
    /// Queries what the device offers.
    pub(super) fn query(path: PathBuf, device: &dyn Device, capabilities: Capabilities) -> Self {
        let unusable = check_usable(device, &capabilities, &path).err();
        let Capabilities { card, bus, caps, .. } = capabilities;
        if matches!(unusable, Some(SourceError::NotCamera { .. })) && !caps.has(DeviceCaps::CAPTURE) {
            return Self { path, card, bus, formats: Vec::new(), controls: Vec::new(), unusable };
        }
        let size = |code: FourCc, size: OfferedSize| {
            let (OfferedSize::Discrete(largest) | OfferedSize::Stepwise(_, largest)) = size;
            (size_text(&size), device.frame_rates(code, largest))
        };
        let formats = device
            .formats()
            .into_iter()
            .map(|format| FormatInfo {
                code: format.code,
                name: format.name,
                usable: is_usable(format.code),
                sizes: device.sizes(format.code).into_iter().map(|offered| size(format.code, offered)).collect(),
            })
            .collect();
        let controls = control_settings::list(device);
        Self { path, card, bus, formats, controls, unusable }
    }
}

/// Checks that a device works without further setup: that it is a camera, not a bare sensor, and has a usable format.
pub(super) fn check_usable(device: &dyn Device, capabilities: &Capabilities, path: &Path) -> Result<(), SourceError> {
    check_camera(device, capabilities, path)?;
    if capabilities.caps.has(DeviceCaps::MEDIA_CONTROLLER) {
        return Err(SourceError::NeedsLibcamera { path: path.to_owned() });
    }
    let offered: Vec<_> = device.formats().into_iter().map(|format| format.code).collect();
    if offered.iter().copied().any(is_usable) { Ok(()) } else { Err(no_format(path, None, &offered)) }
}

/// Lists the links to a device whose names do not depend on the order of plugging in.
fn stable_links(path: &Path) -> Vec<PathBuf> {
    let device = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut links: Vec<PathBuf> = ["by-id", "by-path"]
        .iter()
        .flat_map(|folder| fs::read_dir(Path::new(DEV).join("v4l").join(folder)))
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|link| fs::canonicalize(link).is_ok_and(|target| target == device))
        .collect();
    links.sort();
    links
}

/// Formats the device as a block of lines.
impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}  ({})", self.path.display(), self.card, self.bus)?;
        for link in stable_links(&self.path) {
            writeln!(f, "  also {}", link.display())?;
        }
        if let Some(error) = &self.unusable {
            match error {
                // Omits the path, which is on the first line.
                SourceError::NotCamera { reason, .. } => writeln!(f, "  cannot be used: {reason}")?,
                error => writeln!(f, "  cannot be used: {error}")?,
            }
        }
        for format in &self.formats {
            let note = if format.usable { "" } else { "  (not supported)" };
            writeln!(f, "  {}  {}{note}", format.code, format.name)?;
            for (size, rates) in &format.sizes {
                let rates: Vec<_> = rates.iter().copied().map(rate_text).collect();
                let rates =
                    if rates.is_empty() { "rates unknown".to_owned() } else { format!("{} fps", rates.join(", ")) };
                writeln!(f, "    {size:<12} {rates}")?;
            }
        }
        if !self.controls.is_empty() {
            writeln!(f, "  controls (control=NAME:VALUE)")?;
        }
        for control in &self.controls {
            let value = control.value.map_or(String::new(), |value| format!("value {value}, "));
            let note = match (control.read_only, control.inactive) {
                (true, _) => "  (read-only)",
                (_, true) => "  (inactive: an automatic mode is on)",
                _ => "",
            };
            writeln!(f, "    {:<24} {value}valid: {}{note}", control.name, control.kind)?;
        }
        Ok(())
    }
}
