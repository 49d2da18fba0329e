//! What the components of cameras need, and whether there is room for it.

use crate::config::CameraChange;
use crate::config::camera_spec::{CameraSpec, SourceSpec};
use crate::drivers::MAX_DRIVER_INSTANCES;
use crate::filters::MAX_FILTER_INSTANCES;
use crate::sandbox::{MAX_INSTANCE_REQUESTS, MAX_OPEN_FILES};

/// What the components of one camera, or of several, need at most.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct ComponentNeeds {
    /// How many instances they have at a time.
    pub(super) instances: u32,
    /// How many files and connections their drivers have open, as far as the options of the cameras grant any.
    pub(super) files: usize,
}

impl ComponentNeeds {
    /// The needs of one camera.
    pub(super) fn of(camera: &CameraSpec) -> Self {
        let filters = camera.filters.len() as u32 * MAX_FILTER_INSTANCES;
        if !matches!(camera.source, SourceSpec::Component(_)) {
            return Self { instances: filters, files: 0 };
        }
        let files = camera.driver.directory.as_ref().map_or(0, |_| MAX_OPEN_FILES);
        let requests = if camera.driver.outgoing.is_empty() { 0 } else { MAX_INSTANCE_REQUESTS };
        Self { instances: MAX_DRIVER_INSTANCES + filters, files: (files + requests) * MAX_DRIVER_INSTANCES as usize }
    }

    /// The needs of all these cameras together.
    pub(super) fn of_all<'a>(cameras: impl IntoIterator<Item = &'a CameraSpec>) -> Self {
        cameras.into_iter().map(Self::of).fold(Self::default(), |sum, needs| Self {
            instances: sum.instances + needs.instances,
            files: sum.files + needs.files,
        })
    }
}

/// The room that components of cameras have until the next start, and how much of it they use.
pub(super) struct ComponentRoom {
    most: ComponentNeeds,
    used: ComponentNeeds,
}

impl ComponentRoom {
    /// There is room for `most`, and `used` of it is in use.
    pub(super) fn new(most: ComponentNeeds, used: ComponentNeeds) -> Self {
        Self { most, used }
    }

    /// Notes the change of a camera. Fails if there is no room for what it needs in addition, and then notes nothing.
    pub(super) fn change(&mut self, CameraChange { before, after }: CameraChange<'_>) -> Result<(), String> {
        let [before, after] = [before, after].map(|camera| camera.map(ComponentNeeds::of).unwrap_or_default());
        let others = ComponentNeeds {
            instances: self.used.instances.saturating_sub(before.instances),
            files: self.used.files.saturating_sub(before.files),
        };
        let free = ComponentNeeds {
            instances: self.most.instances.saturating_sub(others.instances),
            files: self.most.files.saturating_sub(others.files),
        };
        if after.instances > free.instances.max(before.instances) {
            let (needed, free) = (after.instances, free.instances);
            return Err(format!(
                "its driver and filters need {needed} instances, and of those that were reserved at the start, {free} are left"
            ));
        }
        if after.files > free.files.max(before.files) {
            let (needed, free) = (after.files, free.files);
            return Err(format!(
                "its driver may open {needed} files and connections, and the limit on open files (`ulimit -n`) allows {free} more"
            ));
        }
        self.used = ComponentNeeds { instances: others.instances + after.instances, files: others.files + after.files };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(spec: &str) -> CameraSpec {
        spec.parse().unwrap()
    }

    #[test]
    fn what_a_changed_or_removed_camera_has_used_is_free_for_others() {
        let (driver, filtered) = (camera("component:a.wasm"), camera("emulated,filter=a.wasm,filter=b.wasm"));
        let reading = camera("component:a.wasm,dir=files");
        let of = ComponentNeeds::of;
        assert_eq!((of(&driver).instances, of(&filtered).instances, of(&driver).files), (3, 4, 0));
        let most = ComponentNeeds { instances: 7, files: of(&reading).files };
        let mut room = ComponentRoom::new(most, ComponentNeeds::of_all([&driver, &filtered]));
        let added = CameraChange { before: None, after: Some(&driver) };
        let reason = room.change(added).unwrap_err();
        assert!(reason.starts_with("its driver and filters need 3 instances, and ") && reason.contains(" 0 are left"));
        room.change(CameraChange { before: Some(&filtered), after: None }).unwrap();
        room.change(added).unwrap();
        room.change(CameraChange { before: Some(&driver), after: Some(&reading) }).unwrap();
        let second = CameraChange { before: Some(&driver), after: Some(&reading) };
        assert!(room.change(second).unwrap_err().contains("allows 0 more"));
    }

    #[test]
    fn a_camera_that_needs_no_more_than_before_is_never_refused() {
        let (more, less) = (camera("component:a.wasm,filter=b.wasm"), camera("component:a.wasm"));
        let mut room = ComponentRoom::new(ComponentNeeds::default(), ComponentNeeds::of(&more));
        room.change(CameraChange { before: Some(&more), after: Some(&less) }).unwrap();
        assert!(room.change(CameraChange { before: Some(&less), after: Some(&more) }).is_err());
        room.change(CameraChange { before: Some(&less), after: Some(&camera("emulated")) }).unwrap();
    }
}
