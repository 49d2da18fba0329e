//! Which cameras are there, and what do they offer? For `hotshoe cameras`, and for `auto`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::device::{Device, OfferedSize};
use super::find::open_camera;
use super::negotiate::{is_usable, rate_text, size_text};
use super::{Devices, settings};
use crate::controls::Control;
use crate::error::SourceError;
use crate::fourcc::FourCc;

/// Where the kernel's device nodes are.
pub(super) const DEVICES: &str = "/dev";

/// A V4L2 device that captures video, and what it offers.
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
    /// The first device that can be served; none if there is none. Says in the log why a camera before it can't.
    pub fn first_camera(&self) -> Option<PathBuf> {
        self.system.nodes().into_iter().find(|path| match open_camera(&*self.system, path) {
            Ok(found) => {
                let formats = found.device.formats();
                let usable = formats.iter().any(|format| is_usable(format.code));
                if !usable {
                    warn!("not used: {} has no format that can be served", path.display());
                }
                usable
            }
            // Not a camera at all: most of them have a second node, for metadata.
            Err(SourceError::NotCamera { .. }) => false,
            Err(error) => {
                warn!("not used: {error}");
                false
            }
        })
    }

    /// All devices that capture video, be they usable or not, and the nodes that could not be opened, with why.
    pub fn list(&self) -> (Vec<Listing>, Vec<(PathBuf, std::io::Error)>) {
        let mut listings = Vec::new();
        let mut unopened = Vec::new();
        for path in self.system.nodes() {
            match self.system.open(&path) {
                Ok(device) => listings.extend(listing(path, &*device)),
                Err(error) => unopened.push((path, error)),
            }
        }
        (listings, unopened)
    }
}

/// What a device offers; none if it captures no video.
fn listing(path: PathBuf, device: &dyn Device) -> Option<Listing> {
    let capability = device.capability().ok()?;
    if !capability.captures && !capability.captures_planes {
        return None;
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
            usable: capability.captures && is_usable(format.code),
            sizes: device.sizes(format.code).into_iter().map(|offered| size(format.code, offered)).collect(),
        })
        .collect();
    let controls = settings::list(device);
    Some(Listing { path, card: capability.card, bus: capability.bus, formats, controls })
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
