//! The publisher of the channels: streams of cameras, and events.

use crate::bindings::exports::hotshoe::server::publisher;
use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::{Frame, Image};
use crate::bindings::hotshoe::server::channels::Channel;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::component::Component;
use crate::events;
use crate::multipart::{Clocks, Format, PartInfo, StreamStatus};

/// The newest picture is sent again if there is no new frame for this long. It tells browsers that the part is
/// complete, and keeps clients from timing out.
const REPEAT_NANOSECONDS: u64 = 1_000_000_000;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The clocks of the host.
pub const CLOCKS: Clocks = Clocks { monotonic: monotonic_clock::now, wall: wall_clock::now };

impl publisher::Guest for Component {
    /// Publishes a channel. The host ends the instance after the last viewer has left.
    fn publish(channel: Channel) {
        match channel.name().as_str() {
            events::CHANNEL => events::publish(&channel),
            name => publish_camera(&channel, name),
        }
    }
}

/// Publishes the stream that the channel is named after.
fn publish_camera(channel: &Channel, name: &str) {
    let (camera, format) = Format::of_channel(name);
    // `stream` derives the names of channels from existing cameras, so this cannot fail.
    let Ok(feed) = Feed::open(camera) else { return };
    let mut newest: Option<Picture> = None;
    let mut last_sequence = None;
    let mut rate = PushRate::default();
    loop {
        // At most two images are held at a time, so there is no error.
        newest = match feed.blocking_next(REPEAT_NANOSECONDS) {
            Ok(Some(frame)) => Some(Picture::of_frame(frame)),
            // No new frame: if the camera is lost, show why; otherwise repeat the newest picture.
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
            let status = |now| StreamStatus { is_live: *is_live, skipped, rate: rate.count(now) };
            let (head, tail) = format.around(camera, info, status, CLOCKS);
            // Fails only if the headers are too long, which they are not.
            let _ = channel.push(head.as_bytes(), Some(image), tail.as_bytes());
        }
    }
}

/// The image of a part.
struct Picture {
    image: Image,
    info: PartInfo,
    /// Whether it is a frame rather than a placeholder.
    is_live: bool,
}

impl Picture {
    fn of_frame(frame: Frame) -> Self {
        let Frame { sequence, monotonic_time, wall_time, image } = frame;
        let info = PartInfo { sequence, monotonic_time, wall_time, image: image.info() };
        Self { image, info, is_live: true }
    }

    /// Creates a picture of a placeholder, which has neither a sequence number nor a time of capture. Clients receive
    /// the number of the last frame, or 0, and the current time.
    fn of_placeholder(image: Image, last_sequence: Option<u64>) -> Self {
        let info = PartInfo {
            sequence: last_sequence.unwrap_or_default(),
            monotonic_time: monotonic_clock::now(),
            wall_time: wall_clock::now(),
            image: image.info(),
        };
        Self { image, info, is_live: false }
    }
}

/// Counts the parts per second.
#[derive(Default)]
struct PushRate {
    /// When the current second began, in nanoseconds.
    began: u64,
    /// The number of parts in the current second.
    current: u32,
    /// The number of parts in the second before.
    previous: u32,
}

impl PushRate {
    /// Counts a part that is pushed now, in nanoseconds. Returns the number of parts in the last complete second.
    fn count(&mut self, now: u64) -> u32 {
        if now.saturating_sub(self.began) >= NANOSECONDS_PER_SECOND {
            (self.began, self.previous, self.current) = (now, self.current, 0);
        }
        self.current += 1;
        self.previous
    }
}
