//! The choice of a format, and raw formats.

use std::sync::Arc;
use std::time::Duration;

use super::{NODE, PICTURE, start, within_deadline, yield_briefly};
use crate::camera::{Camera, Linger};
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::source::Source;
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::scripted::{ScriptedCamera, ScriptedSystem, Step};

#[tokio::test]
async fn raw_images_are_encoded_only_while_the_camera_has_readers() {
    let system = ScriptedSystem::default();
    let scripted = ScriptedCamera::webcam("Cam");
    system.plug(NODE, ScriptedCamera { formats: scripted.formats[1..].to_vec(), ..scripted });
    let source = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::Always));
    let supervisor = tokio::spawn(camera.clone().supervise());
    let raw = vec![128; 640 * 480 * 2];
    within_deadline(async {
        let mut feed = camera.feed();
        system.push_step(NODE, Step::buffer(&raw));
        feed.ready().await;
        let first = feed.newest().unwrap();
        assert_eq!(first.image.dimensions, Dimensions { width: 640, height: 480 });
        drop(feed);
        system.push_step(NODE, Step::buffer(&raw));
        while camera.status().frame.is_some() {
            yield_briefly().await;
        }
        // A new reader gets no frame that was captured without readers.
        let mut feed = camera.feed();
        assert!(feed.newest().is_none());
        system.push_step(NODE, Step::buffer(&raw));
        feed.ready().await;
        assert_eq!(feed.newest().unwrap().sequence, first.sequence + 2);
        assert_eq!(camera.counts().frames, 2, "only encoded frames count");
    })
    .await;
    supervisor.abort();
}

/// There was nothing to remember.
#[tokio::test]
async fn raw_images_are_encoded_without_readers_if_the_camera_remembers_frames() {
    let system = ScriptedSystem::default();
    let scripted = ScriptedCamera::webcam("Cam");
    system.plug(NODE, ScriptedCamera { formats: scripted.formats[1..].to_vec(), ..scripted });
    let source = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let camera = Camera::new("cam".into(), Arc::new(source), Linger::Always).with_memory(Duration::from_secs(60));
    let camera = Arc::new(camera);
    let supervisor = tokio::spawn(camera.clone().supervise());
    system.push_step(NODE, Step::buffer(&vec![128; 640 * 480 * 2]));
    within_deadline(async {
        let sequence = loop {
            if let Some(frame) = camera.status().frame {
                break frame.sequence;
            }
            yield_briefly().await;
        };
        assert!(camera.frame(sequence).is_some());
    })
    .await;
    supervisor.abort();
}

#[tokio::test]
async fn the_pictures_of_a_camera_that_calls_its_format_jpeg_are_served_unchanged() {
    let system = ScriptedSystem::default();
    let mut scripted = ScriptedCamera::webcam("Cam");
    scripted.formats[0].0 = FourCc(*b"JPEG");
    system.plug(NODE, scripted);
    let mut fixture = start(&system, CameraOptions::default());
    let frame = within_deadline(fixture.picture(NODE)).await;
    assert_eq!(frame.image.bytes, PICTURE);
    assert_eq!(fixture.camera.status().mode.unwrap().format, Some(FourCc(*b"JPEG")));
}

/// Opens a camera. Returns its format and size.
fn opened_mode(scripted: ScriptedCamera, options: CameraOptions) -> Result<(FourCc, Dimensions), SourceError> {
    let system = ScriptedSystem::default();
    system.plug(NODE, scripted);
    let capture = system.devices().camera(NODE.as_ref(), options)?.open()?;
    let mode = capture.mode().unwrap();
    Ok((mode.format.unwrap(), mode.dimensions))
}

#[test]
fn jpeg_is_preferred_then_the_cheapest_format_that_reaches_the_request() {
    let size = |width, height| Dimensions { width, height };
    let (small, large) = (size(640, 480), size(1280, 720));
    let scripted = |formats: &[(&[u8; 4], Dimensions, f64)]| ScriptedCamera {
        formats: formats.iter().map(|(code, size, rate)| (FourCc(**code), vec![*size], vec![*rate])).collect(),
        ..ScriptedCamera::webcam("Cam")
    };
    let chosen = |scripted, options| opened_mode(scripted, options).unwrap().0.to_string();
    let requesting = |size, rate| CameraOptions { size: Some(size), rate: Some(rate), ..CameraOptions::default() };
    let both = [(b"YUYV", small, 30.0), (b"MJPG", small, 30.0)];
    assert_eq!(chosen(scripted(&both), CameraOptions::default()), "MJPG");
    let raw = [(b"RGB3", small, 30.0), (b"GREY", small, 30.0), (b"YUYV", small, 30.0), (b"NV12", small, 15.0)];
    assert_eq!(chosen(scripted(&raw), CameraOptions::default()), "NV12", "fewest bits with colour");
    assert_eq!(chosen(scripted(&raw), requesting(small, 30.0)), "YUYV", "NV12 is too slow");
    let large_is_raw = [(b"MJPG", small, 30.0), (b"YUYV", large, 30.0)];
    assert_eq!(chosen(scripted(&large_is_raw), requesting(large, 30.0)), "YUYV");
    assert_eq!(chosen(scripted(&large_is_raw), requesting(size(1, 1), 30.0)), "MJPG", "no format reaches the request");
    let yuyv = CameraOptions { format: Some(FourCc(*b"YUYV")), ..CameraOptions::default() };
    assert_eq!(chosen(scripted(&both), yuyv.clone()), "YUYV");
    let error = opened_mode(scripted(&[(b"MJPG", small, 30.0)]), yuyv).unwrap_err();
    assert_eq!(error.to_string(), "/dev/video0 does not offer YUYV (offered: MJPG); see `hotshoe cameras`");
    let error = opened_mode(scripted(&[(b"H264", small, 30.0)]), CameraOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/dev/video0 delivers only compressed video (H264), not pictures; convert it with --camera 'exec:ffmpeg -f v4l2 -i /dev/video0 -f mjpeg -'"
    );
}
