//! What programs show of pictures that are turned by EXIF. Tests of the page do the same with browsers.

use std::process::Command;

use hotshoe_conformance::program::python;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

use crate::harness::run_successfully;

/// Starts a server whose camera delivers 640x480, turned to 480x640.
fn serve() -> Server {
    Server::start(&["--camera", "emulated,fps=5,rotate=90"])
}

pub fn ffmpeg_turns_pictures() {
    let server = serve();
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.png");
    for path in ["/snapshot", "/video_feed"] {
        let url = format!("http://{}{path}", server.address);
        run_successfully(
            Command::new("ffmpeg").args(["-v", "error", "-y", "-i", &url, "-frames:v", "1"]).arg(&picture),
        );
        let probe = ["-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0"];
        let size = run_successfully(Command::new("ffprobe").args(probe).arg(&picture));
        assert_eq!(String::from_utf8(size.stdout).unwrap().trim(), "480,640", "{path}");
    }
}

/// Snapshots that OpenCV decodes are turned, but not the pictures of its `VideoCapture`.
pub fn opencv_turns_snapshots_only() {
    let server = serve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.jpg");
    std::fs::write(&file, get(server.address, "/snapshot").body).unwrap();
    let script = "import sys, cv2
still = cv2.imdecode(__import__('numpy').fromfile(sys.argv[1], 'uint8'), cv2.IMREAD_COLOR)
good, video = cv2.VideoCapture(sys.argv[2]).read()
print(still.shape[1::-1], video.shape[1::-1])";
    let url = format!("http://{}/video_feed", server.address);
    let output = run_successfully(Command::new(python()).args(["-c", script]).arg(&file).arg(&url));
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "(480, 640) (640, 480)");
}
