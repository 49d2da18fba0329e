//! Clients in Python.

use std::process::Command;
use std::time::Duration;

use super::{Check, Needs, core};
use crate::Target;
use crate::clients::scripts;
use crate::multipart::Reader;
use crate::program::{last_line, python, run};

/// Some of them wait ten seconds, and OpenCV takes a second to load.
const WITHIN: Duration = Duration::from_secs(20);

pub(super) fn checks() -> Vec<Check> {
    let requests = Needs::python(&["requests"]);
    let aiohttp = Needs::python(&["aiohttp"]);
    vec![
        core("OpenCV", "VideoCapture reads ten frames of the right size", opencv).needs(Needs::python(&["cv2"])),
        core("OctoPrint", "its server fetches a snapshot, by requests", |target| {
            script(scripts::OCTOPRINT, &[&target.snapshot_url()])
        })
        .needs(requests),
        core("requests", "iter_content gives frames one after another", |target| {
            script(scripts::REQUESTS, &[&target.stream_url()])
        })
        .needs(requests),
        core("Home Assistant", "setting up a camera gets both URLs, by aiohttp", |target| {
            script(scripts::SETUP, &[&target.stream_url(), &target.snapshot_url()])
        })
        .needs(aiohttp),
        core("Home Assistant", "takes a still picture out of the stream", |target| {
            script(scripts::STILL, &[&target.stream_url()])
        })
        .needs(aiohttp)
        .plain_only(),
        core("Home Assistant", "passes the stream on with its Content-Type, without ten silent seconds", |target| {
            script(scripts::PROXY, &[&target.stream_url()])
        })
        .needs(aiohttp),
    ]
}

fn opencv(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, WITHIN)?.next_part()?.size;
    script(scripts::OPENCV, &[&target.stream_url(), &size.0.to_string(), &size.1.to_string()])
}

/// A script says in its last line what is wrong.
fn script(text: &str, arguments: &[&str]) -> Result<(), String> {
    let ended = run(Command::new(python()).args(["-c", text]).args(arguments), WITHIN)?;
    match ended.status {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(last_line(&ended.stderr).to_owned()),
        None => Err(format!("it did not end within {WITHIN:?}")),
    }
}
