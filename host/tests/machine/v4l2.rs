//! V4L2 cameras, without one: a preloaded library that plays a camera, and a virtual machine with the real
//! USB driver.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::succeed;
use rustix::process::{Pid, Signal};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, command, program};
use hotshoe_test_support::{DEADLINE, wait_until};

fn fakecam() -> PathBuf {
    PathBuf::from(std::env::var_os("HOTSHOE_FAKECAM").unwrap())
}

/// The program with a camera at /dev/video0 that behaves like this.
fn with_camera(settings: &[(&str, &str)]) -> Command {
    let mut command = command();
    command.env("LD_PRELOAD", fakecam().join("libfakecam.so")).env("FAKECAM_FRAMES", fakecam().join("frames"));
    command.envs(settings.iter().copied());
    command
}

fn serve(settings: &[(&str, &str)], camera: &str) -> Server {
    let mut command = with_camera(settings);
    command.args(["--camera", camera, "--linger", "0.2"]);
    Server::start_command(command)
}

/// The width and height in a JPEG image's frame header.
fn size(jpeg: &[u8]) -> (u16, u16) {
    let word = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    let mut at = 2;
    while jpeg[at + 1] != 0xC0 {
        at += 2 + usize::from(word(at + 2));
    }
    (word(at + 7), word(at + 5))
}

/// The number that the camera put into a frame's comment.
fn frame_number(jpeg: &[u8]) -> u64 {
    let mark = b"fakecam seq=";
    let at = jpeg.windows(mark.len()).position(|window| window == mark).expect("a stamp") + mark.len();
    let digits = jpeg[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&jpeg[at..at + digits]).unwrap().parse().unwrap()
}

pub fn streams() {
    let server = serve(&[("FAKECAM_STAMP", "1")], "/dev/video0");
    assert!(server.log().contains("camera video0: Fakecam 0 at /dev/video0"), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = frame_number(&viewer.part().jpeg);
    let mut skipped = 0;
    for _ in 0..90 {
        let number = frame_number(&viewer.part().jpeg);
        assert!(number > last);
        skipped += number - last - 1;
        last = number;
    }
    assert!(skipped < 10, "{skipped} of {last} frames are missing");
    assert_eq!(server.capture_threads(), 1);
    drop(viewer);
    server.wait_for_log("camera video0: closed");
}

pub fn is_found_by_auto() {
    let server = serve(&[], "auto");
    assert!(server.log().contains("camera video0: Fakecam 0 at /dev/video0"), "{}", server.log());
    assert_eq!(get(server.address, "/snapshot/video0").status, 200);
    // A camera that can't be served is not the one.
    let server = serve(&[("FAKECAM_FORMATS", "YUYV")], "auto");
    assert!(server.log().contains("camera emulated: "), "{}", server.log());
}

pub fn is_listed() {
    let list = succeed(with_camera(&[("FAKECAM_DEVICES", "2")]).arg("cameras"));
    let list = String::from_utf8(list.stdout).unwrap();
    for line in [
        "/dev/video0  Fakecam 0",
        "/dev/video1  Fakecam 1",
        "  MJPG  ",
        "  YUYV  ",
        "    640x480      30, 24, 20, 15, 10, 7.5, 5 fps",
    ] {
        assert!(list.contains(line), "{line:?} is not in\n{list}");
    }
}

pub fn gives_what_is_asked_for() {
    let server = serve(&[], "front=/dev/video0,size=1280x720,fps=15");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    for _ in 0..10 {
        assert_eq!(size(&viewer.part().jpeg), (1280, 720));
    }
    assert!(server.log().contains("camera front: open, 1280x720, 15 fps"), "{}", server.log());
    assert!(!server.log().contains("asked for"), "{}", server.log());
}

pub fn gives_what_it_can() {
    let server = serve(&[], "/dev/video0,size=1000x700,fps=55");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    let log = server.log();
    assert!(log.contains("/dev/video0: asked for 1000x700, the driver gave "), "{log}");
    assert!(log.contains("/dev/video0: asked for 55 frames a second, the driver gave 30.00"), "{log}");
}

pub fn damaged_frames_are_not_shown() {
    let faults = [
        ("FAKECAM_STAMP", "1"),
        ("FAKECAM_TRUNCATE_EVERY", "5"),
        ("FAKECAM_ERROR_EVERY", "11"),
        ("FAKECAM_EMPTY_EVERY", "13"),
        ("FAKECAM_PAD", "100"),
    ];
    let server = serve(&faults, "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    // The viewer panics at an image that is not whole; padding would be an image that does not end.
    let numbers: Vec<_> = (0..120).map(|_| frame_number(&viewer.part().jpeg)).collect();
    let seen: HashSet<_> = numbers.iter().copied().collect();
    assert_eq!(seen.len(), numbers.len(), "one is shown twice");
    // Of the good ones, all but what a busy machine skips.
    let span = numbers[119] - numbers[0];
    assert!(span < 120 * 3 / 2 + 20, "120 frames took {span} of the camera's");
}

pub fn busy() {
    let server = serve(&[("FAKECAM_FAIL", "STREAMON=EBUSY:2")], "/dev/video0");
    let refused = get(server.address, "/snapshot");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("/dev/video0 is in use by another program"), "{}", refused.text());
    let deadline = Instant::now() + DEADLINE;
    let mut viewer = loop {
        let viewer = Viewer::watch(server.address, "/video_feed");
        if viewer.status == 200 {
            break viewer;
        }
        assert!(Instant::now() < deadline, "it stays busy");
        std::thread::sleep(Duration::from_millis(100));
    };
    viewer.part();
    server.wait_for_log("WARN camera video0: /dev/video0 is in use by another program");
}

pub fn unplugged() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    std::fs::write(&control, "").unwrap();
    let server = serve(&[("FAKECAM_CTL", control.to_str().unwrap()), ("FAKECAM_STAMP", "1")], "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    for _ in 0..30 {
        viewer.part();
    }
    std::fs::write(&control, "FAKECAM_UNPLUGGED=1\n").unwrap();
    server.wait_for_log("WARN camera video0: ");
    // The viewer stays, and is sent the last frame again and again.
    let last = loop {
        let part = viewer.part();
        if viewer.part() == part {
            break part;
        }
    };
    assert_eq!(viewer.part(), last);
    // Who comes now is told.
    for path in ["/snapshot", "/video_feed"] {
        let refused = get(server.address, path);
        assert_eq!(refused.status, 503, "{path}");
        assert!(refused.text().contains("/dev/video0"), "{}", refused.text());
    }
    std::fs::write(&control, "").unwrap();
    server.wait_for_logs("camera video0: open", 2);
    let mut fresh = 0;
    while fresh < 30 {
        if viewer.part().timestamp != last.timestamp {
            fresh += 1;
        }
    }
}

