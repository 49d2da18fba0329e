//! A file system that does not respond: FUSE with a server that answers nothing. It delays nothing but what needs its
//! files.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::guests::{DRIVES, built_in, driver, driver_file, driver_that_a_file_breaks, variant};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{built_in_pictures, wait_until};
use rustix::process::Signal;

use super::harness::{missing_as_root, run_successfully};

/// Mounts a file system that hangs until its standard input is closed. Then all calls fail (`ENOTCONN`).
const HANG: &str = "exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 none \"$0\" && \
                    echo mounted && read -r end";

/// A mounted file system that hangs.
struct Hung<'a> {
    folder: &'a Path,
    server: Child,
}

impl<'a> Hung<'a> {
    fn mount(folder: &'a Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", HANG]).arg(folder).stdin(Stdio::piped());
        let server = command.spawn().unwrap();
        let name = folder.to_str().unwrap();
        wait_until("the file system is mounted", || fs::read_to_string("/proc/mounts").unwrap().contains(name));
        Self { folder, server }
    }

    /// Lets all calls fail from now on.
    fn end(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

impl Drop for Hung<'_> {
    fn drop(&mut self) {
        self.end();
        let _ = Command::new("umount").arg("-l").arg(self.folder).status();
    }
}

/// What is missing to mount one.
pub fn missing() -> Option<String> {
    missing_as_root(&["mount", "umount"]).or_else(|| {
        let folder = tempfile::tempdir().ok()?;
        let mut command = Command::new("sh");
        // Standard input ends at once.
        command.args(["-c", HANG]).arg(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok()?;
        let is_mounted = output.stdout.starts_with(b"mounted");
        if is_mounted {
            run_successfully(Command::new("umount").arg("-l").arg(folder.path()));
        }
        (!is_mounted).then(|| "FUSE".to_owned())
    })
}

pub fn delays_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    // The driver looks whether there is a file `broken`, and works if that fails.
    let (_, camera) = driver_file(folder.path(), &driver_that_a_file_breaks(1));
    let (files, lost) = (folder.path().join("files"), folder.path().join("lost"));
    let broken = files.join("broken");
    fs::create_dir_all(&broken).unwrap();
    fs::create_dir(&lost).unwrap();
    let guest = folder.path().join("guest.wasm");
    fs::write(&guest, built_in()).unwrap();
    let mut hung = [Hung::mount(&broken), Hung::mount(&lost)];
    let reading = format!("{camera},dir={}", files.display());
    let unread = format!("unread=component:{}", lost.join("driver.wasm").display());
    let mut server =
        Server::start(&["--camera", &reading, "--camera", &unread, "--guest", guest.to_str().unwrap(), "--watch"]);

    let says = |path: &str, reason: &str| {
        let reply = get(server.address, path);
        reply.status == 503 && reply.text().contains(reason)
    };
    wait_until("the reason is that the driver cannot be read", || says("/snapshot/unread", "is being loaded; reading"));
    // Whatever hangs, the guest can be reloaded, and the driver replaced.
    for number in 1..=2 {
        fs::write(&guest, variant(&built_in(), number)).unwrap();
        server.signal(Signal::HUP);
        wait_until("the guest is replaced", || server.generation() == u64::from(number) + 1);
    }
    let uploaded = send(server.admin.unwrap(), "PUT", "/cameras/unread", &[], &driver(DRIVES, 2));
    assert_eq!(uploaded.status, 200, "{}", uploaded.text());
    let mut viewer = Viewer::watch(server.address, "/video_feed/unread");
    wait_until("the uploaded driver works", || viewer.part().jpeg == built_in_pictures()[1]);

    // After the first opening, at which the driver is silent for ten seconds, it is not even started.
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_until("the reason is the file system", || {
        viewer
            .part()
            .header("x-outage")
            .is_some_and(|outage| outage.contains("the file system of dir= does not respond"))
    });
    let stuck = server.threads().into_iter().filter(|(_, name)| name == "driver-files").count();
    // One for each camera with a driver.
    assert!(stuck <= 2, "{stuck} threads");
    hung[0].end();
    wait_until("the driver works", || viewer.part().jpeg == built_in_pictures()[0]);
    // The other one still hangs.
    server.signal(Signal::TERM);
    assert!(server.wait().success());
}

/// Longer than the server waits for two things, one after the other.
const RELOAD_DEADLINE: Duration = Duration::from_secs(120);

pub fn does_not_keep_a_reload_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (lost, config, broken) = (path("lost"), path("hotshoe.toml"), path("broken.toml"));
    fs::create_dir(&lost).unwrap();
    let camera = |name: &str, source: &str| format!("[cameras.{name}]\nsource = \"{source}\"\n");
    let driver = format!("component:{}", lost.join("driver.wasm").display());
    let text = camera("front", "emulated") + &camera("unread", &driver);
    fs::write(&config, &text).unwrap();
    let mut hung = Hung::mount(&lost);
    let systemd = UnixDatagram::bind(path("notify")).unwrap();
    systemd.set_read_timeout(Some(RELOAD_DEADLINE)).unwrap();
    let mut command = command();
    command.arg("--config").arg(&config).env("NOTIFY_SOCKET", path("notify"));
    let server = Server::start_command(command);
    let expect = |text: &str| {
        let mut message = [0; 4096];
        let length = systemd.recv(&mut message).unwrap();
        let message = String::from_utf8_lossy(&message[..length]);
        assert!(message.lines().any(|line| line == text), "{message:?} lacks {text}");
    };
    expect("READY=1");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    // Renamed into place, because the file may be read at any time.
    symlink(lost.join("hotshoe.toml"), &broken).unwrap();
    fs::rename(&broken, &config).unwrap();
    server.signal(Signal::HUP);
    expect("RELOADING=1");
    let admin = server.admin.unwrap();
    let posting = thread::spawn(move || request(admin, "POST", "/config/reload"));
    expect("READY=1");
    let log = |text: &str| server.wait_for_log_within(text, RELOAD_DEADLINE);
    log("the configuration is not reloaded: it takes more than 20 s, and continues");
    log("camera unread: driver not reloaded: it takes more than 20 s, and continues");
    let reply = posting.join().unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    viewer.part();
    // What hangs ends when the file system responds, and others get their turn.
    hung.end();
    log("the configuration is not reloaded, and nothing changes: cannot read the configuration");
    fs::remove_file(&config).unwrap();
    fs::write(&config, text + &camera("new", "emulated")).unwrap();
    assert_eq!(request(admin, "POST", "/config/reload").json()["cameras"]["added"][0], "new");
    viewer.part();
}
