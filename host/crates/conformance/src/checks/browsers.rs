//! A real browser.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Check, Needs, core, page};
use crate::Target;
use crate::browser::{Browser, Options};
use crate::multipart::Reader;

const WITHIN: Duration = Duration::from_secs(10);

pub(super) fn checks() -> Vec<Check> {
    let chromium = Needs::programs(&["chromedriver"]);
    vec![
        // It looks for the boundary in pictures too, and a picture that has it ends the stream.
        core("Chromium", "an <img> of the stream has the right size and moves", image).needs(chromium).plain_only(),
        core("Chromium", "fetch() reads frames of the stream that decode, as Mainsail does", fetch).needs(chromium),
        core("Chromium", "an <img> of the snapshot, loaded ten times", snapshot).needs(chromium),
    ]
}

fn image(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, WITHIN)?.next_part()?.size;
    let browser = Browser::start(&Options::default())?;
    let page = page::serve(format!("<!doctype html><img src=\"{}\">", target.stream_url().replace('&', "&amp;")))?;
    browser.open(&format!("http://{page}/"))?;
    let found = "return [document.images[0].naturalWidth, document.images[0].naturalHeight]";
    browser.wait_for(found, &json!([size.0, size.1]), WITHIN)?;
    browser.moves(&browser.find("img")?, WITHIN)
}

/// In a page of the server's own, for which the snapshot is good enough.
fn fetch(target: &Target) -> Result<(), String> {
    let browser = Browser::start(&Options::default())?;
    browser.open(&target.snapshot_url())?;
    let script = include_str!("../clients/fetch.js").replace("\"STREAM\"", &json!(target.stream).to_string());
    match browser.run_async(&script)? {
        Value::String(text) if text == "shown" => Ok(()),
        other => Err(format!("fetch() in the page: {other}")),
    }
}

fn snapshot(target: &Target) -> Result<(), String> {
    let browser = Browser::start(&Options::default())?;
    browser.open(&format!("http://{}/", page::serve("<!doctype html>".into())?))?;
    let script =
        include_str!("../clients/images.js").replace("\"SNAPSHOT\"", &json!(target.snapshot_url()).to_string());
    match browser.run_async(&script)? {
        Value::Number(count) if count.as_u64() == Some(10) => Ok(()),
        other => Err(format!("ten snapshots in <img>: {other}")),
    }
}