pub fn without_mjpg() {
    let output = with_camera(&[("FAKECAM_FORMATS", "YUYV")]).args(["--camera", "/dev/video0"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: camera video0: /dev/video0 offers no MJPG but YUYV"), "{stderr}");
}

pub fn opens_and_closes() {
    let server = serve(&[], "/dev/video0");
    let cycle = |round| {
        assert_eq!(get(server.address, "/snapshot").status, 200);
        server.wait_for_logs("camera video0: closed", round);
    };
    cycle(1);
    wait_until("the thread has ended", || server.capture_threads() == 0);
    let files = server.open_files();
    (2..=15).for_each(cycle);
    wait_until("all files are closed again", || server.open_files() <= files);
}

/// The server runs in the virtual machine, on the files of this one; its viewer is out here.
pub fn real_driver_streams() {
    // Taken and given back, so that it is very likely free a moment later.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut vm = Command::new(std::env::var_os("HOTSHOE_CAMERA_VM").unwrap());
    vm.env("FAKECAM_FRAMES", fakecam().join("frames"))
        .args(["-p", &format!("{port}:8080"), "-t", "300"])
        .arg(program());
    vm.args(["--camera", "/dev/video0,size=640x480", "--listen", "0.0.0.0:8080"]);
    let _vm = Ended(vm.stdin(Stdio::null()).spawn().unwrap());
    let address = ([127, 0, 0, 1], port).into();
    // The machine, with an emulated processor, takes ten seconds and more to start.
    let deadline = Instant::now() + 4 * DEADLINE;
    while !answers(address) {
        assert!(Instant::now() < deadline, "it does not answer");
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut viewer = Viewer::watch(address, "/video_feed");
    assert_eq!(viewer.status, 200);
    let mut timestamps = HashSet::new();
    for _ in 0..60 {
        let part = viewer.part();
        assert_eq!(size(&part.jpeg), (640, 480));
        timestamps.insert(part.timestamp);
    }
    assert!(timestamps.len() > 50, "frames were repeated");
}

/// Whether a server answers. The machine's network accepts connections before there is one, and closes them.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    asked.is_ok() && stream.read_to_end(&mut Vec::new()).is_ok_and(|length| length > 0)
}

/// A process that is ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Asked first, so that it ends its machine.
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
