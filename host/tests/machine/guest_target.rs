//! Building the guest as a developer of guests does.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::succeed;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

const TARGET: &str = "wasm32-wasip2";

pub fn is_installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// The README's command for building the guest gives a component that serves.
pub fn a_built_guest_serves() {
    // Kept between runs, for it compiles for half a minute.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace()).args(["build", "--package", "hotshoe-guest", "--profile", "guest"]);
    cargo.args(["--target", TARGET, "--offline", "--target-dir"]).arg(&folder);
    succeed(&mut cargo);
    let guest = folder.join(TARGET).join("guest").join("hotshoe_guest.wasm");
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", guest.to_str().unwrap()]);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert!(get(server.address, "/").text().contains("video_feed/emulated"));
}
