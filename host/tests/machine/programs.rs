//! Other programs that read what the server sends.

use std::process::Command;

use crate::succeed;
use hotshoe_test_support::built_in_pictures;
use hotshoe_test_support::server::Server;

/// `curl` as in the README.
pub fn curl_saves_a_snapshot() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("now.jpg");
    succeed(
        Command::new("curl")
            .args(["-sS", "--fail", "-o"])
            .arg(&file)
            .arg(format!("http://{}/snapshot", server.address)),
    );
    assert!(built_in_pictures().contains(&std::fs::read(file).unwrap()));
}

/// ffmpeg decodes a hundred frames and finds nothing to complain about.
pub fn ffmpeg_reads_the_stream() {
    let server = Server::start(&["--camera", "emulated,fps=30"]);
    let url = format!("http://{}/video_feed", server.address);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "warning", "-xerror", "-f", "mpjpeg", "-i", &url]);
    ffmpeg.args(["-frames:v", "100", "-f", "framehash", "-"]);
    let output = succeed(&mut ffmpeg);
    let frames = String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(frames, 100);
    let complaints = String::from_utf8(output.stderr).unwrap();
    // The pictures are of full range, which ffmpeg calls an outdated way of saying so.
    let complaints: Vec<_> = complaints.lines().filter(|line| !line.contains("deprecated pixel format")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
