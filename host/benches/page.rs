//! The time until a browser first paints the page, and the size of the page.
//!
//! As a baseline, alternates with a line of text from the same server in the same browser. The difference is the cost
//! of the page. Needs Chromium and chromedriver.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "benchmarks fail by panicking, and print their results"
)]

use std::time::Duration;

use hotshoe_conformance::browser::{Browser, Options};
use serde_json::json;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

const ROUNDS: usize = 15;
/// How long the first paint may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() {
    for count in [1, 4, 10] {
        let cameras: Vec<_> =
            (0..count).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=10")]).collect();
        let server = Server::start(&cameras);
        let browser = Browser::start(&Options::default()).expect("Chromium and chromedriver are installed");
        let length = get(server.address, "/").body.len();
        let mut page_times = Vec::new();
        let mut text_times = Vec::new();
        for _ in 0..ROUNDS {
            page_times.push(first_paint(&browser, &format!("http://{}/", server.address)));
            text_times.push(first_paint(&browser, &format!("http://{}/nothing", server.address)));
        }
        println!(
            "{count:2} cameras: {:.1} kB, first paint after {:.0} ms (maximum {:.0}); a line of text after {:.0} ms",
            length as f64 / 1000.0,
            median(&mut page_times),
            page_times.last().unwrap(),
            median(&mut text_times)
        );
    }
}

/// Returns the time of `first-paint` (Paint Timing), in milliseconds since the start of the navigation.
fn first_paint(browser: &Browser, url: &str) -> f64 {
    browser.open("about:blank").unwrap();
    browser.open(url).unwrap();
    let has_painted = "return performance.getEntriesByType('paint').length > 0";
    browser.wait_for(has_painted, &json!(true), TIMEOUT).unwrap();
    browser.run("return performance.getEntriesByType('paint')[0].startTime").unwrap().as_f64().unwrap()
}

/// Sorts the values and returns the median.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
