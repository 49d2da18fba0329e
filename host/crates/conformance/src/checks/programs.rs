//! Checks with common programs.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::check::{Check, Requirements, core};
use crate::jpeg;
use crate::multipart::{Reader, count_parts};
use crate::program::{kill_group, run};
use crate::target::Target;

const TIMEOUT: Duration = Duration::from_secs(60);
/// The user and group id of `nobody` on most systems.
const NOBODY_ID: u32 = 65534;
/// The number of frames that ffmpeg decodes.
const FRAME_COUNT: usize = 20;

pub(super) fn checks() -> Vec<Check> {
    let curl = Requirements::programs(&["curl"]);
    let wget = Requirements::programs(&["wget"]);
    let ffmpeg = Requirements::programs(&["ffmpeg"]);
    vec![
        core("curl", "saves a snapshot that is a complete JPEG", curl_snapshot).requires(curl),
        core("curl", "saves two seconds of the stream as a valid multipart body", curl_stream).requires(curl),
        core("curl", "HEAD (-I) for the stream and the snapshot succeeds", curl_head).requires(curl),
        core("curl", "HTTP/1.0 (-0) saves the stream as a valid multipart body", curl_http_1_0).requires(curl),
        core("wget", "saves a snapshot that is a complete JPEG", wget_snapshot).requires(wget),
        core("wget", "saves the stream as a valid multipart body", wget_stream).requires(wget),
        core("ffmpeg", "decodes twenty frames with -f mpjpeg without a warning", |target| {
            ffmpeg_decodes(target, &["-f", "mpjpeg"])
        })
        .requires(ffmpeg),
        core("ffmpeg", "detects the format and decodes twenty frames", |target| ffmpeg_decodes(target, &[]))
            .requires(ffmpeg),
        core("ffprobe", "detects mjpeg and the right size", ffprobe).requires(Requirements::programs(&["ffprobe"])),
        // VLC ignores Content-Length and searches for the boundary.
        core("VLC", "plays the stream, and saves three images", vlc)
            .requires(Requirements::programs(&["cvlc"]))
            .plain_frames_only(),
    ]
}

/// Runs a command that writes a snapshot to its standard output.
fn save_snapshot(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = run(command, TIMEOUT)?.require_success(&name)?;
    jpeg::size(&output.stdout).map(drop)
}

/// Checks a saved stream: at least two parts must be complete; the last one may be cut off.
fn check_saved_stream(target: &Target, saved: &[u8]) -> Result<(), String> {
    let boundary = Reader::open(target, &target.stream, TIMEOUT)?.boundary;
    match count_parts(saved, &boundary)? {
        0 | 1 => Err(format!("the {} bytes saved contain fewer than two complete parts", saved.len())),
        _ => Ok(()),
    }
}

fn curl_snapshot(target: &Target) -> Result<(), String> {
    save_snapshot(Command::new("curl").args(["-sS", "--fail", "--max-time", "10", &target.snapshot_url()]))
}

fn curl_stream(target: &Target) -> Result<(), String> {
    curl_save(target, &["-sS", "-N", "--fail", "--max-time", "2.5"])
}

fn curl_http_1_0(target: &Target) -> Result<(), String> {
    curl_save(target, &["-0", "-sS", "-N", "--fail", "--max-time", "2.5"])
}

fn curl_save(target: &Target, arguments: &[&str]) -> Result<(), String> {
    let output = run(Command::new("curl").args(arguments).arg(target.stream_url()), TIMEOUT)?;
    // Exit code 28: curl reached its `--max-time`. A stream must not end before.
    match output.status.and_then(|status| status.code()) {
        Some(28) => check_saved_stream(target, &output.stdout),
        other => Err(format!("curl exited with {other:?}, not with 28 (time limit): {}", output.stderr)),
    }
}

fn curl_head(target: &Target) -> Result<(), String> {
    for url in [target.stream_url(), target.snapshot_url()] {
        run(Command::new("curl").args(["-sSI", "--fail", "--max-time", "5", &url]), TIMEOUT)?
            .require_success("curl -I")?;
    }
    Ok(())
}

fn wget_snapshot(target: &Target) -> Result<(), String> {
    save_snapshot(Command::new("wget").args(["-q", "--tries=1", "--timeout=10", "-O", "-", &target.snapshot_url()]))
}

fn wget_stream(target: &Target) -> Result<(), String> {
    // wget has no time limit for a download, so it is killed.
    let mut wget = Command::new("wget");
    wget.args(["-q", "--tries=1", "--timeout=10", "-O", "-", &target.stream_url()]);
    let output = run(&mut wget, Duration::from_millis(2500))?;
    if let Some(status) = output.status {
        return Err(format!("wget exited with {status}, so the stream ended"));
    }
    check_saved_stream(target, &output.stdout)
}

fn ffmpeg_decodes(target: &Target, format: &[&str]) -> Result<(), String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "warning", "-xerror"]).args(format).args(["-i", &target.stream_url()]);
    ffmpeg.args(["-frames:v", &FRAME_COUNT.to_string(), "-f", "framehash", "-"]);
    let output = run(&mut ffmpeg, TIMEOUT)?.require_success("ffmpeg")?;
    let frames = String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.starts_with('#')).count();
    if frames != FRAME_COUNT {
        return Err(format!("ffmpeg decodes {frames} frames, not {FRAME_COUNT}"));
    }
    // ffmpeg warns about its own name for full-range pixels, which is not the server's fault.
    match output.stderr.lines().find(|line| !line.trim().is_empty() && !line.contains("deprecated pixel format")) {
        Some(warning) => Err(format!("ffmpeg warns: {warning}")),
        None => Ok(()),
    }
}

fn ffprobe(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, TIMEOUT)?.next_part()?.size;
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"]);
    let output = run(ffprobe.arg(target.stream_url()), TIMEOUT)?.require_success("ffprobe")?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let expected = format!("mjpeg,{},{}", size.0, size.1);
    if found == expected { Ok(()) } else { Err(format!("ffprobe detects {found:?}, not {expected:?}")) }
}

/// VLC saves every fifth image that it shows. It is killed after three files.
fn vlc(target: &Target) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a folder for VLC: {error}"))?;
    let mut vlc = Command::new("cvlc");
    vlc.args(["--no-audio", "--vout=dummy", "--video-filter=scene", "--scene-format=png", "--scene-ratio=5"]);
    vlc.arg("--scene-path").arg(folder.path()).arg(target.stream_url());
    vlc.env("HOME", folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // VLC refuses to run as root, so root runs it as `nobody` and lets it write into the folder.
    if rustix::process::geteuid().is_root() {
        vlc.uid(NOBODY_ID).gid(NOBODY_ID);
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777))
            .map_err(|error| format!("cannot create a folder for VLC: {error}"))?;
    }
    let mut vlc = vlc.spawn().map_err(|error| format!("cannot start cvlc: {error}"))?;
    let deadline = Instant::now() + TIMEOUT;
    let count_images = || {
        let files = std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "png")).count()
    };
    while count_images() < 3 && Instant::now() < deadline {
        sleep(Duration::from_millis(100));
    }
    kill_group(&mut vlc);
    match count_images() {
        count @ 0..3 => Err(format!("VLC saved {count} of three images within {TIMEOUT:.0?}")),
        _ => Ok(()),
    }
}
