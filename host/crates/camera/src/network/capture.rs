//! An open camera in the network.
//!
//! The HTTP client is asynchronous, and a capture thread blocks. So each open camera has a Tokio runtime of its own on
//! its capture thread: the connection is read only there, its load stays off the threads that send to viewers, and
//! dropping the runtime closes everything.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::yield_now;
use tokio::time::{timeout, timeout_at};

use super::address::Address;
use super::error::NetworkError;
use super::options::NetworkOptions;
use super::pictures::{self, Event, Kind, Polling, Report};
use super::resolver::Resolver;
use super::selection::Selection;
use super::session::Session;
use crate::error::SourceError;
use crate::frame_sampling::FrameSampling;
use crate::jpeg::Options;
use crate::source::{Capture, CaptureOutcome};
use crate::stall::stall_timeout;
use crate::status::Outage;
use crate::stream_mode::StreamMode;

/// How long connecting and the head of a response may take, including redirects. Less than the time after which viewers
/// learn that a device does not respond.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the first picture may take. Another server may have to open its camera.
const FIRST_PICTURE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many still images to request per second by default.
const DEFAULT_POLLING_RATE: f64 = 1.0;

/// How many events wait to be taken: the reader waits with the next one, and then reads nothing. The least that a
/// channel of Tokio can hold.
const MAX_WAITING: usize = 1;

/// How many events are taken at most before the newest picture is returned, so that a server which sends faster than
/// they are taken cannot keep it from being returned. More than what usually arrives while this thread is busy: the
/// kernel holds up to 6 MiB (`tcp_rmem` in tcp(7)), or 200 pictures of 30 kB.
const MAX_TAKEN: u32 = 256;

/// An open camera in the network.
pub(super) struct NetworkCapture {
    address: String,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// The reader runs on `runtime`, so it adds events only while this thread waits for them.
    events: Receiver<Event>,
    received: Arc<AtomicU64>,
    /// Whether the reader requests still images.
    is_polling: Arc<AtomicBool>,
    selection: Selection,
    stall_timeout: Duration,
    /// When the last picture arrived, or else when the camera was opened.
    last_picture: Instant,
    has_picture: bool,
    /// The value of `received` at that time.
    received_then: u64,
    failure: Option<NetworkError>,
}

