//! Cameras of the kernel's own drivers, in a virtual machine: the real `uvcvideo`, and `vivid`.
//!
//! The server runs in there, on the files of this machine; its viewers are out here. The machine's processor is
//! emulated, and slower by ten times.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::fakecam;
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::program;
use hotshoe_test_support::{DEADLINE, workspace};

use crate::faults::assert_bars;

/// One at a time: two would make each other slower, and both would compile the guest, which takes long in there.
static TURN: Mutex<()> = Mutex::new(());

/// The machine's USB camera is this program, which finds the number of the camera's port in this variable.
const USB_CAMERA: &str = "HOTSHOE_USB_CAMERA";

/// Whether this program was started as a USB camera.
pub fn is_usb_camera() -> bool {
    std::env::var_os(USB_CAMERA).is_some()
}

/// Plays a USB camera until the machine ends.
pub fn play_usb_camera() {
    hotshoe_fakecam::usb::run(std::env::var(USB_CAMERA).unwrap().parse().unwrap());
}

/// The program that runs a command in a machine.
fn runner() -> PathBuf {
    workspace().join("host/tests/machine/vm/run")
}

/// What this machine lacks for the virtual one, if anything: `run --prepare` fetches it.
pub fn missing() -> Option<&'static str> {
    let caches = [("XDG_CACHE_HOME", ""), ("HOME", ".cache")];
    let cache = caches.into_iter().find_map(|(name, folder)| Some(PathBuf::from(std::env::var_os(name)?).join(folder)));
    let is_prepared = cache.is_some_and(|cache| cache.join("hotshoe-camera-vm/kernel/ok").is_file());
    (!is_prepared).then_some("camera VM")
}

/// How long a machine and its server may take to start.
const STARTING: Duration = Duration::from_secs(400);

/// The folder for temporary files that a machine is given, in its own.
const TEMPORARY: &str = "tmp";

/// A machine with a camera that runs the server.
struct Machine {
    _turn: MutexGuard<'static, ()>,
    vm: Child,
    address: SocketAddr,
    /// Shared with the machine; what it writes elsewhere is gone with it.
    folder: TempDir,
}

