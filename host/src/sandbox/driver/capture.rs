//! The host side of `hotshoe:camera/capture`.

use std::time::Duration;

use tokio::sync::watch;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::hotshoe::camera::capture as wit;
use super::state::DriverState;
use crate::camera::Timestamp;

/// The largest image that a driver may deliver, in bytes. Cameras with 20 megapixels stay below it. The instance holds
/// it, too, and has 32 MiB by default.
const MAX_IMAGE: usize = 8 << 20;

/// The most that a driver may pass to the host in one call, in bytes; a call that exceeds it traps. Twice the largest
/// image, so that `push` can report one that is too large.
pub(super) const HOSTCALL_FUEL: usize = 2 * MAX_IMAGE;

impl wit::Host for DriverState {
    fn push(&mut self, image: Vec<u8>, captured: Option<u64>) -> Result<Result<(), wit::ErrorCode>> {
        let captured = match captured {
            Some(nanoseconds) => Timestamp::from_monotonic(Duration::from_nanos(nanoseconds)),
            None => Timestamp::now(),
        };
        let mut newest = self.newest.lock();
        if image.len() > MAX_IMAGE {
            newest.note_malformed("it is too large");
            return Ok(Err(wit::ErrorCode::TooLarge(MAX_IMAGE as u64)));
        }
        Ok(newest.push(image.into(), captured).map_err(|error| wit::ErrorCode::NotJpeg(error.to_string())))
    }

    fn is_closing(&mut self) -> Result<bool> {
        Ok(*self.closing.borrow())
    }

    fn subscribe_closing(&mut self) -> Result<Resource<DynPollable>> {
        let closing = self.table.push(Closing(self.closing.clone()))?;
        subscribe(&mut self.table, closing)
    }
}

/// Becomes ready when the driver should end.
struct Closing(watch::Receiver<bool>);

#[async_trait]
impl Pollable for Closing {
    async fn ready(&mut self) {
        // Fails if the run was dropped, which ends the instance.
        let _ = self.0.wait_for(|is_closing| *is_closing).await;
    }
}
