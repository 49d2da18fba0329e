//! The page in real browsers: Chromium, Firefox and WebKitGTK. Each test runs in each of them.

mod faults;
mod https;
mod looks;
mod page;
mod proxy;

use hotshoe_conformance::browser::{Browser, Kind, Options};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use hotshoe_test_support::DEADLINE;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

use crate::{missing_programs, trial};

const CAMERA: [&str; 2] = ["--camera", "front=emulated,fps=4"];

/// A test, and its name after that of the browser.
type Test = (&'static str, fn(Kind));

/// The tests of the page.
pub fn trials() -> Vec<Trial> {
    let tests: [Test; 14] = [
        ("shows_live_pictures", page::shows_live_pictures),
        ("is_live_after_each_of_five_reloads", page::is_live_after_each_of_five_reloads),
        ("is_live_after_being_hidden_and_shown_five_times", page::is_live_after_being_hidden_and_shown_five_times),
        ("releases_the_viewer_when_the_tab_is_closed", page::closing_the_tab_releases_the_viewer),
        ("moves_the_focus_among_eight_cameras", page::moves_the_focus_among_eight),
        ("streams_only_the_cameras_in_view", page::streams_only_what_is_in_view),
        ("loads_the_page_again_when_the_guest_is_replaced", page::loads_itself_again_when_the_guest_is_replaced),
        ("tells_the_state_of_cameras", page::tells_the_state_of_cameras),
        ("sets_controls", page::sets_controls),
        ("finds_everything_below_a_path", page::works_below_a_path),
        ("comes_back_to_a_server_that_was_restarted", faults::comes_back_to_a_server_that_was_restarted),
        ("comes_back_to_pictures_that_were_cut", faults::comes_back_to_pictures_that_were_cut),
        ("agrees_with_the_picture_that_it_shows", faults::agrees_with_the_picture_that_it_shows),
        ("does_not_call_a_paused_server_live", faults::does_not_call_a_paused_server_live),
    ];
    let mut trials = Vec::new();
    for kind in Kind::ALL {
        let missing = missing_programs(&kind.programs());
        for (name, test) in tests {
            trials.push(trial(&format!("{}_{name}", kind.name()), &missing, move || test(kind)));
        }
        let missing = missing_programs(&[&kind.programs()[..], &["nginx", "openssl"]].concat());
        trials.push(trial(&format!("{}_works_by_https", kind.name()), &missing, move || https::works_by_https(kind)));
    }
    let missing = missing_programs(&Kind::Chromium.programs());
    trials.push(trial("everyone_can_use_the_page", &missing, looks::everyone_can_use_the_page));
    trials.push(trial("four_cameras_fit_the_window", &missing, looks::four_cameras_fit_the_window));
    trials.push(trial("an_open_panel_leaves_no_hole", &missing, looks::an_open_panel_leaves_no_hole));
    trials
}

/// Options for so many cameras, c0 and so on.
fn cameras(count: usize) -> Vec<String> {
    (0..count).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=4")]).collect()
}

/// How many watch this camera.
fn clients(server: &Server, camera: &str) -> u64 {
    get(server.address, &format!("/state/{camera}")).json()["result"]["stream"]["clients"].as_u64().unwrap()
}

fn start(kind: Kind) -> Browser {
    Browser::start(&Options { kind, ..Options::default() }).unwrap()
}

/// A browser with the page.
fn open(kind: Kind, server: &Server) -> Browser {
    let browser = start(kind);
    browser.open(&format!("http://{}/", server.address)).unwrap();
    browser
}

#[track_caller]
fn waits(browser: &Browser, script: &str, expected: &Value) {
    browser.wait_for(script, expected, DEADLINE).unwrap();
}

/// A script that returns what the cards say of their pictures.
fn states(count: usize) -> String {
    format!("return [...document.querySelectorAll('figure')].slice(0, {count}).map(figure => figure.dataset.state)")
}

/// Wait until all of the page's cameras are live, so many, and each was given another picture since the call.
#[track_caller]
fn all_live(browser: &Browser, count: usize) {
    let sequences = "[...document.querySelectorAll('figure')].map(figure => figure.dataset.sequence)";
    let before = browser.run(&format!("return {sequences}")).unwrap();
    let live = format!(
        "const before = {before}; const states = [...document.querySelectorAll('figure')].map(figure => figure.dataset.state);
         return {sequences}.every((sequence, index) => sequence && sequence !== before[index]) ? states : []"
    );
    waits(browser, &live, &json!(vec!["live"; count]));
}