impl Machine {
    /// Start the server in a machine with this camera, with these arguments, after a command of the shell.
    fn start(camera: &str, before: &str, args: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken and given back, so that it is very likely free a moment later.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("control"), "").unwrap();
        // Where it makes the folder that has its console.
        std::fs::create_dir(folder.path().join(TEMPORARY)).unwrap();
        let mut vm = Command::new(runner());
        vm.arg("-u").arg(std::env::current_exe().unwrap());
        vm.env("TMPDIR", folder.path().join(TEMPORARY));
        vm.env("FAKECAM_FRAMES", fakecam::frames()).env("FAKECAM_CTL", folder.path().join("control"));
        vm.args(["-c", camera, "-p", &format!("{port}:8080"), "-t", "900", "-w", folder.path().to_str().unwrap()]);
        // What is compiled in there is for another processor than this one's.
        let cache = program().parent().unwrap().join("test-cache/vm");
        std::fs::create_dir_all(&cache).unwrap();
        vm.args(["-w", cache.to_str().unwrap()]);
        let log = folder.path().join("log");
        let server = format!(
            "{before} exec {} --listen 0.0.0.0:8080 --admin off --cache {} {args} 2> {}",
            program().display(),
            cache.display(),
            log.display()
        );
        vm.args(["sh", "-c", &server]).current_dir(folder.path()).stdin(Stdio::null());
        let machine = Self { _turn: turn, vm: vm.spawn().unwrap(), address: ([127, 0, 0, 1], port).into(), folder };
        // The first of them compiles the guest in there.
        machine.wait_within(STARTING, "the server answers", |machine| answers(machine.address));
        machine
    }

    /// Tell the camera what to do.
    fn control(&self, lines: &str) {
        std::fs::write(self.folder.path().join("control"), lines).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether the machine's kernel has said on its console that it failed.
    fn has_crashed(&self) -> bool {
        let Ok(folders) = std::fs::read_dir(self.folder.path().join(TEMPORARY)) else { return false };
        let consoles = folders.filter_map(|folder| std::fs::read(folder.ok()?.path().join("console")).ok());
        consoles.into_iter().any(|console| String::from_utf8_lossy(&console).contains("---[ end trace "))
    }

    #[track_caller]
    fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        self.wait_within(4 * DEADLINE, what, condition);
    }

    #[track_caller]
    fn wait_within(&self, limit: Duration, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !condition(self) {
            assert!(!self.has_crashed(), "waited until {what}, and the machine's kernel failed");
            assert!(Instant::now() < deadline, "waited in vain until {what}; the server's log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    fn wait_for_logs(&self, text: &str, count: usize) {
        self.wait(text, |machine| machine.log().matches(text).count() >= count);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Asked first, so that it ends its machine.
        let _ = rustix::process::kill_process(Pid::from_child(&self.vm), Signal::TERM);
        let _ = self.vm.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// Whether a server answers. The machine's network accepts connections before there is one, and closes them.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    asked.is_ok() && stream.read_to_end(&mut Vec::new()).is_ok_and(|length| length > 0)
}

/// Read so many frames of 640x480 that are not those before.
fn fresh(viewer: &mut Viewer, count: usize) {
    let mut pictures = HashSet::new();
    while pictures.len() < count {
        let part = viewer.part();
        assert_eq!(jpeg_size(&part.jpeg), (640, 480));
        pictures.insert(part.jpeg);
    }
}

/// The machine's USB plug is itself emulated, by a driver (`vhci_hcd`) that now and then crashes the kernel when it is
/// pulled while a transfer is cancelled. Such a machine tells nothing about the server; another one is asked then.
pub fn usb_camera() {
    const MACHINES: usize = 4;
    for _ in 0..MACHINES {
        let args = "--camera /dev/video0,size=640x480,control=brightness:99 --allow-control";
        let machine = Machine::start("uvc", "", args);
        match catch_unwind(AssertUnwindSafe(|| unplug(&machine))) {
            Ok(()) => return,
            Err(_) if machine.has_crashed() => eprintln!("the machine's kernel failed; once more with another"),
            Err(panic) => resume_unwind(panic),
        }
    }
    panic!("the kernels of {MACHINES} machines failed");
}

fn unplug(machine: &Machine) {
    let mut viewer = Viewer::watch(machine.address, "/video_feed");
    fresh(&mut viewer, 30);
    let brightness = || {
        let controls = get(machine.address, "/controls").json();
        let list = controls["controls"].as_array().unwrap();
        list.iter().find(|control| control["name"] == "brightness").unwrap()["value"].as_i64()
    };
    assert_eq!(brightness(), Some(99));
    machine.control("FAKECAM_UNPLUGGED=1\n");
    machine.wait_for_logs("WARN camera video0: ", 1);
    // The viewer stays, and sees the same picture again and again.
    let mut last = viewer.part().jpeg;
    loop {
        let next = viewer.part().jpeg;
        if next == last {
            break;
        }
        last = next;
    }
    machine.control("");
    machine.wait_for_logs("camera video0: open", 2);
    fresh(&mut viewer, 30);
    assert_eq!(brightness(), Some(99), "it was set again");
}

pub fn usb_camera_without_mjpg() {
    let machine = Machine::start("uvc:FORMATS=YUYV SIZES=640x480", "", "--camera /dev/video0");
    let mut viewer = Viewer::watch(machine.address, "/video_feed");
    // A picture is sent again after a second without a new one, which happens in a machine this slow.
    let mut last = assert_bars(&viewer.part().jpeg);
    let mut distinct = 1;
    while distinct < 5 {
        let number = assert_bars(&viewer.part().jpeg);
        assert!(number >= last, "{number} after {last}");
        distinct += usize::from(number > last);
        last = number;
    }
    assert!(machine.log().contains("YUYV"), "{}", machine.log());
}

/// Every kind of memory layout that can be served, from the driver that has them all. It shows the same bars of
/// colour in each, and the same picture must come of it.
pub fn every_format() {
    const FORMATS: [&str; 12] =
        ["YUYV", "UYVY", "YVYU", "NV12", "NV21", "NV16", "YU12", "YV12", "422P", "RGB3", "BGR3", "XR24"];
    let cameras: Vec<_> =
        FORMATS.iter().map(|format| format!("--camera {format}=/dev/video0,format={format},size=640x360")).collect();
    let vivid = "vivid:n_devs=1 node_types=0x1 input_types=0";
    // One node, which one camera can have at a time; it is free again when that has closed.
    let machine = Machine::start(vivid, "", &format!("{} --linger 0", cameras.join(" ")));
    let mut pictures = Vec::new();
    for format in FORMATS {
        let mut reply = get(machine.address, &format!("/snapshot/{format}"));
        let deadline = Instant::now() + 4 * DEADLINE;
        while reply.status != 200 {
            assert!(Instant::now() < deadline, "{format}: {}\n{}", reply.text(), machine.log());
            std::thread::sleep(Duration::from_millis(100));
            reply = get(machine.address, &format!("/snapshot/{format}"));
        }
        pictures.push((format, crate::faults::decode(&reply.body)));
        machine.wait_for_logs(&format!("camera {format}: closed"), 1);
    }
    // The upper part, since the driver writes the time and its settings into the picture. Every bar in its middle.
    let bars = |pixels: &[u8]| -> Vec<[u8; 3]> {
        (0..8)
            .map(|bar| {
                let at = (300 * 640 + bar * 80 + 40) * 3;
                [pixels[at], pixels[at + 1], pixels[at + 2]]
            })
            .collect()
    };
    let (_, first) = &pictures[0];
    for (format, pixels) in &pictures {
        for (shown, right) in bars(pixels).iter().flatten().zip(bars(first).iter().flatten()) {
            assert!(shown.abs_diff(*right) <= 16, "{format}: {:?} instead of {:?}", bars(pixels), bars(first));
        }
    }
    let distinct: HashSet<_> = bars(first).into_iter().collect();
    assert!(distinct.len() >= 7, "those are no bars: {distinct:?}");
}

/// Another program streams from the camera. It is named, and when it ends the camera is had.
pub fn busy_usb_camera() {
    let other = "ffmpeg -loglevel quiet -f v4l2 -input_format mjpeg -i /dev/video0 -c copy -y seen.mjpeg < /dev/null & \
                 while ! [ -s seen.mjpeg ]; do sleep 0.2; done; \
                 (while ! grep -q free control; do sleep 0.2; done; kill $!) &";
    let machine = Machine::start("uvc", other, "--camera /dev/video0,size=640x480");
    let refused = get(machine.address, "/snapshot");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("in use by another program, ffmpeg (process "), "{}", refused.text());
    let mut viewer = Viewer::watch(machine.address, "/video_feed");
    viewer.part();
    machine.control("# free\n");
    machine.wait_for_logs("camera video0: open", 1);
    fresh(&mut viewer, 10);
}
