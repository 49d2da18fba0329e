//! What channels are filled with: the stream of a camera, or the events.

use crate::bindings::exports::hotshoe::camera::publisher;
use crate::bindings::hotshoe::camera::cameras::{Feed, Frame};
use crate::bindings::hotshoe::camera::channels::Channel;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::events;
use crate::part::{Framing, Sending};

/// After this long without a new frame the newest is sent again. It tells browsers that the part is
/// complete, and clients that time out that the stream is alive.
const REPEAT_AFTER_NANOSECONDS: u64 = 1_000_000_000;

impl publisher::Guest for crate::Guest {
    /// Fill a channel, part by part. The host calls this in an instance of its own, and ends that when nobody watches
    /// any more.
    fn publish(channel: Channel) {
        match channel.name().as_str() {
            events::CHANNEL => events::publish(&channel),
            name => publish_camera(&channel, name),
        }
    }
}

/// Push part after part, each with the newest frame of the camera that the channel is named after.
fn publish_camera(channel: &Channel, name: &str) {
    let (camera, framing) = Framing::of_channel(name);
    // `stream` names channels after cameras, so it is there.
    let Ok(feed) = Feed::open(camera) else { return };
    let mut newest: Option<Shown> = None;
    let mut last_sequence = None;
    loop {
        // No error is possible while only one or two frames are held.
        newest = match feed.blocking_next(REPEAT_AFTER_NANOSECONDS) {
            Ok(Some(frame)) => Some(Shown { frame, live: true }),
            // Silent, or lost: then viewers are shown why, and stay.
            _ => feed.placeholder().ok().flatten().map(|frame| Shown { frame, live: false }).or(newest),
        };
        if let Some(shown) = &newest {
            let info = shown.frame.info();
            let skipped = last_sequence.map_or(0, |last| info.sequence.saturating_sub(last + 1));
            last_sequence = Some(info.sequence);
            let (head, tail) = framing.around(&info, shown.live, skipped, sending());
            channel.push(head.as_bytes(), Some(&shown.frame), tail.as_bytes());
        }
    }
}

/// A frame, and whether the camera gave it.
struct Shown {
    frame: Frame,
    live: bool,
}

/// This moment.
pub fn sending() -> Sending {
    let wall = wall_clock::now();
    Sending { monotonic: monotonic_clock::now(), wall: (wall.seconds, wall.nanoseconds) }
}
