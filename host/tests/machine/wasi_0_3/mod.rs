//! Guests of WASI 0.3.

mod busy;
mod channels;
mod files;
mod middleware;
mod publishers;
mod requests;
mod results;
mod workers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hotshoe_test_support::client::Viewer;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;
use libtest_mimic::Trial;

use crate::guest_target::TARGET;
use crate::harness::{run_successfully, trial};

/// Returns the tests. `target` lists the tools that are missing.
pub fn trials(target: &Option<String>) -> Vec<Trial> {
    vec![
        trial("wasi_0_3_guest_answers_and_its_imports_are_listed", target, requests::answers_and_imports_are_listed),
        trial(
            "wasi_0_3_instance_answers_requests_at_the_same_time",
            target,
            requests::one_instance_answers_requests_at_the_same_time,
        ),
        trial(
            "wasi_0_3_guest_reads_cameras_without_blocking_its_instance",
            target,
            requests::cameras_are_read_without_blocking_the_instance,
        ),
        trial(
            "wasi_0_3_instance_answers_a_bounded_number_of_requests",
            target,
            requests::an_instance_answers_a_bounded_number_of_requests,
        ),
        trial(
            "wasi_0_3_trap_ends_only_the_responses_of_its_instance",
            target,
            requests::a_trap_ends_only_the_responses_of_its_instance,
        ),
        trial(
            "wasi_0_3_request_without_an_answer_does_not_end_others",
            target,
            requests::a_request_without_an_answer_does_not_end_others,
        ),
        trial("wasi_0_3_guest_that_computes_is_stopped", target, requests::a_guest_that_computes_is_stopped),
        trial(
            "wasi_0_3_requests_that_arrive_with_one_that_computes_do_not_wait",
            target,
            requests::requests_that_arrive_with_one_that_computes_do_not_wait,
        ),
        trial("wasi_0_3_limits_on_memory_and_resources_hold", target, requests::limits_on_memory_and_resources_hold),
        trial(
            "wasi_0_3_response_that_is_incomplete_looks_incomplete",
            target,
            requests::an_incomplete_response_looks_incomplete,
        ),
        trial(
            "wasi_0_3_slow_client_stops_only_its_own_stream",
            target,
            requests::a_slow_client_stops_only_its_own_stream,
        ),
        trial(
            "wasi_0_3_and_0_2_guests_replace_each_other_under_viewers",
            target,
            requests::both_versions_replace_each_other_under_viewers,
        ),
        trial("wasi_0_3_guest_that_fails_is_rolled_back", target, requests::a_guest_that_fails_is_rolled_back),
        trial("wasi_0_3_requests_pass_through_middleware", target, middleware::requests_pass_through_it),
        trial("wasi_0_3_middleware_of_another_version_is_refused", target, middleware::other_versions_are_refused),
        trial(
            "wasi_0_3_guest_that_yields_gets_half_a_processor",
            target,
            busy::a_guest_that_yields_gets_half_a_processor,
        ),
        trial(
            "wasi_0_3_publisher_that_yields_gets_half_a_processor",
            target,
            busy::a_publisher_that_yields_gets_half_a_processor,
        ),
        trial(
            "wasi_0_3_requests_do_not_wait_for_an_instance_that_begins_to_block",
            target,
            busy::requests_do_not_wait_for_an_instance_that_begins_to_block,
        ),
        trial(
            "wasi_0_3_requests_do_not_wait_for_an_instance_that_has_blocked",
            target,
            busy::requests_do_not_wait_for_an_instance_that_has_blocked,
        ),
        trial(
            "wasi_0_3_blocked_instances_whose_clients_have_left_end",
            target,
            busy::blocked_instances_whose_clients_have_left_end,
        ),
        trial("wasi_0_3_guest_reads_files_as_they_are_now", target, files::files_are_read_as_they_are_now),
        trial(
            "wasi_0_3_guest_gets_nothing_outside_its_directory_and_changes_nothing",
            target,
            files::no_path_leads_out_and_nothing_can_be_changed,
        ),
        trial(
            "wasi_0_3_guest_opens_neither_pipes_nor_sockets",
            target,
            files::pipes_and_sockets_are_refused_without_blocking,
        ),
        trial("wasi_0_3_guest_opens_and_lists_within_limits", target, files::open_files_and_listings_are_limited),
        trial("wasi_0_3_channel_is_sent_without_the_guest", target, channels::sent_without_the_guest),
        trial("wasi_0_3_guest_may_read_a_channel_itself", target, channels::read_by_the_guest),
        trial("wasi_0_3_guest_cannot_join_without_bounds", target, channels::joining_is_bounded),
        trial("wasi_0_3_guest_cannot_keep_a_channel_open", target, channels::held_streams_end),
        trial("wasi_0_3_copy_of_a_channel_ends_between_parts_at_the_drain_limit", target, channels::copies_are_drained),
        trial("wasi_0_3_guest_learns_that_it_was_replaced", target, channels::replacement_is_noticed),
        trial(
            "wasi_0_3_publishers_and_others_take_over_channels_from_each_other",
            target,
            publishers::take_over_from_each_other,
        ),
        trial("wasi_0_3_publisher_that_returns_ends_the_stream", target, publishers::return_ends_the_stream),
        trial(
            "wasi_0_3_publisher_that_fails_is_restarted_and_viewers_stay",
            target,
            publishers::failures_are_restarted,
        ),
        trial("wasi_0_3_publisher_that_fails_is_rolled_back", target, publishers::failures_are_rolled_back),
        trial("wasi_0_3_host_pushes_frames_once_at_a_time", target, publishers::the_host_pushes_frames_once_at_a_time),
        trial(
            "wasi_0_3_host_fills_in_heads_and_returns_the_last_frame",
            target,
            publishers::the_host_fills_in_heads_and_returns_the_last_frame,
        ),
        trial("wasi_0_3_publisher_has_limits", target, publishers::limits_hold),
        trial("wasi_0_3_guest_attaches_and_reads_results", target, results::attached_and_read),
        trial("wasi_0_3_worker_runs_once_for_each_generation", target, workers::run_once_for_each_generation),
        trial("wasi_0_3_worker_reads_a_camera_and_finishes", target, workers::read_cameras),
        trial("wasi_0_3_worker_that_fails_is_restarted_and_its_guest_serves", target, workers::failures_are_restarted),
    ]
}

