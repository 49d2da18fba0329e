//! How long a browser takes to paint the page for the first time, and what the page weighs.
//!
//! Beside it, in turn, a line of text by the same server in the same browser: what is left for the page is the
//! difference. Needs Chromium and chromedriver.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark ends at what goes wrong, and prints"
)]

use std::time::Duration;

use hotshoe_conformance::browser::{Browser, Options};
use serde_json::json;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

const ROUNDS: usize = 15;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    for count in [1, 4, 10] {
        let cameras: Vec<_> =
            (0..count).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=10")]).collect();
        let server = Server::start(&cameras);
        let browser = Browser::start(&Options::default()).expect("chromedriver and Chromium are installed");
        let weight = get(server.address, "/").body.len();
        let mut pages = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..ROUNDS {
            pages.push(first_paint(&browser, &format!("http://{}/", server.address)));
            lines.push(first_paint(&browser, &format!("http://{}/nothing", server.address)));
        }
        println!(
            "{count:2} cameras: {:.1} kB, first paint after {:.0} ms (worst {:.0}); a line of text after {:.0} ms",
            weight as f64 / 1000.0,
            median(&mut pages),
            pages.last().unwrap(),
            median(&mut lines)
        );
    }
}

/// Milliseconds from the beginning of the navigation (Paint Timing, `first-paint`).
fn first_paint(browser: &Browser, url: &str) -> f64 {
    browser.open("about:blank").unwrap();
    browser.open(url).unwrap();
    let paints = "return performance.getEntriesByType('paint').length > 0";
    browser.wait_for(paints, &json!(true), PATIENCE).unwrap();
    browser.run("return performance.getEntriesByType('paint')[0].startTime").unwrap().as_f64().unwrap()
}

/// The middle one; sorts them.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
