//! Tests that need something of the machine's: a browser, ffmpeg, cameras.
//!
//! Where it is missing, a test counts as ignored, and its line says what it needs. `.ci/run` provides all of
//! it and lets none be ignored. The cameras for machines without one are tools that are not part of this
//! project; two variables say where they are:
//!
//! * `HOTSHOE_FAKECAM`: a folder with `libfakecam.so`, an emulated camera to preload, and `frames/` for it.
//! * `HOTSHOE_CAMERA_VM`: a command that runs another in a virtual machine with a USB camera at /dev/video0.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod browser;
mod guest_target;
mod programs;
mod v4l2;

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let browser = missing_programs(&["chromium", "chromedriver"]);
    let ffmpeg = missing_programs(&["ffmpeg"]);
    let curl = missing_programs(&["curl"]);
    let fakecam = missing_variable("HOTSHOE_FAKECAM");
    let vm = missing_variable("HOTSHOE_CAMERA_VM").or_else(|| fakecam.clone());
    let target = (!guest_target::is_installed()).then(|| "the target wasm32-wasip2".to_owned());
    let trials = vec![
        trial("chromium_shows_moving_pictures", &browser, browser::shows_moving_pictures),
        trial("chromium_loads_the_page_again_when_the_guest_is_replaced", &browser, browser::reloads_itself),
        trial("chromium_comes_back_to_a_server_that_was_restarted", &browser, browser::comes_back),
        trial("chromium_shows_more_cameras_than_it_has_connections", &browser, browser::shows_many_cameras),
        trial("curl_saves_a_snapshot", &curl, programs::curl_saves_a_snapshot),
        trial("ffmpeg_reads_the_stream", &ffmpeg, programs::ffmpeg_reads_the_stream),
        trial("a_guest_built_as_the_readme_says_serves", &target, guest_target::a_built_guest_serves),
        trial("a_new_guest_is_built_at_each_save", &target, guest_target::a_new_guest_is_built_at_each_save),
        trial("fakecam_streams", &fakecam, v4l2::streams),
        trial("fakecam_is_found_by_auto", &fakecam, v4l2::is_found_by_auto),
        trial("fakecam_is_listed", &fakecam, v4l2::is_listed),
        trial("fakecam_gives_the_size_and_rate_asked_for", &fakecam, v4l2::gives_what_is_asked_for),
        trial("fakecam_gives_what_it_can_and_the_log_says_so", &fakecam, v4l2::gives_what_it_can),
        trial("fakecam_with_damaged_frames_shows_whole_ones_only", &fakecam, v4l2::damaged_frames_are_not_shown),
        trial("fakecam_that_is_busy_is_said_to_be_and_tried_again", &fakecam, v4l2::busy),
        trial("fakecam_that_is_unplugged_comes_back_under_its_viewers", &fakecam, v4l2::unplugged),
        trial("fakecam_without_mjpg_is_refused", &fakecam, v4l2::without_mjpg),
        trial("fakecam_leaks_no_files_over_many_openings", &fakecam, v4l2::opens_and_closes),
        trial("a_usb_camera_of_the_real_driver_streams", &vm, v4l2::real_driver_streams),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that is ignored where something is missing.
fn trial(name: &str, missing: &Option<String>, test: fn()) -> Trial {
    let trial = Trial::test(name, move || {
        test();
        Ok(())
    });
    match missing {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

/// Those of these programs that can't be run.
fn missing_programs(names: &[&str]) -> Option<String> {
    let missing: Vec<_> = names.iter().filter(|name| find_program(name).is_none()).copied().collect();
    (!missing.is_empty()).then(|| missing.join(" and "))
}

fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn missing_variable(name: &str) -> Option<String> {
    env::var_os(name).is_none().then(|| name.to_owned())
}

/// Run a command to its end; it must succeed.
#[track_caller]
fn succeed(command: &mut Command) -> std::process::Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
