//! Clips in players: the last seconds of a camera as one file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

use super::harness::run_successfully;

/// The user that plays files for root, because VLC refuses to run as root.
const NOBODY_ID: u32 = 65534;

/// Saves a clip of three seconds with twenty frames each to `folder`. The camera has these options.
fn save_clip(folder: &Path, options: &str) -> String {
    let server = Server::start(&["--camera", &format!("front=emulated,fps=20,remember=4s,keep-open{options}")]);
    wait_until("the camera remembers three seconds", || {
        let minute = get(server.address, "/minute/front").json();
        minute["frames"].as_array().unwrap().iter().filter(|frames| frames.as_u64() > Some(10)).count() > 3
    });
    let clip = get(server.address, "/clip/front?seconds=3");
    assert_eq!((clip.status, clip.header("content-type")), (200, Some("video/matroska")));
    let path = folder.join("clip.mkv");
    fs::write(&path, &clip.body).unwrap();
    path.to_str().unwrap().to_owned()
}

/// ffprobe finds the frames with their times, and ffmpeg copies the images unchanged.
pub fn ffmpeg_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let clip = save_clip(folder.path(), "");
    let entries = "format=format_name,duration:stream=codec_name,width,height,nb_read_frames:frame=pts_time";
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-count_frames", "-show_frames", "-show_entries", entries, "-of", "json", &clip]);
    let output = run_successfully(&mut probe);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["format"]["format_name"], "matroska,webm");
    let duration: f64 = found["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((2.0..=3.0).contains(&duration), "{duration}");
    let stream = &found["streams"][0];
    assert_eq!(
        (&stream["codec_name"], &stream["width"], &stream["height"]),
        (&"mjpeg".into(), &640.into(), &480.into())
    );
    let time = |frame: &Value| frame["pts_time"].as_str().unwrap().parse::<f64>().unwrap();
    let times: Vec<_> = found["frames"].as_array().unwrap().iter().map(time).collect();
    // A busy machine skips frames.
    assert!((20..=61).contains(&times.len()), "{times:?}");
    assert!(times[0] == 0.0 && times.is_sorted() && (2.0..=3.0).contains(times.last().unwrap()), "{times:?}");
    let copy = ["-v", "error", "-i", &clip, "-c", "copy", "-f", "mjpeg", "-"];
    let images = run_successfully(Command::new("ffmpeg").args(copy)).stdout;
    let mut rest = &images[..];
    for _ in &times {
        let pictures = built_in_pictures();
        let picture = pictures.iter().find(|picture| rest.starts_with(picture)).expect("an image of the camera");
        rest = &rest[picture.len()..];
    }
    assert!(rest.is_empty());
}

/// ffmpeg seeks, and turns the pictures once, by their EXIF data.
pub fn ffmpeg_turns_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let clip = save_clip(folder.path(), ",rotate=90");
    let picture = ["-v", "error", "-ss", "1.5", "-i", &clip, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"];
    let png = run_successfully(Command::new("ffmpeg").args(picture)).stdout;
    // The chunk IHDR begins with the width and the height (PNG specification, 11.2.2).
    let size = [&png[16..20], &png[20..24]].map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
    assert_eq!(size, [480, 640]);
}

/// VLC plays the whole file and saves every fifth image.
pub fn vlc_plays_it() {
    let folder = tempfile::tempdir().unwrap();
    let clip = save_clip(folder.path(), "");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut vlc = Command::new("timeout");
    vlc.args(["60", "cvlc", "--play-and-exit", "--no-audio", "--vout=dummy", "--video-filter=scene"]);
    vlc.args(["--scene-format=png", "--scene-ratio=5", "--scene-path"]).arg(folder.path()).arg(&clip);
    vlc.env("HOME", folder.path()).stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        vlc.uid(NOBODY_ID).gid(NOBODY_ID);
    }
    run_successfully(&mut vlc);
    let is_image = |name: &std::ffi::OsStr| Path::new(name).extension().is_some_and(|extension| extension == "png");
    let images = fs::read_dir(folder.path()).unwrap().filter(|entry| is_image(&entry.as_ref().unwrap().file_name()));
    let images = images.count();
    assert!((4..=13).contains(&images), "{images} of 12 images, if no frame was skipped");
}
