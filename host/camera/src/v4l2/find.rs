//! Which node is the camera at? A camera that was unplugged may come back under another number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device::{Capability, Device, System};
use super::errors::device_error;
use crate::error::SourceError;

/// What tells one camera from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    /// The device's name.
    pub(super) card: String,
    /// Where it is attached.
    pub(super) bus: String,
}

/// Which devices the cameras of this program are, by the paths that they were asked for by. So that none is taken for
/// another of the same make that is away.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    by_path: Arc<Mutex<HashMap<PathBuf, Identity>>>,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Identity>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device that the camera of this path was when it was last found.
    fn known(&self, path: &Path) -> Option<Identity> {
        self.lock().get(path).cloned()
    }

    /// Whether this device is another camera than that of this path.
    fn is_of_another(&self, path: &Path, identity: &Identity) -> bool {
        self.lock().iter().any(|(other, claimed)| other != path && claimed == identity)
    }

    fn claim(&self, path: &Path, identity: Identity) {
        self.lock().insert(path.to_owned(), identity);
    }
}

/// An open camera, and where it is.
pub(super) struct Found {
    pub(super) device: Box<dyn Device>,
    pub(super) identity: Identity,
    /// The path that was asked for, or the node that it came back as.
    pub(super) node: PathBuf,
}

/// Open the camera that is asked for by `path`: the very device that it was before, wherever it is now; else what is
/// at the path; else the only one of the same make.
pub(super) fn find(system: &dyn System, path: &Path, claims: &Claims) -> Result<Found, SourceError> {
    let asked = open_camera(system, path);
    let known = claims.known(path);
    let found = match (asked, known) {
        (Ok(found), None) => Ok(found),
        (Ok(found), Some(known)) if found.identity == known => Ok(found),
        (asked, Some(known)) => elsewhere(system, path, &known, claims).map_or(
            // Another camera was plugged in where this one was: it is the one now, unless it has a place already.
            asked.and_then(|found| {
                let taken = claims.is_of_another(path, &found.identity);
                if taken { Err(SourceError::NotFound { path: path.to_owned() }) } else { Ok(found) }
            }),
            Ok,
        ),
        (Err(error), None) => Err(error),
    }?;
    claims.claim(path, found.identity.clone());
    Ok(found)
}

/// This camera under another node.
fn elsewhere(system: &dyn System, path: &Path, known: &Identity, claims: &Claims) -> Option<Found> {
    let others = system.nodes().into_iter().filter(|node| node != path);
    let mut of_its_make: Vec<_> = others
        .filter_map(|node| open_camera(system, &node).ok())
        .filter(|found| found.identity.card == known.card && !claims.is_of_another(path, &found.identity))
        .collect();
    match of_its_make.iter().position(|found| found.identity == *known) {
        Some(same) => Some(of_its_make.swap_remove(same)),
        // At another plug. Of two, either could be the one.
        None if of_its_make.len() == 1 => of_its_make.pop(),
        None => None,
    }
}

/// Open the node, and check that it is a camera.
pub(super) fn open_camera(system: &dyn System, path: &Path) -> Result<Found, SourceError> {
    let not_camera = |reason: &str| SourceError::NotCamera { path: path.to_owned(), reason: reason.to_owned() };
    let device = system.open(path).map_err(|error| device_error(system, path, "open", error))?;
    let Capability { card, bus, captures, captures_planes, streams } =
        device.capability().map_err(|_| not_camera("it is no V4L2 device"))?;
    if !captures {
        return Err(not_camera(if captures_planes {
            "it has multi-planar buffers only"
        } else {
            "it captures no video"
        }));
    }
    if !streams {
        return Err(not_camera("its buffers cannot be mapped"));
    }
    Ok(Found { device, identity: Identity { card, bus }, node: path.to_owned() })
}
