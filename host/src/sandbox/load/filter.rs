//! Loads a filter of a camera.

use super::camera_component::{CameraComponent, Identity};
use super::candidate::Candidate;
use super::compatibility::{self, Incompatible, is_filter};
use super::compiler::{Cancellation, Priority};
use super::error::LoadError;
use super::linker::linker;
use super::loader::{compiled, link_error};
use crate::sandbox::engine::Sandbox;
use crate::sandbox::filter::bindings::FilteringPre;
use crate::sandbox::state::GuestState;

/// A compiled and linked filter, ready to be instantiated.
#[derive(Clone)]
pub struct LoadedFilter {
    pub(in crate::sandbox) filter: FilteringPre<GuestState>,
    identity: Identity,
}

impl CameraComponent for LoadedFilter {
    const ROLE: &'static str = "filter";

    fn load(
        candidate: &Candidate,
        sandbox: &Sandbox,
        priority: Priority,
        cancellation: &Cancellation,
    ) -> Result<Self, LoadError> {
        let origin = || candidate.origin.clone();
        let link_error = |error| link_error(candidate, &error);
        // What guests may import, although there are no cameras and channels.
        let linker = linker(sandbox.engine()).map_err(link_error)?;
        compatibility::check(&candidate.interfaces()?, linker.clone(), is_filter).map_err(|incompatible| {
            match incompatible {
                Incompatible::NoExport => LoadError::NotFilter(origin()),
                Incompatible::MissingImports { missing, has_export } => {
                    let lacking_export = (!has_export).then_some("hotshoe:camera/filter");
                    LoadError::MissingImports { origin: origin(), missing, lacking_export }
                }
            }
        })?;
        let component = compiled(candidate, sandbox, priority, cancellation)?;
        let linked = linker.instantiate_pre(&component).map_err(link_error)?;
        // Fails if the export has a wrong type.
        let filter = FilteringPre::new(linked).map_err(link_error)?;
        Ok(Self { filter, identity: Identity::of(candidate) })
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}
