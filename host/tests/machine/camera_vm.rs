//! Cameras with the kernel's real drivers, `uvcvideo` and `vivid`, in a virtual machine.
//!
//! The server runs in the VM and uses the files of the host; its viewers run on the host. The VM's processor is
//! emulated and ten times slower. Only one VM runs at a time: two would slow each other down, and both would compile the
//! guest.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::fakecam;
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::program;
use hotshoe_test_support::{DEADLINE, workspace};

use crate::faults::assert_bars;

/// The variable with the port number of the USB camera, which this program emulates in the VM.
const USB_CAMERA: &str = "HOTSHOE_USB_CAMERA";

/// Whether this program was started to emulate a USB camera.
pub fn is_usb_camera() -> bool {
    std::env::var_os(USB_CAMERA).is_some()
}

/// Emulates a USB camera until the VM stops.
pub fn play_usb_camera() {
    hotshoe_fakecam::usb::run(std::env::var(USB_CAMERA).unwrap().parse().unwrap());
}

/// The script that runs a command in a VM.
fn runner() -> PathBuf {
    workspace().join("host/tests/machine/vm/run")
}

/// What the host lacks to run VMs, if anything. `run --prepare` downloads it.
pub fn missing() -> Option<&'static str> {
    let caches = [("XDG_CACHE_HOME", ""), ("HOME", ".cache")];
    let cache = caches.into_iter().find_map(|(name, folder)| Some(PathBuf::from(std::env::var_os(name)?).join(folder)));
    let is_prepared = cache.is_some_and(|cache| cache.join("hotshoe-camera-vm/kernel/ok").is_file());
    (!is_prepared).then_some("camera VM")
}

/// How long a VM and its server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(400);

/// The folder for temporary files within the folder of a VM.
const TEMPORARY_FOLDER: &str = "tmp";

/// A VM with a camera, which runs the server.
struct Machine {
    vm: Child,
    address: SocketAddr,
    /// Shared with the VM. Everything it writes elsewhere is discarded.
    folder: TempDir,
}

impl Machine {
    /// Starts a VM with this camera, runs the shell command `before`, and then the server with these arguments.
    fn start(camera: &str, before: &str, args: &str) -> Self {
        // The port was free just now, so it very likely still is when the VM starts.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("control"), "").unwrap();
        // The script creates a folder with the VM's console in here.
        std::fs::create_dir(folder.path().join(TEMPORARY_FOLDER)).unwrap();
        let mut vm = Command::new(runner());
        vm.arg("-u").arg(std::env::current_exe().unwrap());
        vm.env("TMPDIR", folder.path().join(TEMPORARY_FOLDER));
        vm.env("FAKECAM_FRAMES", fakecam::frames()).env("FAKECAM_CTL", folder.path().join("control"));
        vm.args(["-c", camera, "-p", &format!("{port}:8080"), "-t", "900", "-w", folder.path().to_str().unwrap()]);
        // Separate from the host's cache, because the VM compiles for another processor.
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
        let machine = Self { vm: vm.spawn().unwrap(), address: ([127, 0, 0, 1], port).into(), folder };
        // The first VM compiles the guest.
        machine.wait_within(START_TIMEOUT, "the server answers", |machine| answers(machine.address));
        machine
    }

