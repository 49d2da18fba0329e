//! Reads a camera for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::camera::{Camera, Feed, Frame, State};

/// How long to wait for the first picture. A device that does not answer is reported after 6 seconds, a silent one
/// after 3; a source on the network may take longer.
pub(super) const FIRST_PICTURE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait for the camera to close, so that a child process of the source ends with it. A device that has
/// stopped answering never closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What reading the camera found out.
pub(super) struct Outcome {
    /// From opening the camera to its first picture.
    pub(super) first_picture_after: Option<Duration>,
    /// The newest picture.
    pub(super) newest: Option<Arc<Frame>>,
    /// The reasons of all outages, in order.
    pub(super) outages: Vec<String>,
}

/// Reads the camera for `length` after its first picture, or until an outage before that, and closes it.
pub(super) async fn read(camera: &Arc<Camera>, length: Duration) -> Outcome {
    let mut feed = camera.feed();
    let supervising = tokio::spawn(camera.clone().supervise_once());
    let opening = Instant::now();
    let mut outcome = Outcome { first_picture_after: None, newest: None, outages: Vec::new() };
    let first = feed.next(FIRST_PICTURE_TIMEOUT).await;
    match first {
        Some(_) => {
            outcome.first_picture_after = Some(opening.elapsed());
            outcome.newest = first;
            read_until(&mut feed, Instant::now() + length, &mut outcome).await;
        }
        None => outcome.outages.extend(outage(&feed)),
    }
    drop(feed);
    // Neither a panic, which was logged, nor a device that does not close changes the report.
    let _ = timeout(CLOSE_TIMEOUT, supervising).await;
    outcome
}

/// Reads pictures until `end`, across outages.
async fn read_until(feed: &mut Feed, end: Instant, outcome: &mut Outcome) {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match feed.next(left).await {
            Some(frame) => outcome.newest = Some(frame),
            // An outage has begun, or the time is up.
            None => outcome.outages.extend(outage(feed)),
        }
    }
}

/// The reason why the camera delivers nothing.
fn outage(feed: &Feed) -> Option<String> {
    match feed.camera().status().state {
        State::Lost(outage) => Some(outage.message.to_string()),
        State::Idle | State::Starting | State::Live => None,
    }
}
