//! Tests that need tools of this machine: browsers, programs that read streams, cameras.
//!
//! A test whose tools are missing is ignored, and its output line names them: `test [needs TOOL, TOOL] NAME`. `.ci/run`
//! installs all tools. It fails if a test is ignored, unless the machine cannot have the tools that the test names
//! (`.ci/check-ignored`).
//!
//! The cameras are emulated. Most tests preload a library that gives the server a `/dev/video0`
//! (`hotshoe_test_support::fakecam`). A few run the server in a virtual machine with the kernel's own drivers, which
//! `host/tests/machine/vm/run --prepare` downloads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod balancer;
mod browser;
mod camera_vm;
mod ci;
mod clip;
mod conformance;
mod decoders;
mod fakecam;
mod faults;
mod gallery;
mod guest_target;
mod harness;
mod hung_files;
mod kubernetes;
mod link_down;
mod logins;
mod network_peers;
mod nginx;
mod prometheus;
mod recipes;
mod toolchains;
mod trees;
mod turned;
mod units;
mod wasi_0_3;

use std::process::ExitCode;

use hotshoe_conformance::Requirements;
use libtest_mimic::Arguments;

use self::harness::{Lane, missing_as_root, missing_programs, most_running, trial, trial_in};

fn main() -> ExitCode {
    if camera_vm::is_usb_camera() {
        camera_vm::play_usb_camera();
        return ExitCode::FAILURE;
    }
    let nginx = missing_programs(&["nginx"]);
    let ffmpeg = missing_programs(&["ffmpeg", "ffprobe"]);
    let opencv = Requirements::python_modules(&["cv2"]).missing();
    let requests = Requirements::python_modules(&["requests"]).missing();
    let home_assistant = Requirements::python_modules(&["aiohttp", "requests"]).missing();
    let flask = network_peers::missing_flask();
    let screen = missing_programs(&["ffmpeg", "Xvfb"]);
    let systemd = missing_programs(&["systemd-analyze"]);
    let python3 = missing_programs(&["python3"]);
    let promtool = missing_programs(&[prometheus::PROMTOOL]);
    let fakecam = hotshoe_test_support::fakecam::missing().map(str::to_owned);
    let vm = camera_vm::missing().map(str::to_owned);
    let target = (!guest_target::is_installed()).then(|| "wasm32-wasip2".to_owned());
    let (javascript, python) = (toolchains::missing_for_javascript(), toolchains::missing_for_python());
    let rust: Vec<_> = target.iter().cloned().chain(missing_programs(&["curl"])).collect();
    let rust = (!rust.is_empty()).then(|| rust.join(", "));
    // Compiling an interpreter takes a minute of CPU time.
    let compile = |name, missing, test: fn()| trial_in(Lane::Compilers, name, missing, test);
    let mut laned: Vec<_> = toolchains::templates::TEMPLATES
        .iter()
        .map(|template| {
            let test = || template.is_rebuilt_at_each_save_under_viewers();
            trial_in(Lane::Compilers, template.test_name, &template.missing(), test)
        })
        .collect();
    laned.extend([
        compile("a_javascript_application_serves", &javascript, toolchains::javascript),
        compile("a_python_application_serves", &python, toolchains::python),
        compile("a_rust_application_serves", &rust, toolchains::rust),
        compile(
            "guest_built_with_the_documented_command_serves",
            &target,
            guest_target::documented_build_command_works,
        ),
        compile("full_guest_is_rebuilt_at_each_save", &target, guest_target::full_guest_is_rebuilt_at_each_save),
    ]);
    laned.extend(gallery::trials(&target, &javascript, &python));
    let in_vm = |name, test: fn()| trial_in(Lane::Machines, name, &vm, test);
    laned.extend([
        in_vm("usb_camera_that_was_unplugged_comes_back", camera_vm::usb_camera),
        in_vm("usb_camera_without_mjpg_is_encoded_to_the_right_image", camera_vm::usb_camera_without_mjpg),
        in_vm("usb_camera_in_use_names_the_program_that_uses_it", camera_vm::busy_usb_camera),
        in_vm("inputs_and_standards_of_a_driver_are_selected", camera_vm::inputs_and_standards),
        in_vm("all_pixel_formats_of_a_driver_produce_the_same_image", camera_vm::every_format),
    ]);
    // Tests of lanes wait in threads of their own until their lane is free. They come first, because they take longest.
    let threads = laned.len() + most_running();
    let mut trials = laned;
    trials.push(trial(
        "viewers_whose_link_goes_down_are_dropped",
        &missing_as_root(&["ip", "curl"]),
        link_down::viewers_are_dropped,
    ));
    trials.extend(wasi_0_3::trials(&target));
    trials.extend(browser::trials());
    trials.push(trial("ffmpeg_reads_a_clip", &ffmpeg, clip::ffmpeg_reads_it));
    trials.push(trial(
        "pixels_are_those_of_ffmpeg",
        &missing_programs(&["ffmpeg"]),
        decoders::pixels_are_those_of_ffmpeg,
    ));
    trials.push(trial("ffmpeg_turns_the_pictures_of_a_clip", &ffmpeg, clip::ffmpeg_turns_its_pictures));
    trials.push(trial("vlc_plays_a_clip", &missing_programs(&["cvlc"]), clip::vlc_plays_it));
    trials.extend([
        trial("ci_fails_if_an_ignored_test_names_no_missing_tool", &None, ci::rejects_ignored_tests),
        trial("login_of_octoprint_works", &requests, logins::octoprint),
        trial("login_of_home_assistant_works", &home_assistant, logins::home_assistant),
        trial("login_of_opencv_works", &opencv, logins::opencv),
        trial("login_of_ffmpeg_works", &missing_programs(&["ffmpeg"]), logins::ffmpeg),
        trial("nginx_forwards_page_snapshots_and_streams", &nginx, nginx::forwards_page_snapshots_and_streams),
        trial("nginx_lets_only_own_pages_set_controls", &nginx, nginx::only_own_pages_set_controls),
        trial("nginx_forwards_host_names_that_are_checked", &nginx, nginx::host_names_are_checked),
        trial("systemd_service_is_hardened", &systemd, units::service_is_hardened),
        trial("systemd_units_are_valid", &systemd, units::units_are_valid),
        trial("ffmpeg_is_a_camera", &missing_programs(&["ffmpeg"]), network_peers::ffmpeg),
        trial("python_http_server_is_a_camera", &python3, network_peers::python_http_server),
        trial("flask_tutorial_is_a_camera", &flask, network_peers::flask),
        trial("digest_credentials_are_renewed", &python3, network_peers::digest),
        trial("ustreamer_is_a_camera", &missing_programs(&["ustreamer"]), network_peers::ustreamer),
        trial("nginx_with_tls_is_a_camera", &missing_programs(&["nginx", "openssl"]), network_peers::nginx_with_tls),
        trial(
            "credentials_follow_a_redirect_to_https_of_the_same_host",
            &missing_as_root(&["nginx", "openssl"]),
            network_peers::redirect_to_https,
        ),
        trial("a_file_system_that_hangs_delays_nothing_else", &hung_files::missing(), hung_files::delays_nothing_else),
        trial(
            "a_file_system_that_hangs_does_not_keep_a_reload_from_ending",
            &hung_files::missing(),
            hung_files::does_not_keep_a_reload_from_ending,
        ),
        trial(
            "viewers_of_a_dead_relay_return_through_haproxy",
            &missing_programs(&["haproxy"]),
            balancer::viewers_of_a_dead_relay_return,
        ),
        trial(
            "kubernetes_manifests_in_the_documentation_are_valid",
            &missing_programs(&[kubernetes::VALIDATOR]),
            kubernetes::manifests_are_valid,
        ),
        trial(
            "kubernetes_container_in_the_documentation_answers_its_probes",
            &None,
            kubernetes::container_answers_its_probes,
        ),
        trial(
            "tree_with_a_restart_a_death_and_a_lossy_link_keeps_its_promises",
            &missing_as_root(&hotshoe_test_support::tree::PROGRAMS),
            trees::keeps_its_promises,
        ),
        trial("prometheus_finds_nothing_wrong_with_the_metrics", &promtool, prometheus::metrics_are_clean),
        trial("alert_rules_in_the_documentation_are_valid", &promtool, prometheus::alert_rules_are_valid),
        trial("ffmpeg_turns_pictures_with_an_orientation", &ffmpeg, turned::ffmpeg_turns_pictures),
        trial("opencv_turns_snapshots_with_an_orientation", &opencv, turned::opencv_turns_snapshots_only),
        trial("recipe_for_rtsp_through_ffmpeg_works", &ffmpeg, recipes::rtsp_through_ffmpeg),
        trial("recipe_for_a_film_on_standard_input_works", &ffmpeg, recipes::film_on_standard_input),
        trial("recipe_with_a_multipart_stream_of_ffmpeg_works", &ffmpeg, recipes::multipart_of_ffmpeg),
        trial("recipe_for_a_screen_works", &screen, recipes::screen),
        trial("recipe_for_an_opencv_script_works", &python3, recipes::opencv_script),
        trial("recipe_for_gphoto2_works", &None, recipes::gphoto2),
        trial("camera_streams", &fakecam, fakecam::streams),
        trial("camera_pictures_are_cropped_if_they_are_raw", &fakecam, fakecam::is_cropped),
        trial("camera_is_found_by_auto", &fakecam, fakecam::is_found_by_auto),
        trial("camera_is_listed", &fakecam, fakecam::is_listed),
        trial("camera_is_probed", &fakecam, fakecam::is_probed),
        trial("camera_streams_in_the_requested_size_and_rate", &fakecam, fakecam::uses_the_requested_mode),
        trial("camera_delivers_at_most_the_requested_rate", &fakecam, fakecam::delivers_at_most_the_requested_rate),
        trial(
            "camera_streams_in_the_nearest_size_and_rate_and_logs_them",
            &fakecam,
            fakecam::logs_modes_that_are_not_available,
        ),
        trial("camera_leaks_no_files_when_opened_many_times", &fakecam, fakecam::opens_and_closes),
        trial("camera_controls_are_listed_and_set", &fakecam, fakecam::controls),
        trial("camera_that_was_unplugged_comes_back_for_twenty_viewers", &fakecam, faults::unplugged),
        trial("camera_is_found_again_at_another_node", &fakecam, faults::back_at_another_node),
        trial("camera_is_never_mistaken_for_another_of_the_same_model", &fakecam, faults::never_another_camera),
        trial("camera_that_is_busy_is_retried_until_it_is_free", &fakecam, faults::busy),
        trial("camera_is_retried_if_its_stream_does_not_start", &fakecam, faults::stream_does_not_start),
        trial("camera_continues_after_transient_errors", &fakecam, faults::transient_errors),
        trial("camera_that_stalls_is_reopened", &fakecam, faults::stalled),
        trial("camera_frames_are_dropped_if_and_only_if_they_are_damaged", &fakecam, faults::damaged_frames),
        trial("camera_frames_without_huffman_tables_get_them", &fakecam, faults::without_tables),
        trial("camera_frames_lose_their_padding", &fakecam, faults::padded),
        trial("camera_without_mjpg_is_encoded_to_the_right_image", &fakecam, faults::without_mjpg),
        trial(
            "camera_that_outruns_the_encoder_loses_images_but_no_parts_of_them",
            &fakecam,
            faults::faster_than_the_encoder,
        ),
        trial("camera_without_the_requested_format_lists_its_formats", &fakecam, faults::no_format),
        trial("camera_that_stalls_does_not_delay_others", &fakecam, faults::one_of_two_stalled),
    ]);
    trials.extend(conformance::trials());
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(threads);
    libtest_mimic::run(&arguments, trials).exit_code()
}
