//! The components of cameras, which come and go with their cameras.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::camera::Camera;
use crate::config::ConfiguredCamera;
use crate::drivers::Drivers;
use crate::filters::FilterSlots;
use crate::process::supervisor::{Backoff, restart_on_panic};
use crate::sandbox::CameraComponent;
use crate::swap::CameraSlot;
use crate::swap::watch::watch;

/// The components of all cameras.
pub(super) struct ComponentTasks {
    drivers: Drivers,
    filters: FilterSlots,
    /// Components are loaded and watched here, and the requests of drivers run here.
    runtime: Handle,
    /// Whether the files of components are watched.
    watches: bool,
    /// The cameras that are known, each with the tasks that watch its files. Dropping these ends the tasks.
    watched: Mutex<Vec<(Arc<Camera>, JoinSet<()>)>>,
}

impl ComponentTasks {
    /// Without cameras. With `watches`, components are replaced when their files change.
    pub(super) fn new(runtime: Handle, watches: bool) -> Self {
        let (drivers, filters) = (Drivers::default(), FilterSlots::default());
        Self { drivers, filters, runtime, watches, watched: Mutex::default() }
    }

    /// The drivers of all cameras.
    pub(super) fn drivers(&self) -> &Drivers {
        &self.drivers
    }

    /// The filters of all cameras.
    pub(super) fn filters(&self) -> &FilterSlots {
        &self.filters
    }

    /// From now on, these are all cameras. Loads the components of those that are new, and stops watching the files of
    /// those that are missing.
    pub(super) fn replace_cameras(&self, cameras: &[ConfiguredCamera]) {
        // No code that holds the lock can leave the list inconsistent.
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|(known, _)| cameras.iter().any(|configured| Arc::ptr_eq(&configured.camera, known)));
        let mut new = Vec::new();
        for ConfiguredCamera { camera, components, .. } in cameras {
            if watched.iter().any(|(known, _)| Arc::ptr_eq(known, camera)) {
                continue;
            }
            components.run_requests_on(&self.runtime);
            let mut tasks = JoinSet::new();
            if self.watches {
                components.driver.iter().for_each(|driver| self.watch(driver, &mut tasks));
                components.filters.iter().for_each(|filter| self.watch(filter, &mut tasks));
            }
            watched.push((camera.clone(), tasks));
            new.push(components.clone());
        }
        self.drivers.replace(cameras.iter().filter_map(|configured| configured.components.driver.clone()));
        self.filters.replace(cameras.iter().flat_map(|configured| configured.components.filters.clone()));
        self.runtime.spawn(async move {
            for components in new {
                components.preload().await;
            }
        });
    }

    fn watch<C: CameraComponent>(&self, slot: &CameraSlot<C>, tasks: &mut JoinSet<()>) {
        let (file, slot): (PathBuf, _) = (slot.file().to_owned(), Arc::new(slot.clone()));
        let task = async move {
            let name = format!("the watcher of {}", file.display());
            // What is loaded already is not loaded again.
            restart_on_panic(&name, Backoff::DEFAULT, || watch(file.clone(), None, slot.clone())).await;
        };
        tasks.spawn_on(task, &self.runtime);
    }
}
