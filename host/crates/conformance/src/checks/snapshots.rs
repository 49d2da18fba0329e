//! What clients demand of the single picture.

use std::time::{Duration, Instant};

use super::streams::{REFERENCE, may_not_be_kept};
use super::{Check, core};
use crate::Target;
use crate::http::{Request, Response, request};
use crate::jpeg;
use crate::target::with_query;

/// OctoPrint waits no longer.
const WITHIN: Duration = Duration::from_secs(5);
/// No picture of a camera is larger.
const LARGEST: usize = 64 * 1024 * 1024;

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "a snapshot is one whole JPEG, with its length, that may not be kept", |target| {
            snapshot(target, &target.snapshot)
        }),
        core(REFERENCE, "HEAD on the snapshot has the head of GET and no body", head),
        core("Mainsail/Fluidd adaptive", "polls twenty snapshots, each with another query, at 10 a second", polls),
    ]
}

/// A snapshot at any path.
pub(super) fn snapshot(target: &Target, path: &str) -> Result<(), String> {
    let mut response = request(target, &Request::get(path), WITHIN)?;
    let picture = picture(&mut response)?;
    may_not_be_kept(&response.head)?;
    let length = response.head.header("content-length").ok_or("the snapshot has no Content-Length")?;
    // The body was read by that length: more may not follow.
    response.body.silent_for(Duration::from_millis(50))?;
    if length != picture.len().to_string() {
        return Err(format!("Content-Length is {length:?} and {} bytes came", picture.len()));
    }
    Ok(())
}

/// A whole JPEG that says it is one.
fn picture(response: &mut Response) -> Result<Vec<u8>, String> {
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    match response.head.header("content-type") {
        Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
        other => return Err(format!("Content-Type is {other:?}, not image/jpeg")),
    }
    let bytes = response.body.all(LARGEST)?;
    jpeg::size(&bytes)?;
    Ok(bytes)
}

fn head(target: &Target) -> Result<(), String> {
    let asked = Request::get(&target.snapshot).method("HEAD");
    let mut response = request(target, &asked, WITHIN)?;
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    match response.head.header("content-type") {
        Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
        other => return Err(format!("Content-Type is {other:?}, not image/jpeg")),
    }
    response.body.silent_for(Duration::from_millis(200))
}

/// They ask again when the last picture is there, at most ten times a second.
fn polls(target: &Target) -> Result<(), String> {
    let started = Instant::now();
    for number in 0..20 {
        let path = with_query(&target.snapshot, &format!("bypassCache={number}&cacheBust={number}"));
        picture(&mut request(target, &Request::get(&path), WITHIN)?)
            .map_err(|error| format!("snapshot {number}: {error}"))?;
    }
    let took = started.elapsed();
    if took > Duration::from_secs(2) {
        return Err(format!("twenty snapshots take {took:.1?}, which is {:.1} a second", 20.0 / took.as_secs_f64()));
    }
    Ok(())
}
