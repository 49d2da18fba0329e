//! What channels are filled with: the stream of a camera, or the events.

use crate::bindings::exports::hotshoe::server::publisher;
use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::{Frame, Image};
use crate::bindings::hotshoe::server::channels::Channel;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::events;
use crate::part::{Clocks, Extra, Format, PartInfo};

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
    let mut newest: Option<Picture> = None;
    let mut last_sequence = None;
    let mut pushes = Pushes::default();
    loop {
        // Only one or two images are held at a time, so this cannot fail.
        newest = match feed.blocking_next(REPEAT_AFTER_NANOSECONDS) {
            Ok(Some(frame)) => Some(Picture::of_frame(frame)),
            // No new frame: either the camera is lost, and viewers see why, or the newest picture is repeated.
            _ => {
                let placeholder = feed.placeholder().ok().flatten();
                placeholder.map(|image| Picture::of_placeholder(image, last_sequence)).or(newest)
            }
        };
        if let Some(Picture { image, info, is_live }) = &newest {
            let skipped = last_sequence.map_or(0, |last| info.sequence.saturating_sub(last + 1));
            if *is_live {
                last_sequence = Some(info.sequence);
            }
            let extra = |now| Extra { live: *is_live, skipped, rate: pushes.count(now) };
            let (head, tail) = format.around(camera, info, extra, CLOCKS);
            // Head and tail are much shorter than the limit, so this cannot fail.
            let _ = channel.push(head.as_bytes(), Some(image), tail.as_bytes());
        }
    }
}

/// An image to push.
struct Picture {
    image: Image,
    info: PartInfo,
    /// Whether it is a frame, rather than a placeholder.
    is_live: bool,
}

impl Picture {
    fn of_frame(frame: Frame) -> Self {
        let Frame { sequence, monotonic_time, wall_time, image } = frame;
        let described = image.info();
        let info = PartInfo {
            sequence,
            monotonic_time,
            wall_time,
            dimensions: described.dimensions,
            length: described.length,
        };
        Self { image, info, is_live: true }
    }

    /// A placeholder has neither a number nor a time of capture. Clients are told the number of the last frame, or 0, and
    /// the current time.
    fn of_placeholder(image: Image, last_sequence: Option<u64>) -> Self {
        let described = image.info();
        let info = PartInfo {
            sequence: last_sequence.unwrap_or_default(),
            monotonic_time: monotonic_clock::now(),
            wall_time: wall_clock::now(),
            dimensions: described.dimensions,
            length: described.length,
        };
        Self { image, info, is_live: false }
    }
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
