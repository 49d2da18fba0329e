//! Inputs, standards and the signals of capture devices.
//!
//! The tests with pictures run in real time: paused time would run ahead of the capture thread.

use rustix::io::Errno;

use super::{NODE, PICTURE, start, within_deadline};
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::source::Source;
use crate::status::{OutageCause, State};
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem, Step};

/// A capture card with an HDMI input and an analogue one.
fn card() -> ScriptedCamera {
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    ScriptedCamera {
        inputs: names(["HDMI 0", "S-Video"]),
        standards: names(["NTSC", "PAL"]),
        ..ScriptedCamera::webcam("Card")
    }
}

fn options(input: Option<&str>, standard: Option<&str>) -> CameraOptions {
    let (input, standard) = (input.map(str::to_owned), standard.map(str::to_owned));
    CameraOptions { input, standard, ..CameraOptions::default() }
}

#[test]
fn the_requested_input_and_standard_are_selected_by_number_or_name() {
    for (options, selected) in [
        (options(None, None), &[][..]),
        (options(Some("1"), None), &["S-Video"]),
        (options(Some("hdmi 0"), None), &["HDMI 0"]),
        (options(Some("S-Video"), Some("pal")), &["S-Video", "PAL"]),
    ] {
        let system = ScriptedSystem::default();
        system.plug(NODE, card());
        drop(system.devices().camera(NODE.as_ref(), options).unwrap().open().unwrap());
        assert_eq!(system.selected(), selected);
    }
}

#[test]
fn an_unknown_input_or_standard_is_refused_with_the_names_on_offer() {
    for (options, message) in [
        (options(Some("2"), None), "/dev/video0 has no input `2` (offered: HDMI 0, S-Video)"),
        (options(None, Some("SECAM")), "/dev/video0 has no standard `SECAM` (offered: NTSC, PAL)"),
    ] {
        let system = ScriptedSystem::default();
        system.plug(NODE, card());
        let opened = system.devices().camera(NODE.as_ref(), options).unwrap().open();
        assert_eq!(opened.err().unwrap().to_string(), message);
    }
}

#[tokio::test]
async fn a_missing_signal_is_an_outage_until_there_is_one() {
    let system = ScriptedSystem::default();
    system.plug(NODE, card());
    system.fail(NODE, Operation::AdoptTimings, Errno::NOLINK.raw_os_error(), 2);
    let mut fixture = start(&system, CameraOptions::default());
    within_deadline(async {
        let reason = fixture.lost(OutageCause::Stalled).await;
        assert_eq!(reason, "no signal at /dev/video0; connect a source to its input and turn it on");
        fixture.picture(NODE).await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_is_reopened_in_the_new_size_if_its_signal_changes() {
    let system = ScriptedSystem::default();
    system.plug(NODE, card());
    let mut fixture = start(&system, CameraOptions::default());
    within_deadline(async {
        fixture.picture(NODE).await;
        system.push_step(NODE, Step::buffer(PICTURE));
        system.push_step(NODE, Step::SignalChange);
        let reason = fixture.lost(OutageCause::Stalled).await;
        assert_eq!(reason, "the signal at /dev/video0 has changed");
        fixture.picture(NODE).await;
        assert_eq!(fixture.camera.status().state, State::Live);
        assert_eq!(system.stream_starts(), 2);
    })
    .await;
}

#[test]
fn a_device_with_compressed_video_only_is_refused_with_a_remedy() {
    let system = ScriptedSystem::default();
    let size = vec![Dimensions { width: 1920, height: 1080 }];
    let formats = [*b"H264", *b"HEVC"].map(|code| (FourCc(code), size.clone(), vec![30.0])).to_vec();
    system.plug(NODE, ScriptedCamera { formats, ..ScriptedCamera::webcam("Cam") });
    let opened = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap().open();
    let message = opened.err().unwrap().to_string();
    assert!(
        message.contains("delivers only compressed video (H264, HEVC), not pictures; convert it with"),
        "{message}"
    );
}
