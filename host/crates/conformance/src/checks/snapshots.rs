//! Checks of the snapshot.

use std::time::{Duration, Instant};

use super::check::{Check, core};
use super::streams::{REFERENCE, require_no_store};
use crate::http::{Request, Response, request};
use crate::jpeg;
use crate::target::Target;
use crate::target::with_query;

/// The timeout of OctoPrint.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest snapshot accepted, in bytes: more than any camera produces.
const MAX_SNAPSHOT_LENGTH: usize = 64 * 1024 * 1024;

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "the snapshot is a complete JPEG with Content-Length and must not be cached", |target| {
            snapshot(target, &target.snapshot)
        }),
        core(REFERENCE, "HEAD for the snapshot returns the headers of GET and no body", head),
        core("Mainsail/Fluidd adaptive", "polls twenty snapshots with different queries at 10 fps", polls),
    ]
}

/// Checks the snapshot at a path.
pub(super) fn snapshot(target: &Target, path: &str) -> Result<(), String> {
    let mut response = request(&target.address, &Request::get(path), TIMEOUT)?;
    let image = read_image(&mut response)?;
    require_no_store(&response.head)?;
    let length = response.head.header("content-length").ok_or("the snapshot has no Content-Length")?;
    // Nothing may follow the body, which ended at its Content-Length.
    response.body.expect_silence(Duration::from_millis(50))?;
    if length != image.len().to_string() {
        return Err(format!("Content-Length is {length:?}, but {} bytes arrived", image.len()));
    }
    Ok(())
}

/// Reads a complete JPEG with the right Content-Type.
fn read_image(response: &mut Response) -> Result<Vec<u8>, String> {
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    match response.head.header("content-type") {
        Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
        other => return Err(format!("Content-Type is {other:?}, not image/jpeg")),
    }
    let bytes = response.body.read_all(MAX_SNAPSHOT_LENGTH)?;
    jpeg::size(&bytes)?;
    Ok(bytes)
}

fn head(target: &Target) -> Result<(), String> {
    let mut response = request(&target.address, &Request::get(&target.snapshot).method("HEAD"), TIMEOUT)?;
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    match response.head.header("content-type") {
        Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
        other => return Err(format!("Content-Type is {other:?}, not image/jpeg")),
    }
    response.body.expect_silence(Duration::from_millis(200))
}

/// These clients request the next snapshot when the last one has arrived, at most ten times per second.
fn polls(target: &Target) -> Result<(), String> {
    let start = Instant::now();
    for number in 0..20 {
        let path = with_query(&target.snapshot, &format!("bypassCache={number}&cacheBust={number}"));
        read_image(&mut request(&target.address, &Request::get(&path), TIMEOUT)?)
            .map_err(|error| format!("snapshot {number}: {error}"))?;
    }
    let elapsed = start.elapsed();
    if elapsed > Duration::from_secs(2) {
        return Err(format!("twenty snapshots took {elapsed:.1?}: only {:.1} fps", 20.0 / elapsed.as_secs_f64()));
    }
    Ok(())
}
