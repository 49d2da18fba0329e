//! The results of all cameras.

use std::sync::{Arc, Mutex, PoisonError};

use super::camera_results::CameraResults;
use super::entries::Entry;
use super::events::{Event, EventChanges, Events};
use super::findings::{Findings, FindingsError};
use super::reader::Reader;
use super::zones::{self, Corner, Zone};
use crate::camera::{Cameras, JpegImage, Timestamp};

/// Why results cannot be attached.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachError {
    /// No camera has this name.
    #[error("there is no camera with this name")]
    UnknownCamera,
    /// The frame is not in the history of the camera.
    #[error("the camera has delivered no frame with this number, or it is no longer in its history")]
    UnknownFrame,
    /// The results are invalid.
    #[error(transparent)]
    Findings(#[from] FindingsError),
}

/// The results of all cameras. Clones share them.
#[derive(Clone)]
pub struct Results {
    cameras: Cameras,
    /// Of the cameras whose results were asked for, as far as they exist.
    of_cameras: Arc<Mutex<Vec<Arc<CameraResults>>>>,
    events: Arc<Events>,
}

impl Results {
    /// Creates the results of these cameras, which are empty.
    pub fn new(cameras: &Cameras) -> Self {
        Self { cameras: cameras.clone(), of_cameras: Arc::default(), events: Arc::default() }
    }

    /// Attaches results to a frame, for a guest of this generation. Those of an older generation than the last are
    /// ignored. `image` is the picture to keep for an event; without one, it is the frame, if the camera still has it.
    ///
    /// # Errors
    ///
    /// Fails if the camera or the frame is unknown, or if the results are invalid, and changes nothing then.
    pub fn attach(
        &self,
        camera: &str,
        sequence: u64,
        findings: Findings,
        image: Option<JpegImage>,
        generation: u64,
    ) -> Result<(), AttachError> {
        let (results, findings, timestamp) = self.validate(camera, sequence, findings)?;
        let attached = {
            let mut entries = results.entries();
            let attached = entries.attach(sequence, timestamp, findings, generation)?;
            // Under the lock, so that the number never decreases.
            results.newest.send_replace(entries.revision());
            attached
        };
        if let Some(entry) = attached {
            let image = || image.or_else(|| Some(results.camera.frame(sequence)?.image.clone()));
            self.events.observe(results.camera.name(), &entry, image);
        }
        Ok(())
    }

    /// Checks whether results can be attached to a frame that has none, and attaches nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Self::attach`].
    pub fn check(&self, camera: &str, sequence: u64, findings: Findings) -> Result<(), AttachError> {
        self.validate(camera, sequence, findings).map(drop)
    }

    fn validate(
        &self,
        camera: &str,
        sequence: u64,
        findings: Findings,
    ) -> Result<(Arc<CameraResults>, Findings, Timestamp), AttachError> {
        let results = self.of_camera(camera).ok_or(AttachError::UnknownCamera)?;
        let findings = findings.checked()?;
        let record = results.camera.record_of(sequence).ok_or(AttachError::UnknownFrame)?;
        Ok((results, findings, record.timestamp))
    }

    /// Replaces the zones with this label of a camera, for a guest of this generation. Those of an older generation than
    /// the last are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the camera is unknown, or if the zones are invalid or too many, and changes nothing then.
    pub fn set_zones(
        &self,
        camera: &str,
        label: &str,
        zones: Vec<Vec<Corner>>,
        generation: u64,
    ) -> Result<(), AttachError> {
        self.check_zones(camera, label, &zones)?;
        let results = self.of_camera(camera).ok_or(AttachError::UnknownCamera)?;
        results.entries().set_zones(label, zones, generation)?;
        Ok(())
    }

    /// Checks whether zones can be set for a camera that has none, and changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Self::set_zones`].
    pub fn check_zones(&self, camera: &str, label: &str, zones: &[Vec<Corner>]) -> Result<(), AttachError> {
        self.of_camera(camera).ok_or(AttachError::UnknownCamera)?;
        Ok(zones::check(label, zones)?)
    }

    /// Returns the zones of a camera, or `None` if there is no such camera.
    pub fn zones(&self, camera: &str) -> Option<Vec<Zone>> {
        Some(self.of_camera(camera)?.entries().zones().to_vec())
    }

    /// Starts to read the results of the camera with this name. Returns `None` if there is no such camera.
    pub fn reader(&self, camera: &str) -> Option<Reader> {
        Some(Reader::new(self.of_camera(camera)?))
    }

    /// Returns the results of a frame: `None` if there is no such camera, `Some(None)` if there are none.
    pub fn entry(&self, camera: &str, sequence: u64) -> Option<Option<Arc<Entry>>> {
        Some(self.of_camera(camera)?.entries().of_frame(sequence))
    }

    /// Returns the frame that got results last: `None` if there is no such camera, `Some(None)` if no frame did.
    pub fn newest_entry(&self, camera: &str) -> Option<Option<Arc<Entry>>> {
        Some(self.of_camera(camera)?.entries().newest())
    }

    /// Returns the most recent events of all cameras, ordered by their numbers.
    pub fn events(&self) -> Vec<Event> {
        self.events.list()
    }

    /// Returns the best image of an event, if there is one.
    pub fn event_image(&self, id: u64) -> Option<JpegImage> {
        self.events.image(id)
    }

    /// Returns the beginnings and ends of events from now on.
    pub fn event_changes(&self) -> EventChanges {
        EventChanges::new(self.events.clone())
    }

    /// Returns how many times results were attached to frames of the camera with this name since the server started. 0
    /// if there is no such camera.
    pub fn count_attached(&self, camera: &str) -> u64 {
        self.of_camera(camera).map_or(0, |results| *results.newest.borrow())
    }

    /// Returns how many events have begun since the server started.
    pub fn count_events(&self) -> u64 {
        self.events.count_begun()
    }

    /// The results of the camera with this name. They begin empty, and again when the camera is replaced.
    fn of_camera(&self, name: &str) -> Option<Arc<CameraResults>> {
        let camera = self.cameras.get(name)?;
        // Nothing that runs under the lock can leave the list inconsistent.
        let mut of_cameras = self.of_cameras.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(results) = of_cameras.iter().find(|results| Arc::ptr_eq(&results.camera, &camera)) {
            return Some(results.clone());
        }
        of_cameras.retain(|results| !results.camera.is_removed());
        let results = Arc::new(CameraResults::new(camera));
        of_cameras.push(results.clone());
        Some(results)
    }
}