impl NetworkCapture {
    /// Connects and waits for the head of the response.
    pub(super) fn open(
        address: &Address,
        settings: &NetworkOptions,
        options: Options,
        sampling: Arc<Mutex<FrameSampling>>,
        resolver: &Resolver,
    ) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Network { address: address.to_string(), source };
        let runtime = start_runtime().map_err(|error| failed(NetworkError::Connect(error.to_string())))?;
        let (sender, events) = channel(MAX_WAITING);
        let received = Arc::new(AtomicU64::new(0));
        let is_polling = Arc::new(AtomicBool::new(false));
        // From here on, dropping `capture` ends the runtime without waiting.
        let mut capture = Self {
            address: address.to_string(),
            runtime: None,
            events,
            received: received.clone(),
            is_polling: is_polling.clone(),
            selection: Selection::new(address.to_string(), options, settings.rate, sampling),
            stall_timeout: stall_timeout(settings.rate),
            last_picture: Instant::now(),
            has_picture: false,
            received_then: 0,
            failure: None,
        };
        let runtime = capture.runtime.insert(runtime);
        let connected = runtime.block_on(async {
            timeout(OPEN_TIMEOUT, async {
                let credentials = settings.credentials.clone();
                let mut session = Session::new(address, credentials, settings.is_insecure, resolver)?;
                let response = session.get(&HeaderMap::new()).await?;
                let kind = Kind::of(response.headers())?;
                Ok((session, response, kind))
            })
            .await
            .unwrap_or(Err(NetworkError::NoResponse(OPEN_TIMEOUT)))
        });
        let (session, response, kind) = connected.map_err(failed)?;
        let interval = Duration::try_from_secs_f64(1.0 / settings.rate.unwrap_or(DEFAULT_POLLING_RATE));
        let polling = Polling { interval: interval.unwrap_or(Duration::MAX), head_timeout: OPEN_TIMEOUT };
        if !matches!(kind, Kind::Stream(_)) {
            // After the interval, the head may take its time, and then the image as long as the first one of a stream.
            let longest = polling.interval.saturating_add(OPEN_TIMEOUT + FIRST_PICTURE_TIMEOUT);
            capture.stall_timeout = capture.stall_timeout.max(longest);
        }
        let report = Report { events: sender, received, is_polling };
        runtime.spawn(pictures::read(session, response, kind, polling, report));
        capture.last_picture = Instant::now();
        Ok(capture)
    }

    fn error(&self, source: NetworkError) -> SourceError {
        SourceError::Network { address: self.address.clone(), source }
    }

    /// Waits for events until the deadline, and takes those that have arrived, oldest first.
    fn receive(&mut self, deadline: Instant) {
        // An expired deadline is not an error.
        let mut next = self.wait(async |events| timeout_at(deadline.into(), events.recv()).await.ok());
        let mut taken = 0;
        while let Some(event) = next {
            // Without a reason, the reader has panicked, which the panic hook has reported.
            self.take(event.unwrap_or(Event::Failed(NetworkError::Ended)));
            taken += 1;
            if taken >= MAX_TAKEN || Instant::now() >= deadline {
                return;
            }
            next = self.wait(async |events| {
                // Lets the reader continue with what has arrived.
                yield_now().await;
                events.try_recv().ok().map(Some)
            });
        }
    }

    /// Runs the reader until `wait` returns.
    fn wait<T>(&mut self, wait: impl AsyncFnOnce(&mut Receiver<Event>) -> Option<T>) -> Option<T> {
        self.runtime.as_ref()?.block_on(wait(&mut self.events))
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Picture(picture) => {
                if self.selection.add(picture) {
                    self.note_sign_of_life();
                }
            }
            Event::Unchanged => {
                if self.selection.is_whole_again() {
                    self.note_sign_of_life();
                }
            }
            Event::Failed(error) => self.failure = Some(error),
        }
    }

    fn note_sign_of_life(&mut self) {
        self.last_picture = Instant::now();
        self.received_then = self.received.load(Ordering::Relaxed);
    }
}

impl Capture for NetworkCapture {
    fn mode(&self) -> Option<StreamMode> {
        self.selection.mode()
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        if let Some(failure) = self.failure.take() {
            return Err(self.error(failure));
        }
        self.receive(deadline);
        let outcome = self.selection.take();
        if outcome.image.is_some() {
            self.has_picture = true;
            self.note_sign_of_life();
            // A failure is reported by the next call.
            return Ok(outcome);
        }
        if let Some(failure) = self.failure.take() {
            return Err(self.error(failure));
        }
        let limit = if self.has_picture { self.stall_timeout } else { self.stall_timeout.max(FIRST_PICTURE_TIMEOUT) };
        if self.last_picture.elapsed() > limit {
            let bytes = self.received.load(Ordering::Relaxed).saturating_sub(self.received_then);
            let damaged = self.selection.damaged();
            return Err(self.error(NetworkError::Stalled { after: limit, bytes, damaged }));
        }
        Ok(outcome)
    }

    fn source_sequence(&self) -> Option<u64> {
        self.selection.sequence()
    }

    fn is_polling(&self) -> bool {
        self.is_polling.load(Ordering::Relaxed)
    }

    fn outage(&self) -> Option<&Outage> {
        self.selection.outage()
    }
}

impl Drop for NetworkCapture {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn start_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread::{JoinHandle, spawn};

    use jpeg_encoder::{ColorType, Encoder};

    use crate::source::ImageData;

    /// Long enough for everything that a test waits for.
    const DEADLINE: Duration = Duration::from_secs(60);

    const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n";

