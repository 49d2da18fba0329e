//! From running cameras to those of a new configuration.

use super::camera_spec::CameraSpec;
use super::cameras::{CamerasError, CommonOptions, ConfiguredCamera, GetSandbox, create_camera, named_sources};
use super::secret_files::SecretFiles;
use crate::camera::Cameras;
use crate::camera::v4l2::Devices;

/// What a new configuration makes of the cameras. Cameras whose configuration is the same are the same.
#[derive(Default)]
pub struct CameraChanges {
    /// All cameras, in order.
    pub all: Vec<ConfiguredCamera>,
    /// The names of new cameras.
    pub added: Vec<String>,
    /// The names of cameras with another configuration, or with other contents of a file that it names.
    pub changed: Vec<String>,
    /// The names of cameras that are no longer configured.
    pub removed: Vec<String>,
    /// The cameras that stay as they are, or are missing, until a restart.
    pub needs_restart: Vec<NeedsRestart>,
}

/// A camera that cannot be changed without a restart.
pub struct NeedsRestart {
    /// Its name.
    pub name: String,
    /// Why. Continues a sentence about the camera.
    pub reason: String,
}

/// A change of one camera.
#[derive(Clone, Copy)]
pub struct CameraChange<'a> {
    /// How it was configured. `None` if it is added.
    pub before: Option<&'a CameraSpec>,
    /// How it will be configured. `None` if it is removed.
    pub after: Option<&'a CameraSpec>,
}

/// Creates the cameras that `specs` describe and that are not running. Changes nothing: the result is to be put into
/// `cameras`. Opens new V4L2 devices briefly, and blocks while it does.
///
/// `permit` is asked about each change, first about cameras that are removed, which needs no permission. If it refuses
/// one, it says why, and that camera needs a restart.
pub fn change_cameras(
    running: &[ConfiguredCamera],
    specs: &[CameraSpec],
    cameras: &Cameras,
    common: CommonOptions,
    devices: &Devices,
    sandbox: GetSandbox<'_>,
    mut permit: impl FnMut(CameraChange<'_>) -> Result<(), String>,
) -> Result<CameraChanges, CamerasError> {
    let unchanged = unchanged(running, specs);
    // The devices and the names of cameras that stay are taken, even if `auto` would find another device now.
    let resolved: Vec<_> = specs.iter().zip(&unchanged).map(|(spec, same)| resolved(spec, *same)).collect();
    let named = named_sources(&resolved, devices)?;
    let mut changes = CameraChanges::default();
    for configured in running.iter().filter(|configured| named.iter().all(|(_, name)| name != configured.camera.name()))
    {
        // Frees what others may need.
        let _ = permit(CameraChange { before: Some(&configured.spec), after: None });
        changes.removed.push(configured.camera.name().to_owned());
    }
    for ((spec, same), (source, name)) in specs.iter().zip(&unchanged).zip(named) {
        let same_name = running.iter().find(|configured| configured.camera.name() == name);
        let change = CameraChange { before: same_name.map(|configured| &configured.spec), after: Some(spec) };
        if let Some(configured) = same {
            changes.all.push((*configured).clone());
        } else if let Err(reason) = permit(change) {
            changes.all.extend(same_name.cloned());
            changes.needs_restart.push(NeedsRestart { name, reason });
        } else {
            changes.all.push(create_camera(name.clone(), source, spec, devices, common, sandbox, cameras)?);
            if same_name.is_some() { changes.changed.push(name) } else { changes.added.push(name) }
        }
    }
    Ok(changes)
}

/// The running camera that has each configuration, with the files that it names, if there is one. Blocks while it reads
/// files.
fn unchanged<'a>(running: &'a [ConfiguredCamera], specs: &[CameraSpec]) -> Vec<Option<&'a ConfiguredCamera>> {
    // Several cameras without names may have the same configuration.
    let mut left: Vec<_> = running.iter().collect();
    let take = |spec: &CameraSpec| {
        let index = left.iter().position(|configured| configured.spec == *spec)?;
        let configured = left.remove(index);
        SecretFiles::read(spec).are_those_of(configured.files).then_some(configured)
    };
    specs.iter().map(take).collect()
}

/// A configuration with the source and the name that its camera has already.
fn resolved(spec: &CameraSpec, camera: Option<&ConfiguredCamera>) -> CameraSpec {
    let mut spec = spec.clone();
    if let Some(ConfiguredCamera { source, camera, .. }) = camera {
        spec.source = source.clone();
        spec.name = Some(camera.name().to_owned());
    }
    spec
}
