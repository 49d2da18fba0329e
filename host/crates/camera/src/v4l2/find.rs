//! Finds the node of a camera. A camera that was unplugged may come back with another number.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::device::{Capabilities, Device, DeviceCaps, System};
use super::errors::device_error;
use super::registry::{DeviceIdentity, RegisteredDevice, Registration};
use crate::error::{NotCameraReason, SourceError};

/// The links in here name a device by its serial number or its port. A camera configured with such a link must not be
/// searched for elsewhere.
const STABLE_LINKS: &str = "/dev/v4l";

/// An open camera.
pub(super) struct OpenCamera {
    pub(super) device: Box<dyn Device>,
    pub(super) identity: DeviceIdentity,
    /// The configured path, or the node as which the camera came back.
    pub(super) node: PathBuf,
    /// Whether the camera streams only once its pipeline has been set up (see [`DeviceCaps::MEDIA_CONTROLLER`]).
    pub(super) is_media_controlled: bool,
}

/// Opens a camera. Prefers the same device as before, wherever it is now; then whatever is at the configured path; then
/// a device of the same model that was plugged in since, if it cannot be any other.
///
/// Several cameras may be the same device, under one path or several. The kernel lets one of them stream at a time.
pub(super) fn find(system: &dyn System, registration: &Registration) -> Result<OpenCamera, SourceError> {
    let path = registration.path();
    let at_path = open_camera(system, path);
    let known = registration.known();
    let camera = match (at_path, &known) {
        (at_path, None) => at_path,
        (at_path, _) if is_stable(path) => at_path,
        (Ok(camera), Some(known)) if camera.identity == known.identity => Ok(camera),
        // The camera is missing or has moved. Any other error comes from the camera itself.
        (at_path @ (Ok(_) | Err(SourceError::NotFound { .. } | SourceError::Gone { .. })), Some(known)) => {
            find_elsewhere(system, known, registration).map_or(at_path, Ok)
        }
        (at_path @ Err(_), Some(_)) => at_path,
    }?;
    let sharing = sharing(system, &camera.identity, known.as_ref(), registration);
    let other_nodes = system.nodes().into_iter().filter(|node| *node != camera.node).collect();
    if !registration.register(RegisteredDevice { identity: camera.identity.clone(), other_nodes }, &sharing) {
        return Err(SourceError::NotFound { path: path.to_owned() });
    }
    Ok(camera)
}

fn is_stable(path: &Path) -> bool {
    path.starts_with(STABLE_LINKS)
}

/// Returns the paths of the cameras with which a camera may share this device. `known` is what the camera was before.
///
/// A device that belongs to further cameras is not this camera: it may only have come back where this one was.
fn sharing(
    system: &dyn System,
    identity: &DeviceIdentity,
    known: Option<&RegisteredDevice>,
    registration: &Registration,
) -> Vec<PathBuf> {
    let mut owners = registration.owners(identity);
    match known {
        _ if is_stable(registration.path()) => {}
        Some(known) if known.identity == *identity => {}
        Some(_) => owners.clear(),
        // The configuration names the device several times if the paths of all its cameras lead to it.
        None => owners.retain(|owner| open_camera(system, owner).is_ok_and(|camera| camera.identity == *identity)),
    }
    owners
}

/// Looks for a known camera at the other nodes.
fn find_elsewhere(system: &dyn System, known: &RegisteredDevice, registration: &Registration) -> Option<OpenCamera> {
    let nodes = system.nodes().into_iter().filter(|node| node != registration.path());
    let mut same_model: Vec<_> = nodes
        .filter_map(|node| open_camera(system, &node).ok())
        .filter(|camera| camera.identity.card == known.identity.card && camera.identity.index == known.identity.index)
        .collect();
    if let Some(same) = same_model.iter().position(|camera| camera.identity == known.identity) {
        return Some(same_model.swap_remove(same));
    }
    // The camera may be at another port. Accept only an unambiguous candidate: one new node, and no other camera of
    // this program is another device of the same model.
    same_model.retain(|camera| !known.other_nodes.contains(&camera.node));
    let is_unambiguous = same_model.len() == 1 && !registration.has_other_of_model(&known.identity);
    if is_unambiguous { same_model.pop() } else { None }
}

/// Opens the node and checks that it is a camera.
fn open_camera(system: &dyn System, path: &Path) -> Result<OpenCamera, SourceError> {
    let (device, capabilities) = open_device(system, path)?;
    check_camera(&*device, &capabilities, path)?;
    let Capabilities { card, bus, index, caps } = capabilities;
    let is_media_controlled = caps.has(DeviceCaps::MEDIA_CONTROLLER);
    Ok(OpenCamera { device, identity: DeviceIdentity { card, bus, index }, node: path.to_owned(), is_media_controlled })
}

/// Opens the node and queries its capabilities.
pub(super) fn open_device(system: &dyn System, path: &Path) -> Result<(Box<dyn Device>, Capabilities), SourceError> {
    let device = system.open(path).map_err(|error| device_error(system, path, "open", error))?;
    let capabilities = device.capabilities().map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOTTY | Errno::INVAL) => {
            SourceError::NotCamera { path: path.to_owned(), reason: NotCameraReason::NotV4l2 }
        }
        _ => device_error(system, path, "report its capabilities", error),
    })?;
    Ok((device, capabilities))
}

/// Checks that a node can deliver pictures. Accepts a media-controlled node, because it can once its pipeline has been
/// set up.
pub(super) fn check_camera(device: &dyn Device, capabilities: &Capabilities, path: &Path) -> Result<(), SourceError> {
    let caps = capabilities.caps;
    let not_camera = |reason| Err(SourceError::NotCamera { path: path.to_owned(), reason });
    if caps.has(DeviceCaps::MEM_TO_MEM) {
        return not_camera(NotCameraReason::MemoryToMemory);
    }
    // A loopback device may have both video capture and output; a camera, both video and metadata.
    if !caps.has(DeviceCaps::CAPTURE) {
        return not_camera(match caps {
            _ if caps.has(DeviceCaps::METADATA) => NotCameraReason::Metadata,
            _ if caps.has(DeviceCaps::VIDEO_OUTPUT) => NotCameraReason::Output,
            _ => NotCameraReason::NoVideo,
        });
    }
    if !device.has_input() {
        return not_camera(NotCameraReason::NoInput);
    }
    if !caps.has(DeviceCaps::STREAMING) {
        return not_camera(NotCameraReason::NoStreaming);
    }
    Ok(())
}