    /// Opens a camera whose server accepts one connection and sends what `script` writes once it has got a request.
    fn open(
        script: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static,
    ) -> (NetworkCapture, JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                request.extend(byte);
            }
            script(&mut stream)
        });
        // So slow that no test is too slow for it.
        let settings = NetworkOptions { rate: Some(0.01), ..NetworkOptions::default() };
        let resolver = Resolver::of_system();
        let capture = NetworkCapture::open(&address, &settings, Options::default(), Arc::default(), &resolver);
        (capture.unwrap(), server)
    }

    fn next(capture: &mut NetworkCapture) -> Result<CaptureOutcome, SourceError> {
        capture.next(Instant::now() + DEADLINE)
    }

    #[test]
    fn very_many_empty_parts_do_not_queue() {
        const PARTS: u64 = 50_000;
        // What the HTTP client holds at most, and less than a fiftieth of the stream.
        const MAX_HELD: u64 = 512 << 10;
        let part = format!("X: {}\r\n\r\n\r\n--f\r\n", "x".repeat(500));
        let length = part.len() as u64;
        let (mut capture, server) = open(move |stream| {
            stream.write_all(STREAM.as_bytes())?;
            let parts = part.repeat(1000);
            (0..PARTS / 1000).try_for_each(|_| stream.write_all(parts.as_bytes()))
        });
        let mut taken = 0;
        let error = loop {
            match next(&mut capture) {
                Ok(outcome) => {
                    assert!(outcome.image.is_none() && outcome.lost.empty <= u64::from(MAX_TAKEN), "{outcome:?}");
                    taken += outcome.lost.empty;
                    let held = capture.received.load(Ordering::Relaxed).saturating_sub(taken * length);
                    assert!(held <= MAX_HELD, "{held} bytes were read ahead");
                    assert!(capture.events.len() <= MAX_WAITING);
                }
                Err(error) => break error,
            }
        };
        assert!(error.to_string().ends_with("the server ended the stream"), "{error}");
        // Those that arrived together with the end are not reported.
        assert!((PARTS - u64::from(MAX_TAKEN)..=PARTS).contains(&taken), "{taken}");
        server.join().unwrap().unwrap();
    }

    #[test]
    fn a_camera_whose_reader_waits_can_be_closed() {
        let (mut capture, server) = open(|stream| {
            stream.write_all(STREAM.as_bytes())?;
            loop {
                stream.write_all(b"\r\n\r\n--f\r\n")?;
            }
        });
        assert!(next(&mut capture).unwrap().lost.empty > 0);
        drop(capture);
        assert!(server.join().unwrap().is_err(), "the connection is closed");
    }

    #[test]
    fn a_still_image_that_does_not_arrive_is_a_stall_with_the_number_of_its_bytes() {
        let (mut capture, server) = open(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\n")?;
            stream.write_all(&[0; 1234])?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        while capture.received.load(Ordering::Relaxed) < 1234 {
            assert!(capture.next(Instant::now() + Duration::from_millis(1)).unwrap().image.is_none());
        }
        // As if all the time had passed.
        capture.stall_timeout = Duration::ZERO;
        capture.has_picture = true;
        let error = capture.next(Instant::now()).unwrap_err().to_string();
        assert!(error.contains(": no picture for 0 seconds; 1234 bytes of one arrived"), "{error}");
        drop(capture);
        server.join().unwrap().unwrap();
    }

    #[test]
    fn the_newest_of_all_pictures_that_have_arrived_is_returned() {
        const PICTURES: u16 = 20;
        let (sent, wait_until_sent) = mpsc::channel();
        let (mut capture, server) = open(move |stream| {
            stream.write_all(STREAM.as_bytes())?;
            for number in 1..=PICTURES {
                let mut image = Vec::new();
                let encoder = Encoder::new(&mut image, 80);
                encoder
                    .encode(
                        &[0; 8 * 8 * PICTURES as usize][..usize::from(8 * 8 * number)],
                        8 * number,
                        8,
                        ColorType::Luma,
                    )
                    .unwrap();
                stream.write_all(&[b"\r\n", &image[..], b"\r\n--f\r\n"].concat())?;
            }
            sent.send(()).unwrap();
            // Until the camera is closed.
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        wait_until_sent.recv().unwrap();
        let outcome = next(&mut capture).unwrap();
        let Some(ImageData::Jpeg(image)) = outcome.image.map(|image| image.data) else { panic!("no image") };
        assert_eq!(image.dimensions.width, u32::from(8 * PICTURES));
        assert_eq!(outcome.lost.late, u64::from(PICTURES) - 1);
        drop(capture);
        server.join().unwrap().unwrap();
    }
}
