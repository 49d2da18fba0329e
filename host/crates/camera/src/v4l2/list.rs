//! Which cameras are there, and what do they offer? For `hotshoe cameras`, and for `auto`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::device::{Capability, Device, DeviceCaps, OfferedSize};
use super::find::{check_camera, open_device};
use super::negotiate::{is_usable, no_format, rate_text, size_text};
use super::{Devices, settings};
use crate::controls::Control;
use crate::error::SourceError;
use crate::fourcc::FourCc;

/// Where the kernel's device nodes are.
pub(super) const DEVICES: &str = "/dev";

/// A V4L2 device, and what it offers.
#[derive(Debug)]
pub struct Listing {
    /// The node: `/dev/video0`.
    pub path: PathBuf,
    /// The device's name.
    pub card: String,
    /// Where it is attached.
    pub bus: String,
    /// What it offers.
    pub formats: Vec<ListedFormat>,
    /// What can be set on it.
    pub controls: Vec<Control>,
    /// Why it can't be used, if so.
    pub unusable: Option<SourceError>,
}

/// A pixel format that a device offers.
#[derive(Debug)]
pub struct ListedFormat {
    /// Its four-character code: `MJPG`.
    pub code: FourCc,
    /// The driver's name for it.
    pub name: String,
    /// Whether this program can serve it.
    pub usable: bool,
    /// Its sizes, with the rates in frames per second at each.
    pub sizes: Vec<(String, Vec<f64>)>,
}

impl Devices {
    /// The first device that can be served and is none of `taken`; none if there is none. The log says why each device
    /// before it is skipped.
    pub fn first_camera(&self, taken: &[PathBuf]) -> Option<PathBuf> {
        self.system.nodes().into_iter().filter(|path| !taken.contains(path)).find(|path| {
            let (card, checked) = match open_device(&*self.system, path) {
                Ok((device, capability)) => {
                    let checked = check_usable(&*device, &capability, path);
                    (format!(" ({})", capability.card), checked)
                }
                Err(error) => (String::new(), Err(error)),
            };
            match checked {
                Ok(()) => return true,
                Err(SourceError::NotCamera { reason, .. }) => info!("auto skips {}{card}: {reason}", path.display()),
                Err(error) => warn!("auto skips {}{card}: {error}", path.display()),
            }
            false
        })
    }

    /// All V4L2 devices, be they usable or not, and the nodes that could not be opened, with why.
    pub fn list(&self) -> (Vec<Listing>, Vec<(PathBuf, SourceError)>) {
        let mut listings = Vec::new();
        let mut unopened = Vec::new();
        for path in self.system.nodes() {
            match open_device(&*self.system, &path) {
                Ok((device, capability)) => listings.push(listing(path, &*device, capability)),
                Err(error) => unopened.push((path, error)),
            }
        }
        (listings, unopened)
    }
}

/// Check that a device can be served without anybody's help: that it is a camera, no bare sensor, and has a format that can
/// be served.
fn check_usable(device: &dyn Device, capability: &Capability, path: &Path) -> Result<(), SourceError> {
    check_camera(device, capability, path)?;
    if capability.caps.has(DeviceCaps::MEDIA_CONTROLLER) {
        return Err(SourceError::NeedsLibcamera { path: path.to_owned() });
    }
    let offered: Vec<_> = device.formats().into_iter().map(|format| format.code).collect();
    if offered.iter().copied().any(is_usable) { Ok(()) } else { Err(no_format(path, None, &offered)) }
}

/// What a device offers.
fn listing(path: PathBuf, device: &dyn Device, capability: Capability) -> Listing {
    let unusable = check_usable(device, &capability, &path).err();
    let Capability { card, bus, caps, .. } = capability;
    if matches!(unusable, Some(SourceError::NotCamera { .. })) && !caps.has(DeviceCaps::VIDEO_CAPTURE) {
        return Listing { path, card, bus, formats: Vec::new(), controls: Vec::new(), unusable };
    }
    let size = |code: FourCc, size: OfferedSize| {
        let (OfferedSize::One(largest) | OfferedSize::Range(_, largest)) = size;
        (size_text(&size), device.rates(code, largest))
    };
    let formats = device
        .formats()
        .into_iter()
        .map(|format| ListedFormat {
            code: format.code,
            name: format.name,
            usable: is_usable(format.code),
            sizes: device.sizes(format.code).into_iter().map(|offered| size(format.code, offered)).collect(),
        })
        .collect();
    let controls = settings::list(device);
    Listing { path, card, bus, formats, controls, unusable }
}

/// Links to a device under a name that does not change with the order of plugging in.
pub fn stable_names(path: &Path) -> Vec<PathBuf> {
    let device = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut names: Vec<PathBuf> = ["by-id", "by-path"]
        .iter()
        .flat_map(|folder| fs::read_dir(Path::new(DEVICES).join("v4l").join(folder)))
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|link| fs::canonicalize(link).is_ok_and(|target| target == device))
        .collect();
    names.sort();
    names
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}  ({})", self.path.display(), self.card, self.bus)?;
        for name in stable_names(&self.path) {
            writeln!(f, "  also {}", name.display())?;
        }
        if let Some(error) = &self.unusable {
            match error {
                // Without the path, which is two lines above.
                SourceError::NotCamera { reason, .. } => writeln!(f, "  cannot be used: {reason}")?,
                error => writeln!(f, "  cannot be used: {error}")?,
            }
        }
        for format in &self.formats {
            let note = if format.usable { "" } else { "  (cannot be served)" };
            writeln!(f, "  {}  {}{note}", format.code, format.name)?;
            for (size, rates) in &format.sizes {
                let rates: Vec<_> = rates.iter().copied().map(rate_text).collect();
                let rates =
                    if rates.is_empty() { "rates unknown".to_owned() } else { format!("{} fps", rates.join(", ")) };
                writeln!(f, "    {size:<12} {rates}")?;
            }
        }
        if !self.controls.is_empty() {
            writeln!(f, "  controls, as control=NAME:VALUE")?;
        }
        for control in &self.controls {
            let value = control.value.map_or(String::new(), |value| format!("is {value}, "));
            let note = match (control.read_only, control.inactive) {
                (true, _) => "  (can only be read)",
                (_, true) => "  (an automatic does its work)",
                _ => "",
            };
            writeln!(f, "    {:<24} {value}can be {}{note}", control.name, control.kind)?;
        }
        Ok(())
    }
}
