//! A USB camera in user space. The kernel's `vhci-hcd` driver connects to it over USB/IP on a socket pair, so that the
//! kernel's `uvcvideo` driver finds a camera. Closing the socket unplugs the camera.

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

use self::requests::{ControlEndpoint, MAX_PAYLOAD_LENGTH, StreamChange};
use self::usbip::{Command, Connection};
use crate::clock::now;
use crate::environment::{Environment, Settings};
use crate::formats::SupportedFormats;
use crate::frames::{self, Frame};
use crate::log::log;
use crate::options::Options;

/// The largest number of pending bulk transfers. `uvcvideo` submits five.
const MAX_TRANSFERS: usize = 64;

/// How often an unplugged camera checks whether to plug itself in.
const UNPLUGGED_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The longest time between two checks of the control file.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Emulates a camera at this port of the virtual host controller until the process exits. The settings come from the
/// environment, as for the preloaded library.
///
/// Returns only if the camera supports no format.
pub fn run(port: u32) {
    let settings = Settings::new(Arc::new(Environment::of_process()), 0);
    let formats = SupportedFormats::read(&settings);
    let mut options = Options::defaults();
    options.reload_if_changed(&settings);
    if formats.pixel_formats.is_empty() {
        return;
    }
    let endpoint = ControlEndpoint::new(&formats, &options);
    let mut camera = UsbCamera {
        settings,
        formats,
        options,
        endpoint,
        stream: None,
        transfers: VecDeque::new(),
        unplugs: 0,
        stalls: 0,
    };
    let mut plug_at = Duration::ZERO;
    loop {
        camera.options.reload_if_changed(&camera.settings);
        let connection =
            if camera.options.is_unplugged() || now() < plug_at { None } else { Connection::plug_in(port).ok() };
        let Some(mut connection) = connection else {
            thread::sleep(UNPLUGGED_POLL_INTERVAL);
            continue;
        };
        log(1, || "USB camera: plugged in".to_owned());
        let Err(error) = camera.serve(&mut connection);
        drop(connection);
        log(1, || format!("USB camera: unplugged ({error})"));
        camera.stream = None;
        camera.transfers.clear();
        camera.unplugs += 1;
        plug_at = now() + Duration::from_secs_f64(camera.options.unplug_seconds.max(0.0));
    }
}

struct UsbCamera {
    settings: Settings,
    formats: SupportedFormats,
    options: Options,
    endpoint: ControlEndpoint,
    stream: Option<Stream>,
    /// Pending bulk transfers: their sequence numbers and lengths.
    transfers: VecDeque<(u32, usize)>,
    unplugs: u32,
    stalls: u32,
}

/// The current stream.
struct Stream {
    /// When the last frame was due.
    last_due: Duration,
    sequence: u32,
    stalled_until: Option<Duration>,
    /// The frame that is being sent, and the number of bytes sent so far.
    frame: Option<(Frame, usize)>,
    /// The frame identifier, which toggles with each frame (UVC, 2.4.3.3).
    frame_id: bool,
}

