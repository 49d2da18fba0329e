//! Programs that people read streams with.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Check, Needs, core};
use crate::Target;
use crate::jpeg;
use crate::multipart::{Reader, count_saved};
use crate::program::{kill_group, run};

const WITHIN: Duration = Duration::from_secs(20);
/// The user that owns nothing, on most systems.
const NOBODY: u32 = 65534;
/// Frames that ffmpeg decodes.
const FRAMES: usize = 20;

pub(super) fn checks() -> Vec<Check> {
    let curl = Needs::programs(&["curl"]);
    let wget = Needs::programs(&["wget"]);
    let ffmpeg = Needs::programs(&["ffmpeg"]);
    vec![
        core("curl", "saves a snapshot that is a whole JPEG", curl_snapshot).needs(curl),
        core("curl", "saves two seconds of the stream, which are a valid multipart body", curl_stream).needs(curl),
        core("curl", "HEAD (-I) of both answers and ends", curl_head).needs(curl),
        core("curl", "HTTP/1.0 (-0) saves the same, with nothing of chunks in it", curl_1_0).needs(curl),
        core("wget", "saves a snapshot that is a whole JPEG", wget_snapshot).needs(wget),
        core("wget", "saves some of the stream, which is a valid multipart body", wget_stream).needs(wget),
        core("ffmpeg", "decodes twenty frames by -f mpjpeg without a complaint", |target| {
            ffmpeg_decodes(target, &["-f", "mpjpeg"])
        })
        .needs(ffmpeg),
        core("ffmpeg", "finds out by itself what the stream is, and decodes", |target| ffmpeg_decodes(target, &[]))
            .needs(ffmpeg),
        core("ffprobe", "says that the stream is mjpeg and how large", ffprobe).needs(Needs::programs(&["ffprobe"])),
        // It goes by the boundary alone.
        core("VLC", "plays the stream, seen by the pictures that it writes", vlc)
            .needs(Needs::programs(&["cvlc"]))
            .plain_only(),
    ]
}

fn saved_snapshot(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = run(command, WITHIN)?.succeeded(&name)?;
    jpeg::size(&ended.stdout).map(drop)
}

/// At least two pictures must be whole; the last may be cut.
fn saved_stream(target: &Target, saved: &[u8]) -> Result<(), String> {
    let boundary = Reader::open(target, &target.stream, WITHIN)?.boundary;
    match count_saved(saved, &boundary)? {
        0 | 1 => Err(format!("{} bytes were saved, without two whole parts", saved.len())),
        _ => Ok(()),
    }
}

fn curl_snapshot(target: &Target) -> Result<(), String> {
    saved_snapshot(Command::new("curl").args(["-sS", "--fail", "--max-time", "10", &target.snapshot_url()]))
}

fn curl_stream(target: &Target) -> Result<(), String> {
    curl_saves(target, &["-sS", "-N", "--fail", "--max-time", "2.5"])
}

fn curl_1_0(target: &Target) -> Result<(), String> {
    curl_saves(target, &["-0", "-sS", "-N", "--fail", "--max-time", "2.5"])
}

fn curl_saves(target: &Target, arguments: &[&str]) -> Result<(), String> {
    let ended = run(Command::new("curl").args(arguments).arg(target.stream_url()), WITHIN)?;
    // 28: its own time was over, as it must be for a stream.
    match ended.status.and_then(|status| status.code()) {
        Some(28) => saved_stream(target, &ended.stdout),
        other => Err(format!("curl ends with {other:?}, not 28 for its time: {}", ended.stderr)),
    }
}

fn curl_head(target: &Target) -> Result<(), String> {
    for url in [target.stream_url(), target.snapshot_url()] {
        run(Command::new("curl").args(["-sSI", "--fail", "--max-time", "5", &url]), WITHIN)?.succeeded("curl -I")?;
    }
    Ok(())
}

fn wget_snapshot(target: &Target) -> Result<(), String> {
    saved_snapshot(Command::new("wget").args(["-q", "--tries=1", "--timeout=10", "-O", "-", &target.snapshot_url()]))
}

fn wget_stream(target: &Target) -> Result<(), String> {
    // It has no end for a stream but being killed.
    let mut wget = Command::new("wget");
    wget.args(["-q", "--tries=1", "--timeout=10", "-O", "-", &target.stream_url()]);
    let ended = run(&mut wget, Duration::from_millis(2500))?;
    if let Some(status) = ended.status {
        return Err(format!("wget ends with {status}: the stream is not to end"));
    }
    saved_stream(target, &ended.stdout)
}

fn ffmpeg_decodes(target: &Target, format: &[&str]) -> Result<(), String> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "warning", "-xerror"]).args(format).args(["-i", &target.stream_url()]);
    ffmpeg.args(["-frames:v", &FRAMES.to_string(), "-f", "framehash", "-"]);
    let ended = run(&mut ffmpeg, WITHIN)?.succeeded("ffmpeg")?;
    let frames = String::from_utf8_lossy(&ended.stdout).lines().filter(|line| !line.starts_with('#')).count();
    if frames != FRAMES {
        return Err(format!("ffmpeg decodes {frames} frames, not {FRAMES}"));
    }
    // Pictures of full range are spoken of as an outdated way of saying so, and not the server's matter.
    match ended.stderr.lines().find(|line| !line.trim().is_empty() && !line.contains("deprecated pixel format")) {
        Some(complaint) => Err(format!("ffmpeg says: {complaint}")),
        None => Ok(()),
    }
}

fn ffprobe(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, WITHIN)?.next_part()?.size;
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"]);
    let ended = run(ffprobe.arg(target.stream_url()), WITHIN)?.succeeded("ffprobe")?;
    let found = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    let expected = format!("mjpeg,{},{}", size.0, size.1);
    if found == expected { Ok(()) } else { Err(format!("ffprobe says {found:?}, not {expected:?}")) }
}

/// VLC writes every fifth picture that it shows to a file. It goes on after that, and is ended when there are three.
fn vlc(target: &Target) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no folder for VLC's pictures: {error}"))?;
    let mut vlc = Command::new("cvlc");
    vlc.args(["--no-audio", "--vout=dummy", "--video-filter=scene", "--scene-format=png", "--scene-ratio=5"]);
    vlc.arg("--scene-path").arg(folder.path()).arg(target.stream_url());
    vlc.env("HOME", folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // It does not run as root; then it is nobody, who may write here.
    if rustix::process::geteuid().is_root() {
        vlc.uid(NOBODY).gid(NOBODY);
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777))
            .map_err(|error| format!("no folder for VLC's pictures: {error}"))?;
    }
    let mut vlc = vlc.spawn().map_err(|error| format!("cannot start cvlc: {error}"))?;
    let until = Instant::now() + WITHIN;
    let pictures = || {
        let files = std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "png")).count()
    };
    while pictures() < 3 && Instant::now() < until {
        sleep(Duration::from_millis(100));
    }
    kill_group(&mut vlc);
    match pictures() {
        0..3 => Err(format!("VLC shows {} pictures of three within {WITHIN:.0?}", pictures())),
        _ => Ok(()),
    }
}
