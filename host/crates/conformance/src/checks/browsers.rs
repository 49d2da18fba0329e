//! Checks in a real browser.

use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Check, Requirements, core};
use super::page;
use crate::browser::{Browser, Options};
use crate::multipart::Reader;
use crate::target::Target;

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn checks() -> Vec<Check> {
    let chromium = Requirements::programs(&["chromedriver"]);
    vec![
        // Chromium searches images for the boundary too, and ends the stream at an image that contains it.
        core("Chromium", "<img> shows the stream in the right size, and changes", image)
            .requires(chromium)
            .plain_frames_only(),
        core("Chromium", "fetch() reads frames that decode, as in Mainsail", fetch).requires(chromium),
        core("Chromium", "<img> loads the snapshot ten times", snapshot).requires(chromium),
    ]
}

fn image(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, TIMEOUT)?.next_part()?.size;
    let browser = Browser::start(&Options::default())?;
    let page = page::serve(format!("<!doctype html><img src=\"{}\">", target.stream_url().replace('&', "&amp;")))?;
    browser.open(&format!("http://{page}/"))?;
    let natural_size = "return [document.images[0].naturalWidth, document.images[0].naturalHeight]";
    browser.wait_for(natural_size, &json!([size.0, size.1]), TIMEOUT)?;
    browser.wait_for_change(&browser.find("img")?, TIMEOUT)
}

/// Calls `fetch()` from the same origin. The snapshot serves as the page.
fn fetch(target: &Target) -> Result<(), String> {
    let browser = Browser::start(&Options::default())?;
    browser.open(&target.snapshot_url())?;
    let script = include_str!("../clients/fetch.js").replace("\"STREAM\"", &json!(target.stream).to_string());
    match browser.run_async(&script)? {
        Value::String(text) if text == "ok" => Ok(()),
        other => Err(format!("fetch() in a page: {other}")),
    }
}

fn snapshot(target: &Target) -> Result<(), String> {
    let browser = Browser::start(&Options::default())?;
    browser.open(&format!("http://{}/", page::serve("<!doctype html>".into())?))?;
    let script =
        include_str!("../clients/images.js").replace("\"SNAPSHOT\"", &json!(target.snapshot_url()).to_string());
    match browser.run_async(&script)? {
        Value::Number(count) if count.as_u64() == Some(10) => Ok(()),
        other => Err(format!("snapshots loaded in <img>, of ten: {other}")),
    }
}
