//! Helpers for tests of the page.

use hotshoe_conformance::browser::{Browser, Kind, Options};
use serde_json::{Value, json};

use hotshoe_test_support::DEADLINE;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

/// A script that returns the text above the cards.
pub const SUMMARY: &str = "return document.getElementById('summary').textContent";

/// Options for one camera with the name `front`.
pub const ONE_CAMERA: [&str; 2] = ["--camera", "front=emulated,fps=4"];

/// Returns options for this many cameras with the names c0, c1, ….
pub fn cameras(count: usize) -> Vec<String> {
    (0..count).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=4")]).collect()
}

/// Returns the number of viewers of a camera.
pub fn viewers(server: &Server, camera: &str) -> u64 {
    get(server.address, &format!("/state/{camera}")).json()["result"]["stream"]["clients"].as_u64().unwrap()
}

/// Starts a browser.
pub fn start(kind: Kind) -> Browser {
    Browser::start(&Options { kind, ..Options::default() }).unwrap()
}

/// Starts a browser and opens the page.
pub fn start_with_page(kind: Kind, server: &Server) -> Browser {
    let browser = start(kind);
    open_page(&browser, server);
    browser
}

/// Opens the page.
pub fn open_page(browser: &Browser, server: &Server) {
    browser.open(&format!("http://{}/", server.address)).unwrap();
}

/// Waits until a script returns the expected value.
#[track_caller]
pub fn wait_for(browser: &Browser, script: &str, expected: &Value) {
    browser.wait_for(script, expected, DEADLINE).unwrap();
}

/// Returns a script that returns the states of the first `count` cards.
pub fn card_states(count: usize) -> String {
    format!("return [...document.querySelectorAll('figure')].slice(0, {count}).map(figure => figure.dataset.state)")
}

/// Waits until the page shows exactly `count` cameras, all of them are live, and each has received another frame since
/// the call.
#[track_caller]
pub fn wait_until_live(browser: &Browser, count: usize) {
    let sequences = "[...document.querySelectorAll('figure')].map(figure => figure.dataset.sequence)";
    let before = browser.run(&format!("return {sequences}")).unwrap();
    let states_after_change = format!(
        "const before = {before}; const states = [...document.querySelectorAll('figure')].map(figure => figure.dataset.state);
         return {sequences}.every((sequence, index) => sequence && sequence !== before[index]) ? states : []"
    );
    wait_for(browser, &states_after_change, &json!(vec!["live"; count]));
}
