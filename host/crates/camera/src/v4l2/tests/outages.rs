//! Outages: devices that are missing, busy, silent or broken, and come back.

use std::sync::Arc;

use rustix::io::Errno;

use super::{NODE, OTHER_NODE, run, start, start_webcam, wait_for_starts, within_deadline, yield_briefly};
use crate::camera::{Camera, Linger};
use crate::dimensions::Dimensions;
use crate::status::{OutageCause, State};
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem, Step};

#[tokio::test]
async fn an_unplugged_camera_returns_at_once_and_keeps_its_reader() {
    let (system, mut fixture) = start_webcam();
    within_deadline(async {
        let before = fixture.picture(NODE).await;
        for round in 0..5 {
            system.unplug(NODE);
            let reason = fixture.lost(OutageCause::NotFound).await;
            assert!(reason.contains(NODE), "{reason}");
            let placeholder = fixture.feed.placeholder().unwrap();
            assert_eq!(placeholder.dimensions, Dimensions { width: 640, height: 480 });
            assert!(fixture.feed.newest().is_none(), "the old picture is still available");
            system.plug(NODE, ScriptedCamera::webcam("Cam"));
            // A hotplug event triggers a retry at once, even if the last retry was just before.
            wait_for_starts(&system, round + 2).await;
            let after = fixture.picture(NODE).await;
            assert!(after.sequence > before.sequence);
            assert!(fixture.feed.placeholder().is_none());
        }
    })
    .await;
    drop(fixture);
    let closed = async {
        while system.open_nodes() > 0 {
            yield_briefly().await
        }
    };
    within_deadline(closed).await;
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_device_is_reported_as_stalled() {
    let system = ScriptedSystem::default();
    let source = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    system.set_unresponsive(true);
    let mut fixture = run(&system, source);
    let reason = fixture.lost(OutageCause::Stalled).await;
    assert!(reason.starts_with("no response from the camera for 6 seconds"), "{reason}");
    system.set_unresponsive(false);
    wait_for_starts(&system, 1).await;
    fixture.picture(NODE).await;
    assert_eq!(fixture.camera.status().state, State::Live);
}

#[tokio::test(start_paused = true)]
async fn a_raw_camera_recovers_even_without_readers() {
    let system = ScriptedSystem::default();
    let scripted = ScriptedCamera::webcam("Cam");
    system.plug(NODE, ScriptedCamera { formats: scripted.formats[1..].to_vec(), ..scripted });
    system.fail(NODE, Operation::SetFormat, Errno::BUSY.raw_os_error(), 2);
    let source = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::Always));
    let supervisor = tokio::spawn(camera.clone().supervise());
    wait_for_starts(&system, 1).await;
    assert!(matches!(camera.status().state, State::Lost(_)), "it has delivered nothing yet");
    system.push_step(NODE, Step::buffer(&vec![128; 640 * 480 * 2]));
    while camera.status().state != State::Live {
        yield_briefly().await;
    }
    assert!(camera.status().placeholder.is_none());
    assert_eq!(camera.counts().frames, 0, "it was encoded without a reader");
    supervisor.abort();
}

#[tokio::test]
async fn a_camera_may_be_missing_at_the_start() {
    let system = ScriptedSystem::default();
    let mut fixture = start(&system, CameraOptions::default());
    within_deadline(async {
        let reason = fixture.lost(OutageCause::NotFound).await;
        assert!(reason.starts_with("no device at /dev/video0"), "{reason}");
        system.plug(NODE, ScriptedCamera::webcam("Cam"));
        wait_for_starts(&system, 1).await;
        fixture.picture(NODE).await;
    })
    .await;
}

/// Makes an operation fail `count` times, and checks that the camera is lost for this cause and then recovers. Returns
/// the message. Call it with paused time.
async fn recovers_after(
    system: &ScriptedSystem,
    operation: Operation,
    error: Errno,
    count: usize,
    cause: OutageCause,
) -> String {
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    system.fail(NODE, operation, error.raw_os_error(), count);
    let mut fixture = start(system, CameraOptions::default());
    let reason = fixture.lost(cause).await;
    wait_for_starts(system, 1).await;
    fixture.picture(NODE).await;
    reason
}

#[tokio::test(start_paused = true)]
async fn a_busy_camera_is_retried_and_the_program_using_it_is_named() {
    let system = ScriptedSystem::default();
    system.set_user(4711, "cheese");
    let reason = recovers_after(&system, Operation::SetFormat, Errno::BUSY, 3, OutageCause::Busy).await;
    assert_eq!(reason, "/dev/video0 is in use by another program, cheese (process 4711); stop it");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_to_start_is_retried() {
    let reason = recovers_after(&ScriptedSystem::default(), Operation::Start, Errno::IO, 5, OutageCause::Failed).await;
    assert!(reason.starts_with("/dev/video0 failed to start its stream: "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_camera_without_permission_is_retried() {
    let reason =
        recovers_after(&ScriptedSystem::default(), Operation::Open, Errno::ACCESS, 4, OutageCause::AccessDenied).await;
    assert!(reason.contains("usermod -aG video"), "{reason}");
}

#[tokio::test]
async fn a_silent_camera_does_not_delay_another() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Silent"));
    system.plug(OTHER_NODE, ScriptedCamera::webcam("Cam"));
    let silent = start(&system, CameraOptions::default());
    let mut other = run(&system, system.devices().camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap());
    within_deadline(async {
        for _ in 0..100 {
            other.picture(OTHER_NODE).await;
        }
    })
    .await;
    assert_eq!(silent.camera.status().state, State::Starting);
    assert_eq!(other.camera.counts().frames, 100);
}
