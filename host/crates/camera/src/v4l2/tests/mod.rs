//! Whole cameras on scripted machines: what readers see of each fault.

mod controls;
mod crops;
mod identity;
mod modes;
mod outages;
mod planes;
mod signals;
mod turns;
mod unusable;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::camera::{CameraOptions, V4l2Camera};
use super::scripted::{ScriptedCamera, ScriptedSystem, Step};
use crate::camera::{Camera, Linger};
use crate::feed::Feed;
use crate::frame::Frame;
use crate::status::{OutageCause, State};

const NODE: &str = "/dev/video0";
const OTHER_NODE: &str = "/dev/video2";
const PICTURE: &[u8] = include_bytes!("../../../../../../frames/1.jpg");

/// Long enough for everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running camera with one reader.
struct Fixture {
    system: ScriptedSystem,
    camera: Arc<Camera>,
    feed: Feed,
    supervisor: JoinHandle<()>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

fn start(system: &ScriptedSystem, options: CameraOptions) -> Fixture {
    let source = system.devices().camera(NODE.as_ref(), options).unwrap();
    run(system, source)
}

/// Plugs in one webcam, and starts its camera.
fn start_webcam() -> (ScriptedSystem, Fixture) {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let fixture = start(&system, CameraOptions::default());
    (system, fixture)
}

fn run(system: &ScriptedSystem, source: V4l2Camera) -> Fixture {
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::For(Duration::ZERO)));
    let feed = camera.feed();
    let supervisor = tokio::spawn(camera.clone().supervise());
    Fixture { system: system.clone(), camera, feed, supervisor }
}

impl Fixture {
    /// Makes the device deliver a picture, and reads it.
    async fn picture(&mut self, node: &str) -> Arc<Frame> {
        self.system.push_step(node, Step::buffer(PICTURE));
        self.feed.ready().await;
        self.feed.newest().unwrap()
    }

    /// Waits until the camera is lost for this cause. Returns the message.
    async fn lost(&mut self, cause: OutageCause) -> String {
        loop {
            if let State::Lost(outage) = self.camera.status().state
                && outage.cause == cause
            {
                return outage.message.to_string();
            }
            yield_briefly().await;
        }
    }
}

/// Lets other tasks and threads make progress. With paused time, the time passes at once.
async fn yield_briefly() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Waits until `count` streams were started.
async fn wait_for_starts(system: &ScriptedSystem, count: usize) {
    while system.stream_starts() < count {
        yield_briefly().await;
    }
}

async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("the test takes too long")
}
