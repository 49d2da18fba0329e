//! `hotshoe probe`: opens a camera for a few seconds, reports what it delivers, and saves a picture.
//!
//! The camera is opened and read as the server does it, so the report covers every kind of source, encoding included.
//!
//! * `reading`: reads the camera. `report`: the text. `picture`: the file.

mod picture;
mod reading;
mod report;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;

use self::picture::PictureFile;
use self::reading::{FIRST_PICTURE_TIMEOUT, read};
use self::report::Report;
use super::error::CommandError;
use super::output::print;
use crate::camera::Cameras;
use crate::camera::v4l2::Devices;
use crate::config::cli::ProbeArgs;
use crate::config::{CommonOptions, ConfiguredCamera, default_cache_dir, find_cameras};
use crate::drivers::MAX_DRIVER_INSTANCES;
use crate::filters::MAX_FILTER_INSTANCES;
use crate::process::open_files;
use crate::sandbox::{CompileCache, Sandbox};

/// Reads the camera, prints the report and saves a picture. Fails if there is none.
pub(super) fn run(args: &ProbeArgs) -> Result<(), CommandError> {
    // Before the camera is opened, because the user must choose another name.
    let file = PictureFile::choose(args.output.as_deref())?;
    let mut spec = args.camera.clone();
    // Otherwise it would never close.
    spec.keep_open = false;
    let common = CommonOptions { linger: Duration::ZERO, allow_truncated: args.allow_truncated };
    open_files::raise_limit();
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CommandError::System)?;
    let sandbox = || {
        let instances = MAX_DRIVER_INSTANCES + args.camera.filters.len() as u32 * MAX_FILTER_INSTANCES;
        let sandbox = Sandbox::new(instances, args.guest_memory, open_cache())?;
        sandbox.run_pixels_on(runtime.handle().clone());
        Ok(Arc::new(sandbox))
    };
    let configured = find_cameras(&[spec], common, &Devices::new(), &sandbox, &Cameras::default())?;
    // One spec yields one camera.
    let Some(ConfiguredCamera { camera, components, .. }) = configured.first() else { return Ok(()) };
    components.run_requests_on(runtime.handle());
    let outcome = runtime.block_on(async {
        // Compiling takes no part in the time to the first picture.
        components.preload().await;
        read(camera, args.seconds).await
    });
    // Without waiting for a thread that is blocked by the device.
    runtime.shutdown_background();
    let saved = outcome.newest.as_ref().map(|frame| file.save(&frame.image)).transpose();
    let saved_as = saved.as_ref().ok().and_then(Option::as_deref);
    print(&Report::new(camera, &outcome, saved_as).to_string())?;
    match saved? {
        Some(_) => Ok(()),
        None => {
            let seconds = FIRST_PICTURE_TIMEOUT.as_secs();
            let silent = || format!("the camera delivered nothing in {seconds} seconds");
            Err(CommandError::NoPicture(outcome.outages.last().cloned().unwrap_or_else(silent)))
        }
    }
}

/// The cache that a server uses by default, if there is one.
fn open_cache() -> Option<CompileCache> {
    CompileCache::open(&default_cache_dir()?).ok()
}
