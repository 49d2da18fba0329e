//! The emulated V4L2 camera for programs under test. Its settings are documented in the crate `hotshoe-fakecam`.

mod control;
mod frames;

use std::path::PathBuf;
use std::process::Command;

pub use control::Control;
pub use frames::frames;

use crate::server::program;

/// Returns what this machine lacks for the emulated camera, if anything.
pub fn missing() -> Option<&'static str> {
    let is_supported =
        cfg!(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")));
    (!is_supported).then_some("glibc on x86_64 or aarch64")
}

/// Returns the library to preload. Cargo builds it with the tests, because this crate depends on it.
pub fn library() -> PathBuf {
    let library = program().parent().unwrap().join("deps/libfakecam.so");
    assert!(library.is_file(), "{} is missing: run the tests with `cargo test`", library.display());
    library
}

/// Returns the environment variables that emulate a camera at /dev/video0.
pub fn variables() -> [(&'static str, PathBuf); 2] {
    [("LD_PRELOAD", library()), ("FAKECAM_FRAMES", frames())]
}

/// Emulates a camera with these settings at /dev/video0 for a program.
pub fn preload(command: &mut Command, settings: &[(&str, &str)]) {
    command.envs(variables()).envs(settings.iter().copied());
}

/// Returns the sequence number in the comment that `FAKECAM_STAMP` adds. `None` if the JPEG has no such comment.
pub fn stamped_sequence(jpeg: &[u8]) -> Option<u64> {
    let mark = b"fakecam seq=";
    let at = jpeg.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = jpeg[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(std::str::from_utf8(&jpeg[at..at + digits]).unwrap().parse().unwrap())
}
