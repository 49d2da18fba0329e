//! The supervisor of a camera: a task that opens the camera for its first reader, publishes its frames, reopens it
//! after failures, and closes it some time after its last reader has left.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::camera::{Camera, Linger};
use super::capture::{CaptureError, CaptureThread, Progress};
use super::frame::Frame;
use super::placeholder;
use super::status::{Outage, OutageCause, State, Status};
use super::stream_mode::StreamMode;

/// The first delay before a failed camera is retried: about the time that a USB device takes to come back. Then up to
/// [`Source::max_retry_delay`](super::source::Source::max_retry_delay).
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The delay after a device has refused the credentials, even if other readers come meanwhile. Many cameras lock out who
/// fails to log in repeatedly.
const LOGIN_RETRY_DELAY: Duration = Duration::from_secs(60);

/// How long a device may take to open or close before its readers learn that it does not respond. Opening takes several
/// USB requests, and the kernel gives up on each after 5 seconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(6);

/// How long to wait after a device node appears: its permissions are set later, and one device creates several nodes.
const HOTPLUG_SETTLE_TIME: Duration = Duration::from_millis(100);

/// What is wrong with a camera that was removed, or replaced by one with another configuration.
const REMOVED: &str = "the configuration of this camera has changed";

impl Camera {
    /// Runs this camera until it is [removed](Self::remove) or the future is dropped: opens it for its first reader,
    /// closes it after its last, and reopens it after failures while it has readers.
    ///
    /// Dropping the future tells the capture thread to stop. When the future returns, the device is closed. Those who
    /// still hold a feed of a camera that was removed see an outage.
    pub async fn supervise(self: Arc<Self>) {
        let mut supervisor = Supervisor::new(self);
        while !supervisor.camera.is_removed() {
            supervisor.run_once().await;
        }
        supervisor.end().await;
    }

    /// Runs this camera once: opens it for its first reader, and reopens it after failures while it has readers.
    /// Returns when it has been closed after its last reader or was removed.
    pub async fn supervise_once(self: Arc<Self>) {
        Supervisor::new(self).run_once().await;
    }
}

struct Supervisor {
    camera: Arc<Camera>,
    /// The outage that was last logged. `None` once the camera has delivered an image since.
    logged_outage: Option<Outage>,
    /// Whether the camera has delivered an image since it was opened last.
    has_delivered: bool,
    /// The last refused login, until the next attempt.
    refused_login: Option<RefusedLogin>,
    hotplug_events: Option<watch::Receiver<()>>,
}

/// A refused login.
#[derive(Clone)]
struct RefusedLogin {
    /// What readers see until the next attempt.
    outage: Outage,
    /// When to log in again, at the earliest.
    not_before: Instant,
}

impl Supervisor {
    fn new(camera: Arc<Camera>) -> Self {
        let hotplug_events = camera.source.hotplug_events();
        Self { camera, logged_outage: None, has_delivered: false, refused_login: None, hotplug_events }
    }

    async fn run_once(&mut self) {
        let camera = self.camera.clone();
        let mut readers = camera.readers.subscribe();
        if camera.linger != Linger::Always {
            tokio::select! {
                () = camera.removed() => return,
                // Cannot fail: `camera` holds the sender.
                _ = readers.wait_for(|readers| *readers > 0) => {}
            }
        }
        let removed = camera.removed();
        let mut idle = Box::pin(async {
            tokio::select! {
                () = removed => {}
                () = idle(readers, camera.linger) => {}
            }
        });
        self.refused_login.take_if(|refused| refused.not_before <= Instant::now());
        if self.refused_login.is_none() {
            camera.update_status(|status| status.state = State::Starting);
        }
        let mut retry_delay = RetryDelay::new(camera.source.max_retry_delay());
        // Reopen after each failure until the camera is idle.
        let was_open = loop {
            if let Some(RefusedLogin { outage, not_before }) = self.refused_login.clone() {
                let text = format!("{} (retrying)", outage.message);
                self.publish_outage(outage, &text).await;
                tokio::select! {
                    () = &mut idle => break false,
                    () = sleep_until(not_before) => self.refused_login = None,
                }
            }
            match self.run_until_failure(idle.as_mut()).await {
                Ok(was_open) => break was_open,
                Err(error) => {
                    if self.has_delivered {
                        retry_delay.reset();
                    }
                    self.note_refused_login(&error);
                    if self.refused_login.is_some() {
                        continue;
                    }
                    self.report_outage(&error).await;
                }
            }
            tokio::select! {
                () = &mut idle => break false,
                () = sleep(retry_delay.next) => retry_delay.double(),
                () = hotplug(&mut self.hotplug_events) => retry_delay.reset(),
            }
        };
        self.set_closed();
        if was_open && camera.is_removed() {
            info!(camera = camera.name, "closed; {} since it was opened first", camera.counts());
        } else if was_open {
            info!(camera = camera.name, "closed, no viewers left; {} since the start", camera.counts());
        }
    }

