//! Which cameras are there? For `hotshoe cameras`, and for `auto`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::kernel::{Device, OfferedSize};
use super::{JPEG_FORMATS, code_text, open_camera};
use crate::dimensions::Dimensions;
use crate::source::SourceError;

/// Where the kernel's device nodes are.
const DEVICES: &str = "/dev";

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
}

/// A pixel format that a device offers.
#[derive(Debug)]
pub struct ListedFormat {
    /// Its four-character code: `MJPG`.
    pub code: String,
    /// The driver's name for it.
    pub name: String,
    /// Whether this program can serve it.
    pub usable: bool,
    /// Its sizes, with the rates in frames per second at each.
    pub sizes: Vec<(String, Vec<f64>)>,
}

/// The nodes `/dev/video*` in the order of their numbers. Most cameras have two: one for video, and one for
/// metadata.
fn nodes() -> Vec<PathBuf> {
    let mut nodes: Vec<(u32, PathBuf)> = fs::read_dir(DEVICES)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// The first device that can be served; none if there is none. Says in the log why a camera before it can't.
pub fn first_camera() -> Option<PathBuf> {
    nodes().into_iter().find(|path| match open_camera(path) {
        Ok(_) => true,
        // Not a camera at all: most of them have a second node, for metadata.
        Err(SourceError::NotCamera { .. }) => false,
        Err(error) => {
            warn!("not used: {error}");
            false
        }
    })
}

/// All devices that capture video, be they usable or not, and the nodes that could not be opened, with why.
pub fn all() -> (Vec<Listing>, Vec<(PathBuf, std::io::Error)>) {
    let mut listings = Vec::new();
    let mut unopened = Vec::new();
    for path in nodes() {
        match Device::open(&path) {
            Ok(device) => listings.extend(listing(path, &device)),
            Err(error) => unopened.push((path, error)),
        }
    }
    (listings, unopened)
}

/// What a device offers; none if it captures no video.
fn listing(path: PathBuf, device: &Device) -> Option<Listing> {
    let capability = device.capability().ok()?;
    if !capability.captures() && !capability.captures_planes() {
        return None;
    }
    let formats = device
        .formats()
        .into_iter()
        .map(|format| ListedFormat {
            code: code_text(format.code),
            name: format.name,
            usable: capability.captures() && JPEG_FORMATS.contains(&format.code),
            sizes: device
                .sizes(format.code)
                .into_iter()
                .map(|size| match size {
                    OfferedSize::One(size) => (size.to_string(), device.rates(format.code, size)),
                    OfferedSize::Range(least, most) => (range(least, most), device.rates(format.code, most)),
                })
                .collect(),
        })
        .collect();
    Some(Listing { path, card: capability.card, bus: capability.bus, formats })
}

fn range(least: Dimensions, most: Dimensions) -> String {
    format!("{least} to {most}")
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
            let note = if format.usable { "" } else { "  (cannot be served yet)" };
            writeln!(f, "  {}  {}{note}", format.code, format.name)?;
            for (size, rates) in &format.sizes {
                let rates: Vec<_> = rates.iter().map(|rate| ((rate * 100.0).round() / 100.0).to_string()).collect();
                let rates =
                    if rates.is_empty() { "rates unknown".to_owned() } else { format!("{} fps", rates.join(", ")) };
                writeln!(f, "    {size:<12} {rates}")?;
            }
        }
        Ok(())
    }
}