impl UsbCamera {
    /// Runs until the camera is unplugged.
    fn serve(&mut self, connection: &mut Connection) -> Result<std::convert::Infallible, io::Error> {
        loop {
            self.options.reload_if_changed(&self.settings);
            if self.options.is_unplugged() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let wait = self.produce_due_frame(connection)?.min(MAX_WAIT);
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

    /// Produces a frame if one is due. Returns the time until the next one.
    fn produce_due_frame(&mut self, connection: &mut Connection) -> io::Result<Duration> {
        let rate = self.options.rate;
        let seconds = if rate > 0.0 { 1.0 / rate } else { f64::from(self.endpoint.interval()) / 1e7 };
        let period = Duration::from_secs_f64(seconds);
        let Some(stream) = &mut self.stream else { return Ok(MAX_WAIT) };
        // If this thread was late, the frames of that time are lost.
        while stream.last_due + period * 2 <= now() {
            stream.last_due += period;
            stream.sequence += 1;
        }
        if stream.last_due + period <= now() {
            stream.last_due += period;
            self.produce_frame(connection)?;
        }
        let last_due = self.stream.as_ref().map_or(Duration::ZERO, |stream| stream.last_due);
        Ok((last_due + period).saturating_sub(now()))
    }

    /// Starts to send the frame that is due, or applies a fault.
    fn produce_frame(&mut self, connection: &mut Connection) -> io::Result<()> {
        let (Some(stream), Some(mode)) = (&mut self.stream, self.endpoint.mode(&self.formats)) else { return Ok(()) };
        let sequence = stream.sequence;
        stream.sequence += 1;
        if self.options.unplugs_at(sequence, self.unplugs) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if stream.stalled_until.is_none() && self.options.stalls_at(sequence, self.stalls) {
            self.stalls += 1;
            stream.stalled_until = Some(stream.last_due + Duration::from_secs_f64(self.options.stall_seconds.max(0.0)));
        }
        let is_stalled = stream.stalled_until.is_some_and(|until| stream.last_due < until);
        // If the host has not read the last frame yet, this one is lost.
        let is_host_late = stream.frame.is_some() || self.transfers.is_empty();
        if is_stalled || is_host_late || self.options.drops(sequence) {
            return Ok(());
        }
        let frame = frames::create(&self.formats, &self.options, mode, sequence, stream.last_due);
        stream.frame = Some((frame, 0));
        self.send_payloads(connection)
    }

    /// Completes pending transfers with data of the current frame. Each transfer is one payload: a header of two bytes,
    /// followed by data.
    fn send_payloads(&mut self, connection: &mut Connection) -> io::Result<()> {
        // Bits of a payload header (UVC, 2.4.3.3).
        const END_OF_HEADER: u8 = 0x80;
        const END_OF_FRAME: u8 = 0x02;
        const ERROR: u8 = 0x40;
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while let Some((frame, sent)) = &mut stream.frame
            && let Some((sequence, length)) = self.transfers.pop_front()
        {
            let max_data_length = length.min(MAX_PAYLOAD_LENGTH).saturating_sub(2);
            let rest = &frame.bytes[*sent..];
            let is_last = rest.len() <= max_data_length;
            let data = &rest[..rest.len().min(max_data_length)];
            let flags = END_OF_HEADER
                | u8::from(stream.frame_id)
                | if is_last { END_OF_FRAME } else { 0 }
                | if frame.has_error { ERROR } else { 0 };
            let payload = [&[2, flags], data].concat();
            *sent += data.len();
            connection.complete(sequence, 0, &payload, payload.len())?;
            if is_last {
                stream.frame = None;
                stream.frame_id = !stream.frame_id;
            }
        }
        Ok(())
    }

    fn handle(&mut self, connection: &mut Connection, command: Command) -> io::Result<()> {
        // The status of a STALL handshake.
        let stall = -Errno::PIPE.raw_os_error();
        match command {
            Command::Unlink { sequence, target } => {
                let before = self.transfers.len();
                self.transfers.retain(|(pending, _)| *pending != target);
                let was_pending = self.transfers.len() < before;
                connection.complete_unlink(sequence, if was_pending { -Errno::CONNRESET.raw_os_error() } else { 0 })
            }
            Command::Submit { sequence, endpoint: 1.., .. } if self.transfers.len() == MAX_TRANSFERS => {
                connection.complete(sequence, stall, &[], 0)
            }
            Command::Submit { sequence, endpoint: 1.., length, .. } => {
                self.transfers.push_back((sequence, length));
                self.send_payloads(connection)
            }
            Command::Submit { sequence, is_input, length, setup, data, .. } => {
                let result = self.endpoint.respond(setup, &data, &self.formats, &self.settings, &self.options);
                let Ok((response, change)) = result else { return connection.complete(sequence, stall, &[], 0) };
                match change {
                    StreamChange::None => {}
                    StreamChange::Start => self.start_stream(),
                    StreamChange::Stop => self.stream = None,
                }
                if is_input {
                    let response = &response[..response.len().min(length)];
                    connection.complete(sequence, 0, response, response.len())
                } else {
                    connection.complete(sequence, 0, &[], data.len())
                }
            }
        }
    }

    fn start_stream(&mut self) {
        let frame_id = self.stream.as_ref().is_some_and(|stream| stream.frame_id);
        self.stream = Some(Stream { last_due: now(), sequence: 0, stalled_until: None, frame: None, frame_id });
        log(1, || format!("USB camera: streaming {:?}", self.endpoint.mode(&self.formats)));
    }
}
