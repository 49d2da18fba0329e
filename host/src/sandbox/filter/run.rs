//! A running filter: an instance that filters one frame after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use wasmtime::Store;

use super::bindings::Filtering;
use super::error::FilterError;
use crate::camera::{Cameras, Frame, JpegImage};
use crate::channels::Channels;
use crate::results::Results;
use crate::sandbox::author::Author;
use crate::sandbox::engine::Sandbox;
use crate::sandbox::grants::Grants;
use crate::sandbox::imports::frames::MAX_IMAGES;
use crate::sandbox::lifecycle::Lifecycle;
use crate::sandbox::load::camera_component::CameraComponent as _;
use crate::sandbox::load::filter::LoadedFilter;
use crate::sandbox::state::GuestState;
use crate::sandbox::store::{HostContext, component_store};
use crate::sandbox::usage::Usage;

/// How long a filter may take for a frame, including the creation of its instance. A frame of the largest size takes
/// half a second to decode and encode, on a slow machine several times that; and the camera cannot close meanwhile.
const FRAME_TIME: Duration = Duration::from_secs(3);

/// What a filter may use.
#[derive(Clone, Debug, Default)]
pub struct FilterSettings {
    /// The name of the camera, for the log.
    pub camera: Arc<str>,
    /// What the filter may use besides pixels.
    pub grants: Grants,
}

/// A running filter.
pub struct FilterRun {
    store: Store<GuestState>,
    filter: Filtering,
    usage: Arc<Usage>,
}

impl FilterRun {
    /// Creates an instance of a filter, which sees no camera, channel or guest. Must be called within a Tokio runtime.
    pub async fn start(
        sandbox: Arc<Sandbox>,
        filter: &LoadedFilter,
        settings: &FilterSettings,
    ) -> Result<Self, FilterError> {
        let usage = sandbox.usage_by_role().filters.clone();
        let (channels, _) = Channels::new(0);
        let cameras = Cameras::default();
        let host = HostContext {
            sandbox,
            results: Results::new(&cameras),
            cameras,
            allow_control: false,
            grants: settings.grants.clone(),
            channels,
        };
        let author = Author::Camera { role: LoadedFilter::ROLE, camera: settings.camera.clone() };
        // It belongs to the camera, and ends with it.
        let (_, lifecycle) = Lifecycle::begin(0, filter.identity().digest.clone());
        let mut store = component_store(&host, author, lifecycle, false, false);
        let instantiating = filter.filter.instantiate_async(&mut store);
        let filter = in_time(usage.clone().measure(instantiating)).await?;
        Ok(Self { store, filter, usage })
    }

    /// Filters a frame. After an error, the instance cannot be used any more.
    pub async fn apply(&mut self, frame: &Frame) -> Result<Option<JpegImage>, FilterError> {
        let Self { store, filter, usage } = self;
        let state = store.data_mut();
        state.interruptions.store(0, Ordering::Relaxed);
        if !state.may_hold_image() {
            return Err(FilterError::TooManyImages(MAX_IMAGES));
        }
        let frame = state.push_frame(frame).map_err(|error| FilterError::from_wasmtime(&error))?;
        let exports = filter.hotshoe_camera_filter();
        let applying = usage.clone().measure(exports.call_apply(&mut *store, frame));
        let Some(frame) = in_time(applying).await? else { return Ok(None) };
        let image = store.data_mut().take_image(frame.image).map_err(|error| FilterError::from_wasmtime(&error))?;
        Ok(Some(image))
    }
}

/// Waits for a future as long as a filter may take.
async fn in_time<T>(future: impl Future<Output = wasmtime::Result<T>>) -> Result<T, FilterError> {
    match timeout(FRAME_TIME, future).await {
        Ok(result) => result.map_err(|error| FilterError::from_wasmtime(&error)),
        Err(_) => Err(FilterError::Late(FRAME_TIME)),
    }
}
