//! The page in real browsers. Most tests run in Chromium, Firefox and WebKitGTK.

mod appearance;
mod connections;
mod helpers;
mod https;
mod login;
mod page;
mod proxy;
mod results;
mod scripted;

use hotshoe_conformance::browser::Kind;
use libtest_mimic::Trial;

use crate::harness::{missing_programs, trial};

/// The name of a test without the browser's name, and the test.
type Test = (&'static str, fn(Kind));

/// The tests of the page.
pub fn trials() -> Vec<Trial> {
    let tests: [Test; 20] = [
        ("shows_live_images", page::shows_live_images),
        ("is_live_after_each_of_five_reloads", page::is_live_after_five_reloads),
        ("is_live_after_being_hidden_and_shown_five_times", page::is_live_after_being_hidden_five_times),
        ("releases_the_cameras_when_the_tab_is_closed", page::closing_the_tab_releases_the_camera),
        ("stays_live_while_the_focus_moves_among_eight_cameras", page::focus_and_full_screen),
        ("streams_only_the_cameras_in_view", page::streams_only_cameras_in_view),
        ("reloads_the_page_when_the_guest_is_replaced", page::reloads_when_the_guest_is_replaced),
        ("logs_in_with_a_password", login::logs_in),
        ("shows_the_state_of_cameras", page::shows_the_state_of_cameras),
        ("sets_controls", page::sets_controls),
        ("turns_pictures_with_an_orientation", page::turns_pictures),
        ("draws_boxes_on_their_frame", results::draws_boxes_on_their_frame),
        ("draws_boxes_over_turned_pictures", results::draws_boxes_over_turned_pictures),
        ("asks_for_results_only_if_there_are_some", results::asks_for_results_only_if_there_are_some),
        ("plots_the_last_minute", results::plots_the_last_minute),
        ("finds_everything_below_a_path", page::works_below_a_path),
        ("reconnects_to_a_restarted_server", connections::reconnects_to_a_restarted_server),
        ("reconnects_after_the_stream_breaks", connections::reconnects_after_the_stream_breaks),
        ("describes_the_image_that_it_shows", connections::describes_the_image_that_it_shows),
        ("shows_a_paused_server_as_stalled", connections::shows_a_paused_server_as_stalled),
    ];
    let mut trials = Vec::new();
    for kind in Kind::ALL {
        let missing = missing_programs(&kind.programs());
        for (name, test) in tests {
            trials.push(trial(&format!("{}_{name}", kind.name()), &missing, move || test(kind)));
        }
        let missing = missing_programs(&[&kind.programs()[..], &["nginx", "openssl"]].concat());
        trials
            .push(trial(&format!("{}_works_over_https", kind.name()), &missing, move || https::works_over_https(kind)));
    }
    let missing = missing_programs(&Kind::Chromium.programs());
    trials.push(trial("the_page_is_accessible", &missing, appearance::is_accessible));
    trials.push(trial("four_cameras_fit_the_window", &missing, appearance::four_cameras_fit_the_window));
    let tests: [Test; 4] = [
        ("announces_each_event_and_keeps_the_focus", scripted::announces_each_event_and_keeps_the_focus),
        ("asks_for_the_last_minute_once_a_second", scripted::asks_for_the_last_minute_once_a_second),
        (
            "draws_no_results_of_another_frame_with_the_same_number",
            scripted::draws_no_results_of_another_frame_with_the_same_number,
        ),
        ("draws_zones", scripted::draws_zones),
    ];
    for (name, test) in tests {
        trials.push(trial(&format!("chromium_{name}"), &missing, move || test(Kind::Chromium)));
    }
    trials.push(trial("an_open_panel_moves_no_card", &missing, appearance::an_open_panel_moves_no_card));
    trials
}
