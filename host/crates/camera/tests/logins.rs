//! A camera that refuses its credentials. Time is paused, and passes at once while the test waits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use hotshoe_camera::network::NetworkError;
use hotshoe_camera::source::{CaptureOutcome, CapturedImage, ImageData};
use hotshoe_camera::{
    Camera, Cameras, Capture, Dimensions, JpegImage, Linger, Source, SourceError, State, StreamMode, Timestamp,
};

const PICTURE: &[u8] = include_bytes!("../../../../frames/1.jpg");

/// The shortest time between a refused login and the next one, as documented.
const PAUSE: Duration = Duration::from_secs(60);

/// What logins get, and how many there were.
#[derive(Default)]
struct Login {
    /// How many are refused, before all others succeed.
    refusals: u32,
    attempts: AtomicU32,
    /// Whether they have to wait.
    is_slow: Mutex<bool>,
    changed: Condvar,
}

impl Login {
    fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    fn set_slow(&self, is_slow: bool) {
        *self.is_slow.lock().unwrap() = is_slow;
        self.changed.notify_all();
    }
}

/// Shares the login with the test.
struct Locked(Arc<Login>);

impl Source for Locked {
    fn description(&self) -> String {
        "locked".to_owned()
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let attempt = self.0.attempts.fetch_add(1, Ordering::Relaxed);
        drop(self.0.changed.wait_while(self.0.is_slow.lock().unwrap(), |is_slow| *is_slow).unwrap());
        if attempt < self.0.refusals {
            return Err(SourceError::Network {
                address: "http://cam/".to_owned(),
                source: NetworkError::WrongCredentials,
            });
        }
        Ok(Box::new(Open))
    }
}

struct Open;

impl Capture for Open {
    fn mode(&self) -> Option<StreamMode> {
        Some(StreamMode { dimensions: Dimensions { width: 640, height: 480 }, rate: None, format: None, quality: None })
    }

    fn next(&mut self, _deadline: StdInstant) -> Result<CaptureOutcome, SourceError> {
        let data = ImageData::Jpeg(JpegImage::new(Bytes::from_static(PICTURE)).unwrap());
        let image = Some(CapturedImage { data, timestamp: Timestamp::now() });
        Ok(CaptureOutcome { image, ..CaptureOutcome::default() })
    }
}

/// A running camera that closes with its last reader.
struct Fixture {
    login: Arc<Login>,
    camera: Arc<Camera>,
    changes: watch::Receiver<u64>,
}

fn start(refusals: u32) -> Fixture {
    let login = Arc::new(Login { refusals, ..Login::default() });
    let source = Arc::new(Locked(login.clone()));
    let cameras = Cameras::new(vec![Camera::new("cam".to_owned(), source, Linger::For(Duration::ZERO))]);
    let camera = cameras.get("cam").unwrap();
    tokio::spawn(camera.clone().supervise());
    Fixture { login, camera, changes: cameras.state_changes() }
}

impl Fixture {
    async fn wait_for(&mut self, is_wanted: impl Fn(&State) -> bool) {
        while !is_wanted(&self.camera.status().state) {
            self.changes.changed().await.unwrap();
        }
    }

    /// Waits until a reader sees that the login was refused.
    async fn refused(&mut self) {
        let is_refusal = |state: &State| matches!(state, State::Lost(outage) if outage.message.contains("credentials"));
        self.wait_for(|state| is_refusal(state) || *state == State::Live).await;
        assert!(is_refusal(&self.camera.status().state), "the login was tried again at once");
        assert!(self.camera.status().placeholder.is_some());
    }

    async fn closed(&mut self) {
        self.wait_for(|state| *state == State::Idle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn readers_who_come_and_go_do_not_repeat_a_refused_login() {
    let mut fixture = start(1);
    let before = Instant::now();
    for _ in 0..5 {
        let feed = fixture.camera.feed();
        fixture.refused().await;
        drop(feed);
        fixture.closed().await;
        assert_eq!(fixture.login.attempts(), 1);
    }
    // One who stays sees the refusal until the next login, which succeeds.
    let feed = fixture.camera.feed();
    fixture.refused().await;
    feed.ready().await;
    assert!(before.elapsed() >= PAUSE, "the login was tried again after {:?}", before.elapsed());
    drop(feed);
    fixture.closed().await;
    fixture.camera.feed().ready().await;
    assert_eq!(fixture.login.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_after_its_reader_has_left_is_not_repeated() {
    let mut fixture = start(1);
    fixture.login.set_slow(true);
    let feed = fixture.camera.feed();
    // The login has begun and takes too long.
    fixture.wait_for(|state| matches!(state, State::Lost(_))).await;
    drop(feed);
    fixture.closed().await;
    let before = Instant::now();
    let feed = fixture.camera.feed();
    fixture.login.set_slow(false);
    fixture.refused().await;
    assert_eq!(fixture.login.attempts(), 1);
    feed.ready().await;
    assert!(before.elapsed() >= PAUSE, "the login was tried again after {:?}", before.elapsed());
    assert_eq!(fixture.login.attempts(), 2);
}
