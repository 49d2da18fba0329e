//! The recipes for programs as cameras in `docs/cameras.md`, with the real programs or stand-ins.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{built_in_pictures, wait_until, workspace};

/// A program that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(camera: &str) -> Server {
    Server::start(&["--camera", camera])
}

/// Checks that at least ten pictures of this size arrive, and that they differ.
#[track_caller]
fn check_stream(viewer: &mut Viewer, size: (u16, u16)) {
    let mut pictures: Vec<Vec<u8>> = Vec::new();
    while pictures.len() < 10 {
        let jpeg = viewer.part().jpeg;
        // Until the program writes, there are placeholders.
        if jpeg_size(&jpeg) == size && !pictures.contains(&jpeg) {
            pictures.push(jpeg);
        }
    }
}

pub fn rtsp_through_ffmpeg() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("rtsp://user:secret@127.0.0.1:{port}/stream");
    // The documented command, except that ffmpeg takes the part of the camera in the connection.
    let server = serve(&format!(
        "door=exec:ffmpeg -loglevel error -rtsp_transport tcp -rtsp_flags listen -i {url} -f mjpeg -q:v 5 -"
    ));
    let mut viewer = Viewer::watch(server.address, "/video_feed/door");
    let mut push = Command::new("ffmpeg");
    push.args(["-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10", "-c:v", "mpeg4"]);
    push.args(["-rtsp_transport", "tcp", "-f", "rtsp", &format!("rtsp://127.0.0.1:{port}/stream")]);
    push.stdin(Stdio::null()).stderr(Stdio::null());
    let mut camera = Running(push.spawn().unwrap());
    wait_until("ffmpeg listens and the other one connects", || {
        if camera.0.try_wait().unwrap().is_some() {
            camera = Running(push.spawn().unwrap());
        }
        get(server.address, "/snapshot").status == 200
    });
    check_stream(&mut viewer, (320, 240));
    drop(camera);
    let outage = server.wait_for_log("camera door: ffmpeg exited with code ");
    assert!(!outage.contains("secret"), "{outage}");
}

pub fn film_on_standard_input() {
    let mut film = Command::new("ffmpeg");
    film.args(["-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=20", "-f", "mjpeg", "-"]);
    let mut film = Running(film.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut command = command();
    command.args(["--camera", "stdin"]);
    let server = Server::start_with_stdin(command, film.0.stdout.take().unwrap().into());
    check_stream(&mut Viewer::watch(server.address, "/video_feed"), (320, 240));
}

pub fn multipart_of_ffmpeg() {
    let input = "ffmpeg -loglevel error -re -f lavfi -i 'testsrc=size=320x240:rate=20'";
    let server = serve(&format!("exec:{input} -f mpjpeg -"));
    check_stream(&mut Viewer::watch(server.address, "/video_feed"), (320, 240));
}

pub fn screen() {
    let mut display = Command::new("Xvfb");
    display.args(["-displayfd", "1", "-screen", "0", "320x240x24", "-nolisten", "tcp"]);
    let mut display = Running(display.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut number = String::new();
    BufReader::new(display.0.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let server = serve(&format!(
        "screen=exec:ffmpeg -loglevel error -f x11grab -framerate 10 -i :{} -f mjpeg -q:v 5 -",
        number.trim()
    ));
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    while jpeg_size(&viewer.part().jpeg) != (320, 240) {}
    server.wait_for_log("camera screen: opened at 320x240");
}

pub fn opencv_script() {
    let text = fs::read_to_string(workspace().join("docs/cameras.md")).unwrap();
    let script = text.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("robot.py"), script).unwrap();
    // Stands in for OpenCV: yields the built-in pictures instead of encoding.
    let stand_in = format!(
        "import itertools, pathlib, time\n\
         pictures = itertools.cycle([pathlib.Path('{}', f'{{n}}.jpg').read_bytes() for n in (1, 2, 3)])\n\
         class VideoCapture:\n    def __init__(self, index): assert index == 0\n    \
         def read(self):\n        time.sleep(0.05)\n        return True, next(pictures)\n\
         def imencode(extension, picture):\n    assert extension == '.jpg'\n    return True, picture\n",
        workspace().join("frames").display()
    );
    fs::write(folder.path().join("cv2.py"), stand_in).unwrap();
    let server = Server::start_in(folder.path(), &["--camera", "robot=exec:python3 robot.py"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut left = built_in_pictures();
    while !left.is_empty() {
        let jpeg = viewer.part().jpeg;
        left.retain(|picture| *picture != jpeg);
    }
}

pub fn gphoto2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gphoto2");
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = '--capture-movie --stdout' ] || exit 2\nwhile cat {}/?.jpg; do sleep 0.1; done\n",
        workspace().join("frames").display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command();
    command.args(["--camera", "dslr=exec:gphoto2 --capture-movie --stdout"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    let server = Server::start_command(command);
    assert!(built_in_pictures().contains(&get(server.address, "/snapshot").body));
}
