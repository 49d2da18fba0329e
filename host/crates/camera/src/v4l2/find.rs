//! Which node is the camera at? A camera that was unplugged may come back under another number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::device::{Capability, Device, DeviceCaps, System};
use super::errors::device_error;
use crate::error::{NotCamera, SourceError};

/// Links in here name a device by what it is, or by its plug. Who gives one means that and nothing else.
const STABLE_NAMES: &str = "/dev/v4l";

/// What tells one camera from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    /// The device's name.
    pub(super) card: String,
    /// Where it is attached.
    pub(super) bus: String,
    /// Which of the device's nodes it is: some have one for colour and one for infrared.
    pub(super) index: Option<u32>,
}

/// Which devices the cameras of this program are, by the paths that they were asked for by. So that none is taken for
/// another of the same make that is away.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    by_path: Arc<Mutex<HashMap<PathBuf, Claim>>>,
}

/// What is known of a camera since it was last found.
#[derive(Clone, Debug)]
struct Claim {
    identity: Identity,
    /// The nodes that there were beside its own: it cannot be what is there.
    neighbours: Vec<PathBuf>,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Claim>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device that the camera of this path was when it was last found.
    fn known(&self, path: &Path) -> Option<Claim> {
        self.lock().get(path).cloned()
    }

    /// Whether the program has another camera of this make.
    fn has_another(&self, path: &Path, card: &str) -> bool {
        self.lock().iter().any(|(other, claim)| other != path && claim.identity.card == card)
    }

    /// Have the camera of this path be this device, unless another one is. Returns whether it is now.
    fn claim(&self, path: &Path, identity: &Identity, neighbours: Vec<PathBuf>) -> bool {
        let mut by_path = self.lock();
        if by_path.iter().any(|(other, claim)| other != path && claim.identity == *identity) {
            return false;
        }
        by_path.insert(path.to_owned(), Claim { identity: identity.clone(), neighbours });
        true
    }
}

/// An open camera, and where it is.
pub(super) struct Found {
    pub(super) device: Box<dyn Device>,
    pub(super) identity: Identity,
    /// The path that was asked for, or the node that it came back as.
    pub(super) node: PathBuf,
    /// Whether it only streams once its pipeline has been set up (see [`DeviceCaps::MEDIA_CONTROLLER`]).
    pub(super) is_media_controlled: bool,
}

/// Open the camera that is asked for by `path`: the very device that it was before, wherever it is now; else what is
/// at the path; else one of the same make that was plugged in since, if it can be no other.
pub(super) fn find(system: &dyn System, path: &Path, claims: &Claims) -> Result<Found, SourceError> {
    let asked = open_camera(system, path);
    let found = match (asked, claims.known(path)) {
        (asked, None) => asked,
        (asked, _) if path.starts_with(STABLE_NAMES) => asked,
        (Ok(found), Some(known)) if found.identity == known.identity => Ok(found),
        // It is somewhere else, or away. Any other failure is of the camera itself.
        (asked @ (Ok(_) | Err(SourceError::NotFound { .. } | SourceError::Gone { .. })), Some(known)) => {
            elsewhere(system, path, &known, claims).map_or(asked, Ok)
        }
        (asked @ Err(_), Some(_)) => asked,
    }?;
    let neighbours = system.nodes().into_iter().filter(|node| *node != found.node).collect();
    if !claims.claim(path, &found.identity, neighbours) {
        return Err(SourceError::NotFound { path: path.to_owned() });
    }
    Ok(found)
}

/// This camera under another node.
fn elsewhere(system: &dyn System, path: &Path, known: &Claim, claims: &Claims) -> Option<Found> {
    let nodes = system.nodes().into_iter().filter(|node| node != path);
    let mut of_its_make: Vec<_> = nodes
        .filter_map(|node| open_camera(system, &node).ok())
        .filter(|found| found.identity.card == known.identity.card && found.identity.index == known.identity.index)
        .collect();
    if let Some(same) = of_its_make.iter().position(|found| found.identity == known.identity) {
        return Some(of_its_make.swap_remove(same));
    }
    // At another plug. It could be mistaken for those that were there before, or that others of ours could be.
    of_its_make.retain(|found| !known.neighbours.contains(&found.node));
    let is_clear = of_its_make.len() == 1 && !claims.has_another(path, &known.identity.card);
    if is_clear { of_its_make.pop() } else { None }
}

/// Open the node, and check that it is a camera.
pub(super) fn open_camera(system: &dyn System, path: &Path) -> Result<Found, SourceError> {
    let (device, capability) = open_device(system, path)?;
    check_camera(&*device, &capability, path)?;
    let Capability { card, bus, index, caps } = capability;
    let is_media_controlled = caps.has(DeviceCaps::MEDIA_CONTROLLER);
    Ok(Found { device, identity: Identity { card, bus, index }, node: path.to_owned(), is_media_controlled })
}

/// Open the node, and ask what it is.
pub(super) fn open_device(system: &dyn System, path: &Path) -> Result<(Box<dyn Device>, Capability), SourceError> {
    let device = system.open(path).map_err(|error| device_error(system, path, "open", error))?;
    let capability = device.capability().map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOTTY | Errno::INVAL) => {
            SourceError::NotCamera { path: path.to_owned(), reason: NotCamera::NotV4l2 }
        }
        _ => device_error(system, path, "tell what it is", error),
    })?;
    Ok((device, capability))
}

/// Check that a node can give pictures. One that is controlled by the media controller can if somebody has set up the
/// pipeline that it belongs to, so it passes.
pub(super) fn check_camera(device: &dyn Device, capability: &Capability, path: &Path) -> Result<(), SourceError> {
    let caps = capability.caps;
    let not_camera = |reason| Err(SourceError::NotCamera { path: path.to_owned(), reason });
    if caps.has(DeviceCaps::MEM_TO_MEM) {
        return not_camera(NotCamera::MemoryToMemory);
    }
    // A loopback device may both capture video and take it; a camera, both video and metadata.
    if !caps.has(DeviceCaps::VIDEO_CAPTURE | DeviceCaps::VIDEO_CAPTURE_MPLANE) {
        return not_camera(match caps {
            _ if caps.has(DeviceCaps::METADATA) => NotCamera::Metadata,
            _ if caps.has(DeviceCaps::VIDEO_OUTPUT) => NotCamera::Output,
            _ => NotCamera::NoVideo,
        });
    }
    if !device.has_input() {
        return not_camera(NotCamera::NoInput);
    }
    if !caps.has(DeviceCaps::VIDEO_CAPTURE) {
        return if caps.has(DeviceCaps::MEDIA_CONTROLLER) {
            Err(SourceError::NeedsLibcamera { path: path.to_owned() })
        } else {
            not_camera(NotCamera::MultiPlanar)
        };
    }
    if !caps.has(DeviceCaps::STREAMING) {
        return not_camera(NotCamera::NoStreaming);
    }
    Ok(())
}
