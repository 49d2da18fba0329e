//! From running cameras to those of a new configuration.

use super::camera_spec::CameraSpec;
use super::cameras::{CamerasError, CommonOptions, ConfiguredCamera, GetSandbox, create_camera, named_sources};
use crate::camera::Cameras;
use crate::camera::v4l2::Devices;
use crate::drivers::Drivers;
use crate::filters::FilterSlots;

/// What a new configuration makes of the cameras. Cameras whose configuration is the same are the same.
pub struct CameraChanges {
    /// All cameras, in order.
    pub all: Vec<ConfiguredCamera>,
    /// The names of new cameras.
    pub added: Vec<String>,
    /// The names of cameras with another configuration.
    pub changed: Vec<String>,
    /// The names of cameras that are no longer configured.
    pub removed: Vec<String>,
    /// The names of cameras that stay as they are until a restart.
    pub needs_restart: Vec<String>,
}

/// Creates the cameras that `specs` describe and that are not running. Changes nothing: the result is to be put into
/// `cameras`. Opens new V4L2 devices briefly, and blocks while it does.
///
/// Cameras that a component is part of need a restart, and so do new ones that start a program, unless
/// `may_start_programs`.
pub fn change_cameras(
    running: &[ConfiguredCamera],
    specs: &[CameraSpec],
    cameras: &Cameras,
    common: CommonOptions,
    devices: &Devices,
    sandbox: GetSandbox<'_>,
    may_start_programs: bool,
) -> Result<CameraChanges, CamerasError> {
    let needs_restart = |spec: &CameraSpec| spec.has_component() || (spec.runs_program() && !may_start_programs);
    let unchanged = unchanged(running, specs);
    // The devices and the names of cameras that stay are taken, even if `auto` would find another device now.
    let resolved: Vec<_> = specs.iter().zip(&unchanged).map(|(spec, same)| resolved(spec, *same)).collect();
    let mut changes =
        CameraChanges { all: vec![], added: vec![], changed: vec![], removed: vec![], needs_restart: vec![] };
    for ((spec, same), (source, name)) in specs.iter().zip(&unchanged).zip(named_sources(&resolved, devices)?) {
        let same_name = running.iter().find(|configured| configured.camera.name() == name);
        if let Some(configured) = same {
            changes.all.push((*configured).clone());
        } else if needs_restart(spec) || same_name.is_some_and(|configured| needs_restart(&configured.spec)) {
            changes.all.extend(same_name.cloned());
            changes.needs_restart.push(name);
        } else {
            let (mut drivers, mut filters) = (Drivers::default(), FilterSlots::default());
            let components = (&mut drivers, &mut filters);
            let camera = create_camera(name.clone(), &source, spec, devices, common, sandbox, components)?;
            changes.all.push(ConfiguredCamera { spec: spec.clone(), source, camera: cameras.adopt(camera) });
            if same_name.is_some() { changes.changed.push(name) } else { changes.added.push(name) }
        }
    }
    for configured in running {
        let name = configured.camera.name();
        if changes.all.iter().any(|camera| camera.camera.name() == name) {
            continue;
        }
        if configured.spec.has_component() {
            changes.all.push(configured.clone());
            changes.needs_restart.push(name.to_owned());
        } else {
            changes.removed.push(name.to_owned());
        }
    }
    Ok(changes)
}

/// The running camera that has each configuration, if there is one.
fn unchanged<'a>(running: &'a [ConfiguredCamera], specs: &[CameraSpec]) -> Vec<Option<&'a ConfiguredCamera>> {
    // Several cameras without names may have the same configuration.
    let mut left: Vec<_> = running.iter().collect();
    let take = |spec: &CameraSpec| {
        let index = left.iter().position(|configured| configured.spec == *spec)?;
        Some(left.remove(index))
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
