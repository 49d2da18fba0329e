//! A USB camera in user space, for the kernel's `vhci-hcd` driver.
//!
//! It speaks the USB/IP protocol over a socket pair, so that the kernel's own `uvcvideo` driver finds a camera.
//! Closing the socket is pulling the plug.

mod descriptors;
mod requests;
mod usbip;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use self::requests::{Effect, Endpoint, PAYLOAD};
use self::usbip::{Command, Connection};
use crate::clock::now;
use crate::environment::{Environment, Settings};
use crate::frames::{self, Frame};
use crate::log::say;
use crate::offer::Offer;
use crate::options::Options;

/// The subtypes of descriptors of a format and its frames (UVC, A.6): uncompressed, and Motion-JPEG.
const SUBTYPES: [[u8; 2]; 2] = [[0x04, 0x05], [0x06, 0x07]];

/// The most bulk transfers that wait at a time.
const MAX_TRANSFERS: usize = 64;

/// How often to look whether the camera is to be plugged in.
const UNPLUGGED_PERIOD: Duration = Duration::from_millis(20);

/// The longest time between two looks at the control file.
const IDLE_PERIOD: Duration = Duration::from_millis(100);

/// Plays a camera that is plugged into this port of the virtual host controller, until the process ends. The settings
/// come from the environment, as for the library to preload.
///
/// Returns only if there is no format to offer.
pub fn run(port: u32) {
    let settings = Settings::new(Arc::new(Environment::of_process()), 0);
    let offer = Offer::read(&settings);
    let mut options = Options::unread();
    options.refresh(&settings);
    if offer.formats.is_empty() {
        return;
    }
    let endpoint = Endpoint::new(&offer, &options);
    let mut camera =
        Camera { settings, offer, options, endpoint, stream: None, transfers: VecDeque::new(), unplugs: 0, stalls: 0 };
    let mut plug_at = Duration::ZERO;
    loop {
        camera.options.refresh(&camera.settings);
        let connection =
            if camera.options.is_unplugged() || now() < plug_at { None } else { Connection::plug_in(port).ok() };
        let Some(mut connection) = connection else {
            thread::sleep(UNPLUGGED_PERIOD);
            continue;
        };
        say(1, || "USB camera: plugged in".to_owned());
        let Err(error) = camera.serve(&mut connection);
        drop(connection);
        say(1, || format!("USB camera: unplugged ({error})"));
        camera.stream = None;
        camera.transfers.clear();
        camera.unplugs += 1;
        plug_at = now() + Duration::from_secs_f64(camera.options.unplug_seconds.max(0.0));
    }
}

struct Camera {
    settings: Settings,
    offer: Offer,
    options: Options,
    endpoint: Endpoint,
    stream: Option<Stream>,
    /// Bulk transfers that wait for data: their numbers and lengths.
    transfers: VecDeque<(u32, usize)>,
    unplugs: u32,
    stalls: u32,
}

/// A stream that is on.
struct Stream {
    /// When the last frame was due.
    last: Duration,
    sequence: u32,
    stalled_until: Option<Duration>,
    /// The frame that is being sent, and how much of it was.
    frame: Option<(Frame, usize)>,
    /// Toggles with each frame (UVC, 2.4.3.2.2).
    frame_id: bool,
}

