//! What channels are filled with: the stream of a camera, or the events.

use crate::bindings::exports::hotshoe::camera::publisher;
use crate::bindings::hotshoe::camera::cameras::{Feed, Frame};
use crate::bindings::hotshoe::camera::channels::Channel;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::events;
use crate::part::{Clocks, Extra, Format};

/// After this long without a new frame the newest is sent again. It tells browsers that the part is
/// complete, and clients that time out that the stream is alive.
const REPEAT_AFTER_NANOSECONDS: u64 = 1_000_000_000;

const SECOND_NANOSECONDS: u64 = 1_000_000_000;

/// The host's clocks.
pub const CLOCKS: Clocks = Clocks {
    monotonic: monotonic_clock::now,
    wall: || {
        let now = wall_clock::now();
        (now.seconds, now.nanoseconds)
    },
};

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
    let (camera, format) = Format::of_channel(name);
    // `stream` names channels after cameras, so it is there.
    let Ok(feed) = Feed::open(camera) else { return };
    let mut newest: Option<Shown> = None;
    let mut last_sequence = None;
    let mut pushes = Pushes::default();
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
            let more = |now| Extra { live: shown.live, skipped, rate: pushes.count(now) };
            let (head, tail) = format.around(camera, &info, more, CLOCKS);
            channel.push(head.as_bytes(), Some(&shown.frame), tail.as_bytes());
        }
    }
}

/// A frame, and whether the camera gave it.
struct Shown {
    frame: Frame,
    live: bool,
}

/// Counts the parts of each second.
#[derive(Default)]
struct Pushes {
    /// When the present second began.
    begun: u64,
    /// Its parts so far, and those of the one before.
    parts: u32,
    last: u32,
}

impl Pushes {
    /// One more at this moment, in nanoseconds. Returns how many there were in the last whole second.
    fn count(&mut self, now: u64) -> u32 {
        if now.saturating_sub(self.begun) >= SECOND_NANOSECONDS {
            (self.begun, self.last, self.parts) = (now, self.parts, 0);
        }
        self.parts += 1;
        self.last
    }
}
