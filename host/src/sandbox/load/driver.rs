//! Loads the driver of a camera.

use super::camera_component::{CameraComponent, Identity};
use super::candidate::Candidate;
use super::compatibility::{self, Incompatible, is_source};
use super::compiler::{Cancellation, Priority};
use super::error::LoadError;
use super::linker::driver_linker;
use super::loader::{compiled, link_error};
use crate::sandbox::driver::bindings::DriverPre;
use crate::sandbox::driver::state::DriverState;
use crate::sandbox::engine::Sandbox;

/// A compiled and linked driver, ready to be instantiated.
#[derive(Clone)]
pub struct LoadedDriver {
    pub(in crate::sandbox) driver: DriverPre<DriverState>,
    identity: Identity,
}

impl CameraComponent for LoadedDriver {
    const ROLE: &'static str = "driver";

    fn load(
        candidate: &Candidate,
        sandbox: &Sandbox,
        priority: Priority,
        cancellation: &Cancellation,
    ) -> Result<Self, LoadError> {
        let origin = || candidate.origin.clone();
        let link_error = |error| link_error(candidate, &error);
        let linker = driver_linker(sandbox.engine()).map_err(link_error)?;
        let interfaces = candidate.interfaces()?;
        compatibility::check(&interfaces, linker.clone(), is_source).map_err(|incompatible| match incompatible {
            Incompatible::NoExport => LoadError::NotDriver(origin()),
            Incompatible::MissingImports { missing, has_export } => {
                let lacking_export = (!has_export).then_some("hotshoe:camera/source");
                LoadError::MissingImports { origin: origin(), missing, lacking_export }
            }
        })?;
        let component = compiled(candidate, sandbox, priority, cancellation)?;
        let linked = linker.instantiate_pre(&component).map_err(link_error)?;
        // Fails if the export has a wrong type.
        let driver = DriverPre::new(linked).map_err(link_error)?;
        Ok(Self { driver, identity: Identity::of(candidate) })
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