    /// Opens the camera and publishes its frames until `idle` completes or the camera fails. Once idle, closes the
    /// camera and returns whether it had been open.
    async fn run_until_failure(&mut self, mut idle: Pin<&mut impl Future<Output = ()>>) -> Result<bool, CaptureError> {
        self.has_delivered = false;
        let camera = &*self.camera;
        let (source, filters, tracker) = (camera.source.clone(), camera.filters.clone(), camera.tracker.clone());
        let readers = camera.readers.subscribe();
        let is_remembered = camera.memory.remembers();
        let mut thread = CaptureThread::start(&camera.name, source, filters, tracker, readers, is_remembered)?;
        let mut is_open = false;
        let mut has_logged_open = false;
        let mut has_timed_out = false;
        let mut open_timeout = Box::pin(sleep(RESPONSE_TIMEOUT));
        loop {
            tokio::select! {
                () = &mut idle => {
                    self.close(thread).await;
                    return Ok(is_open);
                }
                // The thread keeps waiting for the device.
                () = &mut open_timeout, if !is_open && !has_timed_out => {
                    self.report_outage(&CaptureError::Unresponsive(RESPONSE_TIMEOUT)).await;
                    has_timed_out = true;
                }
                // `None` once the thread has stopped and all its reports were received.
                report = thread.progress.receive() => match report {
                    Some(progress) => {
                        if !is_open {
                            self.camera.add_opening();
                            is_open = true;
                        }
                        let has_image = matches!(progress, Progress::Frame(..) | Progress::Unread(_));
                        // After an outage, log success only once the camera delivers images again.
                        if let Some(mode) = progress.mode()
                            && !has_logged_open
                            && (has_image || self.logged_outage.is_none())
                        {
                            info!(camera = self.camera.name, "opened at {mode}");
                            has_logged_open = true;
                        }
                        if has_image {
                            self.logged_outage = None;
                            self.has_delivered = true;
                        }
                        self.publish(progress).await;
                    }
                    None => return Err(thread.failed().await),
                },
            }
        }
    }

    /// Stops the capture thread and waits for as long as the device takes. Readers who arrive meanwhile must wait too,
    /// so reports an outage to them if it takes too long.
    async fn close(&mut self, thread: CaptureThread) {
        self.set_closed();
        let mut stopping = Box::pin(thread.stop());
        loop {
            tokio::select! {
                failure = &mut stopping => {
                    // Its readers have left before they could see it.
                    if let Some(error) = failure {
                        self.note_refused_login(&error);
                    }
                    return;
                }
                () = sleep(RESPONSE_TIMEOUT) => {
                    if *self.camera.readers.borrow() > 0 {
                        self.report_outage(&CaptureError::Unresponsive(RESPONSE_TIMEOUT)).await;
                    }
                }
            }
        }
    }

    /// If this failure is a refused login, postpones the next one.
    fn note_refused_login(&mut self, error: &CaptureError) {
        if error.is_refused_login() {
            self.refused_login =
                Some(RefusedLogin { outage: error.into(), not_before: Instant::now() + LOGIN_RETRY_DELAY });
        }
    }

    /// Publishes that the camera is closed, and withdraws the last frame so that the next reader starts with a fresh
    /// one.
    fn set_closed(&self) {
        self.camera.memory.clear();
        self.camera.update_status(|status| *status = Status { mode: status.mode, ..Status::default() });
    }

    /// Publishes that the camera was removed.
    async fn end(&mut self) {
        let outage = Outage { cause: OutageCause::NotFound, message: REMOVED.into() };
        // Who removes a camera logs that.
        self.logged_outage = Some(outage.clone());
        self.publish_outage(outage, REMOVED).await;
    }

    /// Publishes a report of the capture thread.
    async fn publish(&mut self, progress: Progress) {
        match progress {
            Progress::Open(mode) => self.camera.update_status(|status| {
                status.mode = mode.or(status.mode);
                status.frame = None;
            }),
            Progress::Failing(outage, text) => self.publish_outage(outage, &format!("{text} (retrying)")).await,
            Progress::FilterFailed(mode, outage) => {
                self.camera.update_status(|status| status.mode = mode.or(status.mode));
                let text = format!("viewers get no picture: {}", outage.message);
                self.publish_outage(outage, &text).await;
            }
            Progress::Unread(mode) => self.set_live(mode, None),
            Progress::Outage(mode, outage) => {
                self.camera.update_status(|status| status.mode = mode.or(status.mode));
                let text = format!("the server reports: {}", outage.message);
                self.publish_outage(outage, &text).await;
            }
            Progress::Frame(mode, frame) => self.set_live(mode, Some(frame)),
        }
    }

    /// Publishes that the camera works, and its newest frame.
    fn set_live(&self, mode: Option<StreamMode>, frame: Option<Arc<Frame>>) {
        if let Some(frame) = &frame {
            self.camera.memory.add(frame);
        }
        self.camera.update_status(|status| {
            *status = Status { state: State::Live, mode: mode.or(status.mode), frame, placeholder: None };
        });
    }

    /// Logs a failure, once for each kind, and publishes it with a placeholder.
    async fn report_outage(&mut self, error: &CaptureError) {
        self.publish_outage(Outage::from(error), &format!("{error} (retrying)")).await;
    }

