//! Tests that need something of the machine: a browser, programs that read streams, cameras.
//!
//! A test whose tools are missing counts as ignored, and its line names them: `test [needs TOOL, TOOL] NAME`.
//! `.ci/run` installs all tools. It fails if a test is ignored, unless each tool that the test names is one that this
//! machine cannot have (`.ci/check-ignored`).
//!
//! The cameras are emulated. Most tests preload a library that gives the server a `/dev/video0`
//! (`hotshoe_test_support::fakecam`). A few run the server in a virtual machine with the kernel's own drivers, which
//! `host/tests/machine/vm/run --prepare` fetches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod browser;
mod camera_vm;
mod ci;
mod conformance;
mod fakecam;
mod faults;
mod guest_target;
mod link_down;
mod nginx;
mod toolchains;

use std::process::{Command, ExitCode};

use hotshoe_conformance::program;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if camera_vm::is_usb_camera() {
        camera_vm::play_usb_camera();
        return ExitCode::FAILURE;
    }
    let nginx = missing_programs(&["nginx"]);
    let fakecam = hotshoe_test_support::fakecam::missing().map(str::to_owned);
    let vm = camera_vm::missing().map(str::to_owned);
    let target = (!guest_target::is_installed()).then(|| "wasm32-wasip2".to_owned());
    // The longest test comes first, so that the others run beside it.
    let mut trials =
        vec![trial("viewers_whose_link_goes_down_are_dropped", &link_down::missing(), link_down::viewers_are_dropped)];
    // Compiling an interpreter takes a minute of one processor.
    let (javascript, python) = (toolchains::missing_for_javascript(), toolchains::missing_for_python());
    trials.push(trial("a_javascript_application_serves", &javascript, toolchains::javascript));
    trials.push(trial("a_python_application_serves", &python, toolchains::python));
    trials.extend(browser::trials());
    trials.extend([
        trial("ci_fails_if_a_test_is_ignored_without_excuse", &None, ci::fails_without_excuse),
        trial("nginx_passes_pictures_on", &nginx, nginx::pictures_come_through),
        trial("nginx_lets_own_pages_set_controls_and_no_others", &nginx, nginx::own_pages_set_controls),
        trial("nginx_passes_names_on_that_are_checked", &nginx, nginx::names_are_checked),
        trial("a_guest_built_as_the_readme_says_serves", &target, guest_target::a_built_guest_serves),
        trial("a_new_guest_is_built_at_each_save", &target, guest_target::a_new_guest_is_built_at_each_save),
        trial("camera_streams", &fakecam, fakecam::streams),
        trial("camera_is_found_by_auto", &fakecam, fakecam::is_found_by_auto),
        trial("camera_is_listed", &fakecam, fakecam::is_listed),
        trial("camera_gives_the_size_and_rate_asked_for", &fakecam, fakecam::gives_what_is_asked_for),
        trial("camera_gives_what_it_can_and_the_log_says_so", &fakecam, fakecam::gives_what_it_can),
        trial("camera_leaks_no_files_over_many_openings", &fakecam, fakecam::opens_and_closes),
        trial("camera_controls_are_listed_and_set", &fakecam, fakecam::controls),
        trial("camera_unplugged_comes_back_under_twenty_viewers", &fakecam, faults::unplugged),
        trial("camera_comes_back_under_another_node", &fakecam, faults::back_under_another_node),
        trial("camera_is_never_another_of_its_make", &fakecam, faults::never_another_camera),
        trial("camera_busy_three_times_is_tried_until_it_is_free", &fakecam, faults::busy),
        trial("camera_whose_stream_does_not_start_is_tried_again", &fakecam, faults::stream_does_not_start),
        trial("camera_with_passing_errors_goes_on", &fakecam, faults::errors_of_dequeuing),
        trial("camera_that_stalls_is_opened_again", &fakecam, faults::stalled),
        trial("camera_with_damaged_frames_shows_all_good_ones_and_no_others", &fakecam, faults::damaged_frames),
        trial("camera_without_huffman_tables_is_given_them", &fakecam, faults::without_tables),
        trial("camera_with_padding_is_shown_without", &fakecam, faults::padded),
        trial("camera_without_mjpg_is_encoded_to_the_right_picture", &fakecam, faults::without_mjpg),
        trial("camera_without_the_format_asked_for_says_what_it_has", &fakecam, faults::no_format),
        trial("camera_that_stalls_delays_no_other", &fakecam, faults::one_of_two_stalled),
    ]);
    // A machine is one at a time: they are spread among those that mostly wait, so that no thread waits for its turn.
    let mut clients = conformance::trials();
    let machines = vec![
        trial("usb_camera_is_unplugged_and_comes_back", &vm, camera_vm::usb_camera),
        trial("usb_camera_without_mjpg_is_encoded_to_the_right_picture", &vm, camera_vm::usb_camera_without_mjpg),
        trial("usb_camera_in_use_says_by_whom", &vm, camera_vm::busy_usb_camera),
        trial("every_pixel_format_of_a_driver_gives_the_same_picture", &vm, camera_vm::every_format),
    ];
    let share = clients.len().div_ceil(machines.len());
    for machine in machines {
        trials.push(machine);
        trials.extend(clients.drain(..share.min(clients.len())));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that is ignored if tools are missing.
fn trial(name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    let trial = Trial::test(name, move || {
        test();
        Ok(())
    });
    match missing {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

/// Those of these programs that are not installed.
fn missing_programs(names: &[&str]) -> Option<String> {
    let missing: Vec<_> = names.iter().filter(|name| !program::exists(name)).copied().collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Runs a command to its end; it must succeed.
#[track_caller]
fn succeed(command: &mut Command) -> std::process::Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
