//! A file system that does not respond: FUSE with a server that answers nothing. It delays nothing but what needs its
//! files.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::guests::{DRIVES, built_in, driver, driver_file, driver_that_a_file_breaks, variant};
use hotshoe_test_support::server::Server;
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