    /// Logs this text, once for each kind of outage, and publishes the outage with a placeholder.
    async fn publish_outage(&mut self, outage: Outage, text: &str) {
        let camera = &*self.camera;
        if !self.logged_outage.as_ref().is_some_and(|logged| logged.is_like(&outage)) {
            warn!(camera = camera.name, "{text}");
            self.logged_outage = Some(outage.clone());
        }
        let lost = State::Lost(outage.clone());
        if camera.status.borrow().state == lost {
            return;
        }
        let size = camera.status.borrow().mode.map_or(placeholder::DEFAULT_SIZE, |mode| mode.dimensions);
        let name = camera.name.clone();
        let drawn = spawn_blocking(move || placeholder::draw(size, &name, &outage.message)).await;
        let placeholder = drawn.unwrap_or_default();
        camera.update_status(|status| {
            *status = Status { state: lost, mode: status.mode, frame: None, placeholder };
        });
    }
}

/// The delay before a failed camera is opened again.
struct RetryDelay {
    next: Duration,
    max: Duration,
}

impl RetryDelay {
    fn new(max: Duration) -> Self {
        Self { next: MIN_RETRY_DELAY, max }
    }

    /// After another failure of the same outage.
    fn double(&mut self) {
        self.next = (self.next * 2).min(self.max);
    }

    /// After the camera has worked, or when it may work again.
    fn reset(&mut self) {
        self.next = MIN_RETRY_DELAY;
    }
}

/// Waits until the camera has had no readers for its linger time.
async fn idle(mut readers: watch::Receiver<usize>, linger: Linger) {
    let Linger::For(linger) = linger else { return std::future::pending().await };
    loop {
        let _ = readers.wait_for(|readers| *readers == 0).await;
        // A change is a new reader, even if it has left again by now.
        if timeout(linger, readers.changed()).await.is_err() {
            return;
        }
    }
}

/// Waits until a device is plugged in. Never completes without notifications.
async fn hotplug(events: &mut Option<watch::Receiver<()>>) {
    if let Some(events) = events
        && events.changed().await.is_ok()
    {
        sleep(HOTPLUG_SETTLE_TIME).await;
        events.mark_unchanged();
    } else {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::error::SourceError;
    use crate::source::{Capture, CaptureOutcome, Source};

    /// A source whose captures fail at once, and take as long to close as the sender exists.
    struct SlowToClose(std::sync::Mutex<Option<mpsc::Receiver<()>>>);

    struct FailingCapture(Option<mpsc::Receiver<()>>);

    impl Source for SlowToClose {
        fn description(&self) -> String {
            "test".to_owned()
        }

        fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
            Ok(Box::new(FailingCapture(self.0.lock().unwrap().take())))
        }
    }

    impl Capture for FailingCapture {
        fn mode(&self) -> Option<StreamMode> {
            None
        }

        fn next(&mut self, _: std::time::Instant) -> Result<CaptureOutcome, SourceError> {
            Err(SourceError::External(Outage { cause: OutageCause::Failed, message: "broken".into() }))
        }
    }

    impl Drop for FailingCapture {
        fn drop(&mut self) {
            if let Some(closing) = self.0.take() {
                let _ = closing.recv();
            }
        }
    }

    #[test]
    fn the_delay_grows_up_to_its_limit_until_the_camera_has_worked() {
        let mut delay = RetryDelay::new(Duration::from_secs(10));
        let mut delays = Vec::new();
        for _ in 0..6 {
            delays.push(delay.next.as_secs());
            delay.double();
        }
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
        delay.reset();
        assert_eq!(delay.next, MIN_RETRY_DELAY);
    }

    #[tokio::test]
    async fn a_failure_is_reported_although_the_device_takes_long_to_close() {
        let (closed, closing) = mpsc::channel();
        let source = SlowToClose(Some(closing).into());
        let camera = Arc::new(Camera::new("test".to_owned(), Arc::new(source), Linger::For(Duration::ZERO)));
        let supervisor = tokio::spawn(camera.clone().supervise());
        let feed = camera.feed();
        let mut status = camera.status.subscribe();
        let is_lost = |status: &Status| matches!(&status.state, State::Lost(outage) if *outage.message == *"broken");
        // Never, before failures were reported when they happen.
        timeout(Duration::from_secs(60), status.wait_for(is_lost)).await.unwrap().unwrap();
        drop((closed, feed));
        supervisor.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_has_left_before_the_supervisor_looks_keeps_the_camera_open() {
        let linger = Duration::from_secs(10);
        let readers = watch::Sender::new(0_usize);
        let idle = tokio::spawn(idle(readers.subscribe(), Linger::For(linger)));
        sleep(linger - Duration::from_secs(1)).await;
        readers.send_replace(1);
        readers.send_replace(0);
        sleep(linger - Duration::from_secs(1)).await;
        assert!(!idle.is_finished());
        sleep(Duration::from_secs(2)).await;
        assert!(idle.is_finished());
    }
}
