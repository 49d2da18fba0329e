//! An emulated V4L2 camera for programs under test. The crate `hotshoe-fakecam` lists its settings.

mod control;
mod frames;

use std::path::PathBuf;
use std::process::Command;

pub use control::Control;
pub use frames::frames;

use crate::server::program;

/// What the machine lacks for the emulated camera, if anything.
pub fn missing() -> Option<&'static str> {
    let is_supported =
        cfg!(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")));
    (!is_supported).then_some("glibc on x86_64 or aarch64")
}

/// The library to preload, which cargo builds with the tests because this crate depends on it.
pub fn library() -> PathBuf {
    let library = program().parent().unwrap().join("deps/libfakecam.so");
    assert!(library.is_file(), "{} is missing: run the tests by `cargo test`", library.display());
    library
}

/// The variables that give a program a camera at /dev/video0.
pub fn variables() -> [(&'static str, PathBuf); 2] {
    [("LD_PRELOAD", library()), ("FAKECAM_FRAMES", frames())]
}

/// Gives a program a camera at /dev/video0 that behaves as these settings say.
pub fn preload(command: &mut Command, settings: &[(&str, &str)]) {
    command.envs(variables()).envs(settings.iter().copied());
}

/// The sequence number that the camera put into a frame's comment. `None` if the picture is not the camera's.
pub fn stamp(jpeg: &[u8]) -> Option<u64> {
    let mark = b"fakecam seq=";
    let at = jpeg.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = jpeg[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(std::str::from_utf8(&jpeg[at..at + digits]).unwrap().parse().unwrap())
}
