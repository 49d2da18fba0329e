//! Checks with reimplemented parsers.

use std::time::Duration;

use super::check::{Check, core};
use crate::clients::{Parser, go2rtc, mainsail, mission_planner, multipart_stream, sarxos, scanner};
use crate::http::{Request, request};
use crate::jpeg;
use crate::target::Target;
use crate::target::with_query;

pub(super) fn checks() -> Vec<Check> {
    vec![
        core("Mainsail", "its worker finds frames in the data as it arrives", |target| {
            parse(target, &with_query(&target.stream, "timestamp=1"), mainsail::read)
        })
        .plain_frames_only(),
        core("Mainsail, fixed", "the same worker, but it also finds FF D8 across two pieces", |target| {
            parse(target, &with_query(&target.stream, "timestamp=1"), mainsail::read_fixed)
        })
        .plain_frames_only(),
        core("go2rtc", "needs Content-Length, and boundaries that start with dashes", |target| {
            parse(target, &target.stream, go2rtc::read)
        }),
        core("Mission Planner", "needs an empty line after the headers and a line break after the image", |target| {
            parse(target, &target.stream, mission_planner::read)
        }),
        core("multipart-stream", "needs the declared boundary and at most 16 headers", |target| {
            parse(target, &target.stream, multipart_stream::read)
        }),
        core("sarxos webcam-capture", "needs Content-Length before FF D8", |target| {
            parse(target, &target.stream, sarxos::read)
        }),
        core("Home Assistant scanner", "takes everything from FF D8 to the first FF D9", |target| {
            parse(target, &target.stream, scanner::read)
        })
        .plain_frames_only(),
    ]
}

/// Lets a parser read a stream. All images that it finds must be complete.
fn parse(target: &Target, path: &str, parser: Parser) -> Result<(), String> {
    let response = request(&target.address, &Request::get(path), Duration::from_secs(12))?;
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    for (number, image) in (1..).zip(parser(response, 8)?) {
        jpeg::size(&image).map_err(|error| format!("image {number}, as read by the client: {error}"))?;
    }
    Ok(())
}
