//! Clients that are written again.

use std::time::Duration;

use super::{Check, core};
use crate::Target;
use crate::clients::{Client, go2rtc, mainsail, mission_planner, multipart_stream, sarxos, scanner};
use crate::http::{Request, request};
use crate::jpeg;
use crate::target::with_query;

pub(super) fn checks() -> Vec<Check> {
    vec![
        core("Mainsail", "its worker shows frames from the pieces as they come", |target| {
            reads(target, &with_query(&target.stream, "timestamp=1"), mainsail::as_it_is)
        })
        .plain_only(),
        core("Mainsail, mended", "the same from single bytes", |target| {
            reads(target, &with_query(&target.stream, "timestamp=1"), mainsail::byte_wise)
        })
        .plain_only(),
        core("go2rtc", "parts by their Content-Length, boundaries by their dashes", |target| {
            reads(target, &target.stream, go2rtc::read)
        }),
        core("Mission Planner", "headers until an empty line, a line break after the picture", |target| {
            reads(target, &target.stream, mission_planner::read)
        }),
        core("multipart-stream", "the boundary that was told, and at most 16 headers", |target| {
            reads(target, &target.stream, multipart_stream::read)
        }),
        core("sarxos webcam-capture", "the Content-Length before FF D8", |target| {
            reads(target, &target.stream, sarxos::read)
        }),
        core("Home Assistant's scan", "everything from FF D8 to the first FF D9", |target| {
            reads(target, &target.stream, scanner::read)
        })
        .plain_only(),
    ]
}

/// What the client takes for pictures must be whole.
fn reads(target: &Target, path: &str, client: Client) -> Result<(), String> {
    let response = request(target, &Request::get(path), Duration::from_secs(12))?;
    if response.head.status != 200 {
        return Err(format!("status {}, not 200", response.head.status));
    }
    for (number, picture) in (1..).zip(client(response, 8)?) {
        jpeg::size(&picture).map_err(|error| format!("picture {number} of the client: {error}"))?;
    }
    Ok(())
}
