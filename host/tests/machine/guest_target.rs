//! Guests built with the commands that a guest developer uses.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::run_successfully;
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, program, run, set_environment};
use hotshoe_test_support::{wait_until_within, workspace};
use rustix::process::{Pid, Signal, kill_process_group};

/// The target of guests.
pub const TARGET: &str = "wasm32-wasip2";

/// How long a build and the compilation of its result may take, while other tests run.
const BUILD_TIME: Duration = Duration::from_secs(400);

/// Whether the WebAssembly target is installed.
pub fn is_installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// The documented command for building the guest produces a component that serves.
pub fn documented_build_command_works() {
    // Kept between runs, because a full build takes half a minute.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace()).args(["build", "--package", "hotshoe-guest", "--profile", "guest"]);
    cargo.args(["--target", TARGET, "--offline", "--target-dir"]).arg(&folder);
    run_successfully(&mut cargo);
    let guest = folder.join(TARGET).join("guest").join("hotshoe_guest.wasm");
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", guest.to_str().unwrap()]);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert!(get(server.address, "/").text().contains("video_feed/emulated"));
}

/// A copy of the built-in guest builds, serves, and is rebuilt at each save.
pub fn full_guest_is_rebuilt_at_each_save() {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("Porch Cam");
    let created = run(["guest".as_ref(), "new".as_ref(), "--full".as_ref(), guest.as_os_str()]);
    assert!(created.status.success());
    assert!(String::from_utf8(created.stdout).unwrap().contains("./dev"));
    let again = run(["guest".as_ref(), "new".as_ref(), guest.as_os_str()]);
    assert!(String::from_utf8(again.stderr).unwrap().contains("already exists"));

    // The build command in the guest's README.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&guest).args(["build", "--quiet", "--profile", "guest", "--target", TARGET]);
    run_successfully(cargo.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", guest.join("target")));

    let dev = Dev::start(&guest, BUILD_TIME);
    let server = &dev.server;
    assert!(server.log().contains("built in "), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();

    let page = guest.join("src/page/page.html");
    let html = fs::read_to_string(&page).unwrap();
    fs::write(&page, html.replace("Hotshoe</h1>", "The porch</h1>")).unwrap();
    wait_until_within("the new page is served", BUILD_TIME, || get(server.address, "/").text().contains("The porch"));
    viewer.part();

    // While the code does not compile, the old guest serves.
    let code = guest.join("src").join("lib.rs");
    let rust = fs::read_to_string(&code).unwrap();
    fs::write(&code, format!("{rust}\nthis is not Rust")).unwrap();
    server.wait_for_log_within("build failed; the previous guest is still serving", BUILD_TIME);
    assert!(get(server.address, "/").text().contains("The porch"));
    let decode = "let path = query::percent_decode(&path);";
    assert!(rust.contains(decode));
    let fault = format!("{decode} if path == \"/fault\" {{ panic!(\"out of film\") }}");
    fs::write(&code, rust.replace(decode, &fault)).unwrap();
    fs::write(&page, html.replace("Hotshoe</h1>", "The shed</h1>")).unwrap();
    wait_until_within("the guest is rebuilt", BUILD_TIME, || get(server.address, "/").text().contains("The shed"));
    viewer.part();
    assert_eq!(server.generation(), 3);

    // A panic is logged with its place and its message, although this guest does not use the standard library.
    assert_eq!(get(server.address, "/fault").status, 502);
    server.wait_for_log("guest stderr: panicked at src/lib.rs:");
    server.wait_for_log("guest stderr: out of film");
}

/// The script `dev` of a guest, and the server that it starts. Both are stopped when dropped.
pub struct Dev {
    pub server: Server,
}

impl Dev {
    /// Starts the script in the folder of a guest. `build_time` is how long its first build may take.
    pub fn start(guest: &Path, build_time: Duration) -> Self {
        let mut dev = Command::new(guest.join("dev"));
        set_environment(&mut dev);
        dev.env("HOTSHOE", program()).env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR");
        dev.args(["--camera", "emulated,fps=20"]).process_group(0);
        Self { server: Server::start_command_within(dev, build_time) }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.server.pid().cast_signed()).unwrap();
        let _ = kill_process_group(group, Signal::TERM);
        self.server.wait();
    }
}
