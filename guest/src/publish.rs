//! The publisher of the channels: streams of cameras, results, and events.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::bindings::exports::hotshoe::server::publisher;
use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::{Frame, Image};
use crate::bindings::hotshoe::server::channels::Channel;
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::bindings::wasi::io::poll;
use crate::component::Component;
use crate::events;
use crate::multipart::{Clocks, Format, PartInfo, StreamStatus};
use crate::outage;
use crate::results;
use crate::viewer::{Ended, Sink};

/// The newest picture is sent again if there is no new frame for this long. It tells browsers that the part is
/// complete, and keeps clients from timing out.
const REPEAT_NANOSECONDS: u64 = 1_000_000_000;

/// The value of X-Outage for an outage that has just ended.
const UNEXPLAINED_OUTAGE: &str = "failed";

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The clocks of the host.
pub const CLOCKS: Clocks = Clocks { monotonic: monotonic_clock::now, wall: wall_clock::now };

impl publisher::Guest for Component {
    /// Publishes a channel. The host ends the instance after the last viewer has left.
    fn publish(channel: Channel) {
        match channel.name().as_str() {
            events::CHANNEL => events::publish(&mut &channel),
            name if let Some((camera, format)) = results::Format::of_channel(name) => {
                results::publish(&mut &channel, &[camera.to_string()], format);
            }
            name => {
                // `stream` derives the names of channels from existing cameras, so this cannot fail.
                let Some(mut stream) = CameraStream::open(name) else { return };
                while stream.publish(&channel).is_ok() {}
            }
        }
    }
}

/// Writes the streams that these channels are named after to one client, at most `max_rate` parts per second of each.
/// Returns when the client has disconnected. Omits cameras for which there is no feed: the host limits their number.
pub fn write_streams(client: &mut impl Sink, names: &[String], max_rate: Option<f64>) {
    let mut streams: Vec<_> = names.iter().filter_map(|name| CameraStream::open(name)).collect();
    let interval = max_rate.filter(|rate| *rate > 0.0).map_or(0.0, |rate| NANOSECONDS_PER_SECOND as f64 / rate) as u64;
    while !streams.is_empty() {
        for stream in &mut streams {
            let now = monotonic_clock::now();
            if stream.last_push.is_some_and(|last| now < last.saturating_add(interval)) || !stream.read(now) {
                continue;
            }
            stream.last_push = Some(now);
            if stream.push(client).is_err() {
                return;
            }
        }
        wait_for_any(&streams, interval);
    }
}

/// Blocks until one of the streams may have something to push.
fn wait_for_any(streams: &[CameraStream], interval: u64) {
    let now = monotonic_clock::now();
    let mut deadline = now.saturating_add(REPEAT_NANOSECONDS);
    let mut pollables = Vec::new();
    for stream in streams {
        let Some(last) = stream.last_push else {
            pollables.push(stream.feed.subscribe());
            continue;
        };
        let allowed = last.saturating_add(interval);
        if allowed <= now {
            pollables.push(stream.feed.subscribe());
            deadline = deadline.min(last.saturating_add(REPEAT_NANOSECONDS));
        } else {
            deadline = deadline.min(allowed);
        }
    }
    pollables.push(monotonic_clock::subscribe_instant(deadline));
    poll::poll(&pollables.iter().collect::<Vec<_>>());
}

/// The stream of a camera.
struct CameraStream {
    camera: String,
    format: Format,
    feed: Feed,
    newest: Option<Picture>,
    last_sequence: Option<u64>,
    /// The monotonic time of the last push by [`write_streams`], in nanoseconds.
    last_push: Option<u64>,
    rate: PushRate,
}

impl CameraStream {
    /// Opens the stream that a channel is named after. Returns `None` if there is no feed.
    fn open(channel: &str) -> Option<Self> {
        let (camera, format) = Format::of_channel(channel);
        let feed = Feed::open(camera).ok()?;
        let camera = camera.to_string();
        Some(Self {
            camera,
            format,
            feed,
            newest: None,
            last_sequence: None,
            last_push: None,
            rate: PushRate::default(),
        })
    }

    /// Pushes the next frames, and then, if there are none, the newest picture again or the placeholder.
    fn publish(&mut self, channel: &Channel) -> Result<(), Ended> {
        // At most two images are held at a time, so neither function fails for lack of room.
        if let Some((head, tail)) = self.format.around_frames(&self.camera) {
            let pushed = channel.push_frames(&self.feed, &head, tail.as_bytes(), REPEAT_NANOSECONDS);
            if let Some(frame) = pushed.map_err(|_| Ended)? {
                self.last_sequence = Some(frame.sequence);
                self.newest = Some(Picture::of_frame(frame));
            }
            self.read_placeholder();
        } else {
            match self.feed.blocking_next(REPEAT_NANOSECONDS) {
                Ok(Some(frame)) => self.newest = Some(Picture::of_frame(frame)),
                _ => self.read_placeholder(),
            }
        }
        self.push(&mut &*channel)
    }

    /// Takes the next frame without waiting. Returns whether there is one, or the newest picture is to be sent again.
    fn read(&mut self, now: u64) -> bool {
        if let Ok(Some(frame)) = self.feed.next() {
            self.newest = Some(Picture::of_frame(frame));
            return true;
        }
        let is_due = self.last_push.is_none_or(|last| now >= last.saturating_add(REPEAT_NANOSECONDS));
        if is_due {
            self.read_placeholder();
        }
        is_due && self.newest.is_some()
    }

    /// There is no new frame: if the camera is lost, shows why; otherwise the newest picture stays.
    fn read_placeholder(&mut self) {
        if let Ok(Some(image)) = self.feed.placeholder() {
            let outage = outage::header_value(&self.feed.camera().state);
            self.newest = Some(Picture::of_placeholder(image, self.last_sequence, outage));
        }
    }

    /// Pushes the newest picture, if there is one.
    fn push(&mut self, sink: &mut impl Sink) -> Result<(), Ended> {
        let Some(Picture { image, info, is_live }) = &self.newest else { return Ok(()) };
        let skipped = self.last_sequence.map_or(0, |last| info.sequence.saturating_sub(last + 1));
        if *is_live {
            self.last_sequence = Some(info.sequence);
        }
        let rate = &mut self.rate;
        let status = |now| StreamStatus { is_live: *is_live, skipped, rate: rate.count(now) };
        let (head, tail) = self.format.around(&self.camera, info, status, CLOCKS);
        sink.push(head.as_bytes(), Some(image), tail.as_bytes())
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
        let info = PartInfo { sequence, monotonic_time, wall_time, image: image.info(), outage: None };
        Self { image, info, is_live: true }
    }

    /// Creates a picture of a placeholder, which has neither a sequence number nor a time of capture. Clients receive
    /// the number of the last frame, or 0, and the current time.
    fn of_placeholder(image: Image, last_sequence: Option<u64>, outage: Option<String>) -> Self {
        let info = PartInfo {
            sequence: last_sequence.unwrap_or_default(),
            monotonic_time: monotonic_clock::now(),
            wall_time: wall_clock::now(),
            image: image.info(),
            // The camera may have come back since the placeholder was read.
            outage: Some(outage.unwrap_or_else(|| UNEXPLAINED_OUTAGE.into())),
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
