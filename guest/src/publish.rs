//! The stream of one camera, built once for all who watch it.

use crate::bindings::exports::hotshoe::camera::publisher;
use crate::bindings::hotshoe::camera::cameras::{Feed, Frame};
use crate::bindings::hotshoe::camera::channels::Channel;
use crate::part;

/// After this long without a new frame the newest is sent again. It tells browsers that the part is
/// complete, and clients that time out that the stream is alive.
const REPEAT_AFTER_NANOSECONDS: u64 = 1_000_000_000;

impl publisher::Guest for crate::Guest {
    /// Push part after part, each with the newest frame of the camera that the channel is named after. The host
    /// calls this in an instance of its own, and ends that when nobody watches any more.
    fn publish(channel: Channel) {
        // `stream` names channels after cameras, so it is there.
        let Ok(feed) = Feed::open(&channel.name()) else { return };
        let mut newest: Option<Frame> = None;
        loop {
            // No error is possible while only one or two frames are held.
            match feed.blocking_next(REPEAT_AFTER_NANOSECONDS) {
                Ok(Some(frame)) => newest = Some(frame),
                // Silent, or lost: then viewers are shown why, and stay.
                _ => newest = feed.placeholder().ok().flatten().or(newest),
            }
            if let Some(frame) = &newest {
                let info = frame.info();
                let head = part::head(info.length, info.captured_on.seconds, info.captured_on.nanoseconds);
                channel.push(head.as_bytes(), Some(frame), part::TAIL);
            }
        }
    }
}