/// The guest in `guests/wasi-0.3`.
fn guest() -> &'static str {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build().join("wasi03.wasm")).to_str().unwrap()
}

/// Middleware, which is an example of the same package.
fn middleware() -> &'static str {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build().join("examples/middleware.wasm")).to_str().unwrap()
}

/// Builds the guest and its examples once. Returns the folder with the components.
fn build() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Kept between runs, because a full build takes half a minute.
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasi-0.3");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(workspace().join("host/tests/machine/guests/wasi-0.3"));
        cargo.args(["build", "--quiet", "--locked", "--lib", "--examples", "--target", TARGET, "--target-dir"]);
        run_successfully(cargo.arg(&target));
        target.join(TARGET).join("debug")
    })
}

fn component() -> Vec<u8> {
    std::fs::read(guest()).unwrap()
}

fn start(options: &[&str]) -> Server {
    Server::start(&[&["--camera", "emulated,fps=20", "--guest", guest()], options].concat())
}

/// Returns the number of publishers and of responses that guests are writing.
fn under_way(server: &Server) -> u64 {
    server.generations()["current"]["under_way"].as_u64().unwrap()
}

/// The viewer has received a part of `/parts`.
#[track_caller]
fn read_part(viewer: &mut Viewer) {
    let mut read = Vec::new();
    while !read.ends_with(b"part\r\n") {
        read.extend(viewer.next_chunk().expect("the stream continues"));
    }
}

/// Reads a stream until it ends. Returns its last bytes.
fn read_to_end(viewer: &mut Viewer) -> String {
    let mut read = Vec::new();
    while let Some(chunk) = viewer.next_chunk() {
        read.extend(chunk);
    }
    String::from_utf8(read.split_off(read.len().saturating_sub(40))).unwrap()
}
