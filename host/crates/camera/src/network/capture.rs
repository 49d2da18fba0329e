//! An open camera in the network.
//!
//! The HTTP client is asynchronous, and a capture thread blocks. So each open camera has a Tokio runtime of its own on
//! its capture thread: the connection is read only there, its load stays off the threads that send to viewers, and
//! dropping the runtime closes everything.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{timeout, timeout_at};
use tracing::debug;

use super::address::Address;
use super::error::NetworkError;
use super::options::NetworkOptions;
use super::pictures::{self, Event, Kind, Picture, Polling, Report};
use super::resolver::Resolver;
use super::session::Session;
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::frame::JpegImage;
use crate::frame_counts::LostFrames;
use crate::frame_sampling::FrameSampling;
use crate::image_checker::ImageChecker;
use crate::jpeg::{self, JpegError, Options};
use crate::source::{Capture, CaptureOutcome, CapturedImage, ImageData};
use crate::stall::stall_timeout;
use crate::status::Outage;
use crate::stream_mode::StreamMode;

/// How long connecting and the head of the first response may take, including redirects. Less than the time after which
/// viewers learn that a device does not respond.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the first picture may take. Another server may have to open its camera.
const FIRST_PICTURE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many still images to request per second by default.
const DEFAULT_POLLING_RATE: f64 = 1.0;

/// An open camera in the network.
pub(super) struct NetworkCapture {
    address: String,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// The reader runs on `runtime`, so it adds events only while this thread waits for them.
    events: UnboundedReceiver<Event>,
    received: Arc<AtomicU64>,
    checker: ImageChecker,
    options: Options,
    mode: Option<StreamMode>,
    rate: Option<f64>,
    stall_timeout: Duration,
    /// When the last picture arrived, or else when the camera was opened.
    last_picture: Instant,
    has_picture: bool,
    /// Whether the last image that arrived was whole.
    is_last_whole: bool,
    /// The value of `received` at that time.
    received_then: u64,
    /// Frames lost since the last image.
    lost_since: LostFrames,
    /// The server's number of the last frame.
    sequence: Option<u64>,
    outage: Option<Outage>,
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
        let (sender, events) = unbounded_channel();
        let received = Arc::new(AtomicU64::new(0));
        // From here on, dropping `capture` ends the runtime without waiting.
        let mut capture = Self {
            address: address.to_string(),
            runtime: None,
            events,
            received: received.clone(),
            checker: ImageChecker::new(options, sampling),
            options,
            mode: None,
            rate: settings.rate,
            stall_timeout: stall_timeout(settings.rate),
            last_picture: Instant::now(),
            has_picture: false,
            is_last_whole: false,
            received_then: 0,
            lost_since: LostFrames::default(),
            sequence: None,
            outage: None,
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
        let polling = Polling { interval: interval.unwrap_or(Duration::MAX), timeout: OPEN_TIMEOUT };
        if !matches!(kind, Kind::Stream(_)) {
            // A request may begin just before the interval has passed, and then take its time.
            capture.stall_timeout = capture.stall_timeout.max(polling.interval.saturating_add(2 * polling.timeout));
        }
        runtime.spawn(pictures::read(session, response, kind, polling, Report { events: sender, received }));
        capture.last_picture = Instant::now();
        Ok(capture)
    }

    fn error(&self, source: NetworkError) -> SourceError {
        SourceError::Network { address: self.address.clone(), source }
    }

    /// Waits for pictures until the deadline. Returns all that have arrived, oldest first.
    fn receive(&mut self, deadline: Instant) -> Vec<Picture> {
        let Some(runtime) = &self.runtime else { return Vec::new() };
        let events = &mut self.events;
        // An expired deadline is not an error.
        let first = runtime.block_on(async { timeout_at(deadline.into(), events.recv()).await.ok() });
        let mut pictures = Vec::new();
        let mut next = first;
        while let Some(event) = next {
            match event {
                Some(Event::Picture(picture)) => pictures.push(picture),
                // The same damaged image again is no sign of life.
                Some(Event::Unchanged) if self.is_last_whole => self.note_sign_of_life(),
                Some(Event::Unchanged) => {}
                Some(Event::Failed(error)) => self.failure = Some(error),
                // The reader has panicked, which the panic hook has reported.
                None => self.failure = self.failure.take().or(Some(NetworkError::Ended)),
            }
            next = self.events.try_recv().ok().map(Some);
        }
        pictures
    }

