//! Checks with clients written in Python.

use std::process::Command;
use std::time::Duration;

use super::check::{Check, Requirements, core};
use crate::clients::scripts;
use crate::multipart::Reader;
use crate::program::{last_line, python, run};
use crate::target::Target;

/// Longer than the clients' own timeouts of ten seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn checks() -> Vec<Check> {
    let requests = Requirements::python_modules(&["requests"]);
    let aiohttp = Requirements::python_modules(&["aiohttp"]);
    vec![
        core("OpenCV", "VideoCapture reads ten frames of the right size", opencv)
            .requires(Requirements::python_modules(&["cv2"])),
        core("OctoPrint", "its server downloads a snapshot with requests", |target| {
            script(scripts::OCTOPRINT, &[&target.snapshot_url()])
        })
        .requires(requests),
        core("requests", "iter_content yields one frame after another", |target| {
            script(scripts::REQUESTS, &[&target.stream_url()])
        })
        .requires(requests),
        core("Home Assistant", "requests both URLs with aiohttp when a camera is set up", |target| {
            script(scripts::SETUP, &[&target.stream_url(), &target.snapshot_url()])
        })
        .requires(aiohttp),
        core("Home Assistant", "extracts a still image from the stream", |target| {
            script(scripts::STILL, &[&target.stream_url()])
        })
        .requires(aiohttp)
        .plain_frames_only(),
        core("Home Assistant", "proxies the stream, which must not pause for ten seconds", |target| {
            script(scripts::PROXY, &[&target.stream_url()])
        })
        .requires(aiohttp),
    ]
}

fn opencv(target: &Target) -> Result<(), String> {
    let size = Reader::open(target, &target.stream, TIMEOUT)?.next_part()?.size;
    script(scripts::OPENCV, &[&target.stream_url(), &size.0.to_string(), &size.1.to_string()])
}

/// Runs a script, which prints the reason in its last line if it fails.
fn script(text: &str, arguments: &[&str]) -> Result<(), String> {
    let output = run(Command::new(python()).args(["-c", text]).args(arguments), TIMEOUT)?;
    match output.status {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(last_line(&output.stderr).to_owned()),
        None => Err(format!("the client did not finish within {TIMEOUT:?}")),
    }
}