impl Camera {
    /// Plays until the plug is pulled.
    fn serve(&mut self, connection: &mut Connection) -> Result<std::convert::Infallible, io::Error> {
        loop {
            self.options.refresh(&self.settings);
            if self.options.is_unplugged() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let wait = self.advance(connection)?.min(IDLE_PERIOD);
            let timeout = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            let mut descriptors = [PollFd::new(&connection.0, PollFlags::IN)];
            match poll(&mut descriptors, Some(&timeout)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    let command = connection.receive()?;
                    self.handle(connection, command)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes the frames that are due. Returns the time until the next one.
    fn advance(&mut self, connection: &mut Connection) -> io::Result<Duration> {
        let rate = self.options.rate;
        let seconds = if rate > 0.0 { 1.0 / rate } else { f64::from(self.endpoint.interval()) / 1e7 };
        let period = Duration::from_secs_f64(seconds);
        let Some(stream) = &mut self.stream else { return Ok(IDLE_PERIOD) };
        // If the machine was late, the frames of that time are lost.
        while stream.last + period * 2 <= now() {
            stream.last += period;
            stream.sequence += 1;
        }
        if stream.last + period <= now() {
            stream.last += period;
            self.tick(connection)?;
        }
        let last = self.stream.as_ref().map_or(Duration::ZERO, |stream| stream.last);
        Ok((last + period).saturating_sub(now()))
    }

    /// What the camera does at one frame time.
    fn tick(&mut self, connection: &mut Connection) -> io::Result<()> {
        let (Some(stream), Some(mode)) = (&mut self.stream, self.endpoint.mode(&self.offer)) else { return Ok(()) };
        let sequence = stream.sequence;
        stream.sequence += 1;
        if self.options.unplugs_at(sequence, self.unplugs) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if stream.stalled_until.is_none() && self.options.stalls_at(sequence, self.stalls) {
            self.stalls += 1;
            stream.stalled_until = Some(stream.last + Duration::from_secs_f64(self.options.stall_seconds.max(0.0)));
        }
        let is_stalled = stream.stalled_until.is_some_and(|until| stream.last < until);
        // If the host did not take the last frame in time, this one is lost.
        let is_behind = stream.frame.is_some() || self.transfers.is_empty();
        if is_stalled || is_behind || self.options.drops(sequence) {
            return Ok(());
        }
        let frame = frames::make(&self.offer, &self.options, mode, sequence, stream.last);
        stream.frame = Some((frame, 0));
        self.feed(connection)
    }

    /// Gives the waiting transfers what there is of the frame. Each is one payload: a header of two bytes, and data.
    fn feed(&mut self, connection: &mut Connection) -> io::Result<()> {
        /// Of a payload's header (UVC, 2.4.3.3): its end, the end of the frame, an error.
        const END_OF_HEADER: u8 = 0x80;
        const END_OF_FRAME: u8 = 0x02;
        const ERROR: u8 = 0x40;
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while let Some((frame, sent)) = &mut stream.frame
            && let Some((sequence, length)) = self.transfers.pop_front()
        {
            let room = length.min(PAYLOAD).saturating_sub(2);
            let rest = &frame.bytes[*sent..];
            let is_last = rest.len() <= room;
            let part = &rest[..rest.len().min(room)];
            let flags = END_OF_HEADER
                | u8::from(stream.frame_id)
                | if is_last { END_OF_FRAME } else { 0 }
                | if frame.is_flagged { ERROR } else { 0 };
            let payload = [&[2, flags], part].concat();
            *sent += part.len();
            connection.complete(sequence, 0, &payload, payload.len())?;
            if is_last {
                stream.frame = None;
                stream.frame_id = !stream.frame_id;
            }
        }
        Ok(())
    }

    fn handle(&mut self, connection: &mut Connection, command: Command) -> io::Result<()> {
        let stall = -Errno::PIPE.raw_os_error();
        match command {
            Command::Unlink { sequence, target } => {
                let before = self.transfers.len();
                self.transfers.retain(|(waiting, _)| *waiting != target);
                let was_waiting = self.transfers.len() < before;
                connection.unlinked(sequence, if was_waiting { -Errno::CONNRESET.raw_os_error() } else { 0 })
            }
            Command::Submit { sequence, endpoint: 1.., .. } if self.transfers.len() == MAX_TRANSFERS => {
                connection.complete(sequence, stall, &[], 0)
            }
            Command::Submit { sequence, endpoint: 1.., length, .. } => {
                self.transfers.push_back((sequence, length));
                self.feed(connection)
            }
            Command::Submit { sequence, is_input, length, setup, data, .. } => {
                let answer = self.endpoint.answer(setup, &data, &self.offer, &self.settings, &self.options);
                let Ok((answer, effect)) = answer else { return connection.complete(sequence, stall, &[], 0) };
                match effect {
                    Effect::None => {}
                    Effect::Start => self.start(),
                    Effect::Stop => self.stream = None,
                }
                if is_input {
                    let part = &answer[..answer.len().min(length)];
                    connection.complete(sequence, 0, part, part.len())
                } else {
                    connection.complete(sequence, 0, &[], data.len())
                }
            }
        }
    }

    fn start(&mut self) {
        let frame_id = self.stream.as_ref().is_some_and(|stream| stream.frame_id);
        self.stream = Some(Stream { last: now(), sequence: 0, stalled_until: None, frame: None, frame_id });
        say(1, || format!("USB camera: streaming {:?}", self.endpoint.mode(&self.offer)));
    }
}