    fn mode_of(&self, dimensions: Dimensions) -> StreamMode {
        StreamMode { dimensions, rate: self.rate, format: None, quality: None }
    }

    fn note_sign_of_life(&mut self) {
        self.last_picture = Instant::now();
        self.received_then = self.received.load(Ordering::Relaxed);
    }

    /// Selects the newest whole image, and counts the others.
    fn select(&mut self, pictures: Vec<Picture>) -> CaptureOutcome {
        let mut lost = LostFrames::default();
        let mut image: Option<(CapturedImage, Option<u64>)> = None;
        let mut has_newest = false;
        for Picture { body, metadata } in pictures.into_iter().rev() {
            // A placeholder, which may have the number of the last frame.
            if metadata.outage.is_some() {
                self.note_sign_of_life();
                if !has_newest {
                    self.outage = metadata.outage;
                    has_newest = true;
                    // The server's placeholders have the size of the camera's pictures.
                    let size = jpeg::validate(&body, self.options).ok().map(|info| info.dimensions);
                    self.mode = self.mode.or(size.map(|size| self.mode_of(size)));
                }
                continue;
            }
            // A slow camera's frame that the server sends again.
            if self.outage.is_none() && metadata.sequence.is_some() && metadata.sequence == self.sequence {
                self.note_sign_of_life();
                continue;
            }
            if has_newest {
                let is_same =
                    image.as_ref().is_some_and(|(_, sequence)| sequence.is_some() && *sequence == metadata.sequence);
                lost.late += u64::from(!is_same);
                continue;
            }
            let checked = self.check(body, &mut lost);
            self.is_last_whole = checked.is_some();
            if let Some(checked) = checked {
                has_newest = true;
                self.outage = None;
                self.has_picture = true;
                self.note_sign_of_life();
                self.mode = Some(self.mode_of(checked.dimensions));
                image = Some((
                    CapturedImage { data: ImageData::Jpeg(checked), timestamp: metadata.timestamp() },
                    metadata.sequence,
                ));
            }
        }
        let Some((image, sequence)) = image else {
            self.lost_since += lost;
            return CaptureOutcome { image: None, lost };
        };
        // The server's numbers count what it did not send as well.
        if let (Some(last), Some(this)) = (self.sequence, sequence) {
            let counted = self.lost_since.total() + lost.total();
            lost.dropped = this.saturating_sub(last).saturating_sub(1).saturating_sub(counted);
        }
        self.sequence = sequence;
        self.lost_since = LostFrames::default();
        CaptureOutcome { image: Some(image), lost }
    }

    /// Checks an image. Counts it if it is not whole.
    fn check(&mut self, body: Bytes, lost: &mut LostFrames) -> Option<JpegImage> {
        let complete = match jpeg::find_image(&body, self.options) {
            Ok((image, _)) => self.checker.complete(body.slice_ref(image)),
            Err(error) => {
                self.checker.note_damage();
                Err(error)
            }
        };
        match complete.map(|image| self.checker.check_data(&image).map(|()| image)) {
            Ok(Ok(image)) => return Some(image),
            Ok(Err(error)) => {
                debug!("{}: dropped a picture: {error}", self.address);
                lost.corrupt += 1;
            }
            Err(error) => {
                debug!("{}: dropped a picture: {error}", self.address);
                *(if error == JpegError::Empty { &mut lost.empty } else { &mut lost.malformed }) += 1;
            }
        }
        None
    }
}

impl Capture for NetworkCapture {
    fn mode(&self) -> Option<StreamMode> {
        self.mode
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        if let Some(failure) = self.failure.take() {
            return Err(self.error(failure));
        }
        let pictures = self.receive(deadline);
        let outcome = self.select(pictures);
        if outcome.image.is_some() {
            // A failure is reported by the next call.
            return Ok(outcome);
        }
        if let Some(failure) = self.failure.take() {
            return Err(self.error(failure));
        }
        let limit = if self.has_picture { self.stall_timeout } else { self.stall_timeout.max(FIRST_PICTURE_TIMEOUT) };
        if self.last_picture.elapsed() > limit {
            let bytes = self.received.load(Ordering::Relaxed).saturating_sub(self.received_then);
            let damaged = self.lost_since.damaged();
            return Err(self.error(NetworkError::Stalled { after: limit, bytes, damaged }));
        }
        Ok(outcome)
    }

    fn source_sequence(&self) -> Option<u64> {
        self.sequence
    }

    fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
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