    /// Writes the camera's control file.
    fn control(&self, lines: &str) {
        std::fs::write(self.folder.path().join("control"), lines).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether the VM's kernel has crashed, according to its console.
    fn has_crashed(&self) -> bool {
        let Ok(folders) = std::fs::read_dir(self.folder.path().join(TEMPORARY_FOLDER)) else { return false };
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
            assert!(!self.has_crashed(), "the VM's kernel crashed while waiting until {what}");
            assert!(Instant::now() < deadline, "timed out waiting until {what}; the server's log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns a snapshot of a camera, and waits until the camera is closed: another one may use its node.
    fn picture(&self, camera: &str) -> Vec<u8> {
        let mut reply = get(self.address, &format!("/snapshot/{camera}"));
        let deadline = Instant::now() + 4 * DEADLINE;
        while reply.status != 200 {
            assert!(Instant::now() < deadline, "{camera}: {}\n{}", reply.text(), self.log());
            std::thread::sleep(Duration::from_millis(100));
            reply = get(self.address, &format!("/snapshot/{camera}"));
        }
        self.wait_for_logs(&format!("camera {camera}: closed"), 1);
        reply.body
    }

    #[track_caller]
    fn wait_for_logs(&self, text: &str, count: usize) {
        self.wait(text, |machine| machine.log().matches(text).count() >= count);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SIGTERM makes the script stop its VM.
        let _ = rustix::process::kill_process(Pid::from_child(&self.vm), Signal::TERM);
        let _ = self.vm.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// Whether a server responds. Before one does, the VM's network accepts connections and closes them.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let sent = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    sent.is_ok() && stream.read_to_end(&mut Vec::new()).is_ok_and(|length| length > 0)
}

/// Reads until `count` different frames of 640x480 have arrived.
fn read_new_frames(viewer: &mut Viewer, count: usize) {
    let mut pictures = HashSet::new();
    while pictures.len() < count {
        let part = viewer.part();
        assert_eq!(jpeg_size(&part.jpeg), (640, 480));
        pictures.insert(part.jpeg);
    }
}

/// The driver that emulates the USB port (`vhci_hcd`) sometimes crashes the kernel if the camera is unplugged while a
/// transfer is cancelled. That says nothing about the server, so the test is repeated in another VM.
pub fn usb_camera() {
    const ATTEMPTS: usize = 4;
    for _ in 0..ATTEMPTS {
        let args = "--camera /dev/video0,size=640x480,control=brightness:99 --allow-control";
        let machine = Machine::start("uvc", "", args);
        match catch_unwind(AssertUnwindSafe(|| unplug(&machine))) {
            Ok(()) => return,
            Err(_) if machine.has_crashed() => eprintln!("the VM's kernel crashed; trying another VM"),
            Err(panic) => resume_unwind(panic),
        }
    }
    panic!("the kernels of {ATTEMPTS} VMs crashed");
}

fn unplug(machine: &Machine) {
    let mut viewer = Viewer::watch(machine.address, "/video_feed");
    read_new_frames(&mut viewer, 30);
    let brightness = || {
        let controls = get(machine.address, "/controls").json();
        let list = controls["controls"].as_array().unwrap();
        list.iter().find(|control| control["name"] == "brightness").unwrap()["value"].as_i64()
    };
    assert_eq!(brightness(), Some(99));
    machine.control("FAKECAM_UNPLUGGED=1\n");
    machine.wait_for_logs("WARN camera video0: ", 1);
    // The viewer stays connected and receives the placeholder repeatedly.
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
    read_new_frames(&mut viewer, 30);
    assert_eq!(brightness(), Some(99), "the control was not set again");
}

pub fn usb_camera_without_mjpg() {
    let machine = Machine::start("uvc:FORMATS=YUYV SIZES=640x480", "", "--camera /dev/video0");
    let mut viewer = Viewer::watch(machine.address, "/video_feed");
    // After a second without a new picture, which happens in such a slow VM, the last one is sent again.
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

/// `vivid` offers every kind of memory layout and shows the same colour bars in each, so every format must yield the
/// same picture. The second device is multi-planar.
pub fn every_format() {
    const SINGLE_PLANAR: [&str; 12] =
        ["YUYV", "UYVY", "YVYU", "NV12", "NV21", "NV16", "YU12", "YV12", "422P", "RGB3", "BGR3", "XR24"];
    const MULTI_PLANAR: [&str; 8] = ["YUYV", "NV12", "NM12", "NM21", "NM16", "YM12", "YM21", "YM16"];
    let nodes = [("single", "/dev/video0", &SINGLE_PLANAR[..]), ("multi", "/dev/video1", &MULTI_PLANAR)];
    let cameras: Vec<_> = nodes
        .iter()
        .flat_map(|(name, node, formats)| formats.iter().map(move |format| (format!("{name}-{format}"), node, format)))
        .collect();
    let args =
        cameras.iter().map(|(name, node, format)| format!("--camera {name}={node},format={format},size=640x360"));
    let vivid = "vivid:n_devs=2 node_types=0x1,0x1 input_types=0,0 multiplanar=1,2";
    let machine = Machine::start(vivid, "", &format!("{} --linger 0", args.collect::<Vec<_>>().join(" ")));
    let pictures: Vec<_> =
        cameras.iter().map(|(name, ..)| (name, crate::faults::decode(&machine.picture(name)))).collect();
    // Samples the middle of each bar, away from the texts that the driver draws into the picture.
    let bars = |pixels: &[u8]| -> Vec<[u8; 3]> {
        (0..8)
            .map(|bar| {
                let at = (300 * 640 + bar * 80 + 40) * 3;
                [pixels[at], pixels[at + 1], pixels[at + 2]]
            })
            .collect()
    };
    let (_, first) = &pictures[0];
    for (camera, pixels) in &pictures {
        for (actual, expected) in bars(pixels).iter().flatten().zip(bars(first).iter().flatten()) {
            assert!(actual.abs_diff(*expected) <= 16, "{camera}: {:?} instead of {:?}", bars(pixels), bars(first));
        }
    }
    let distinct: HashSet<_> = bars(first).into_iter().collect();
    assert!(distinct.len() >= 7, "the picture does not show bars: {distinct:?}");
}

/// `vivid` has a webcam, an HDMI input with a signal of 1280x720, and an S-Video input. The webcam cannot crop.
pub fn inputs_and_standards() {
    const CROP: &str = "crop=320x180+640+180";
    let cameras = format!(
        "--camera hdmi=/dev/video0,input=1 --camera analogue=/dev/video0,input=2,standard=PAL \
         --camera none=/dev/video0,input=9 --camera part=/dev/video0,input=1,{CROP} \
         --camera web=/dev/video0,input=0,size=1280x720,{CROP}"
    );
    let vivid = "vivid:n_devs=1 node_types=0x1 num_inputs=3 input_types=0x2c";
    let machine = Machine::start(vivid, "", &format!("{cameras} --linger 0 --allow-control"));
    for (camera, width) in [("hdmi", 1280), ("analogue", 720)] {
        let (actual, height) = jpeg_size(&machine.picture(camera));
        assert!(actual == width && [720, 576, 288].contains(&height), "{camera}: {actual}x{height}");
    }
    let refused = get(machine.address, "/snapshot/none");
    assert!(refused.text().contains("/dev/video0 has no input `9` (offered: "), "{}", refused.text());
    for (camera, by) in [("part", "the device"), ("web", "the server")] {
        let picture = machine.picture(camera);
        assert_eq!(jpeg_size(&picture), (320, 180), "{camera}");
        // The bars are 160 pixels wide, so these are the fifth and the sixth: magenta and red. Samples them below the
        // texts that the driver draws into the picture.
        let pixels = crate::faults::decode(&picture);
        let green_and_blue = [80, 240].map(|x| [pixels[(174 * 320 + x) * 3 + 1], pixels[(174 * 320 + x) * 3 + 2]]);
        assert!(matches!(green_and_blue, [[0..90, 150..=255], [0..90, 0..90]]), "{camera}: {green_and_blue:?}");
        assert!(machine.log().contains(&format!("{CROP} by {by}")), "{}", machine.log());
    }
    follow_signal(&machine);
}

/// Reads parts until a picture has this size.
#[track_caller]
fn read_until_size(viewer: &mut Viewer, size: (u16, u16)) {
    let deadline = Instant::now() + 4 * DEADLINE;
    while jpeg_size(&viewer.part().jpeg) != size {
        assert!(Instant::now() < deadline, "no picture of {size:?}");
    }
}

/// The driver reports each change of the HDMI signal.
fn follow_signal(machine: &Machine) {
    // The items of the control "DV Timings Signal Mode".
    let [current, none, out_of_range, selected] = [0, 1, 3, 4];
    let set_signal = |mode: u32| {
        let body = format!("dv_timings_signal_mode={mode}");
        let reply = send(machine.address, "POST", "/controls/hdmi", &[], body.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    let mut viewer = Viewer::watch(machine.address, "/video_feed/hdmi");
    read_until_size(&mut viewer, (1280, 720));
    // The first one in the list.
    set_signal(selected);
    read_until_size(&mut viewer, (640, 480));
    for (mode, reason) in
        [(none, "no signal at /dev/video0"), (out_of_range, "the signal at /dev/video0 is out of its range")]
    {
        set_signal(mode);
        machine.wait_for_logs(&format!("camera hdmi: {reason}"), 1);
    }
    set_signal(current);
    machine.wait_for_logs("camera hdmi: opened at 640x480", 2);
    drop(viewer);
    machine.wait_for_logs("camera hdmi: closed", 2);
}

/// While another program streams from the camera, the error names it; once it stops, the camera works.
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
    read_new_frames(&mut viewer, 10);
}
