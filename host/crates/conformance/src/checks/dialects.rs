//! Addresses and parameters of other servers, with which clients are set up.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::snapshots::snapshot;
use super::streams::read_strictly;
use super::{Check, core};
use crate::Target;
use crate::http::{Request, header, request};
use crate::jpeg;
use crate::multipart::Reader;

const WITHIN: Duration = Duration::from_secs(12);
const USTREAMER: &str = "ustreamer";
const MJPG_STREAMER: &str = "mjpg-streamer";

pub(super) fn checks() -> Vec<Check> {
    [
        core(MJPG_STREAMER, "/?action=stream is a stream", |target| stream(target, "/?action=stream")),
        core(MJPG_STREAMER, "/?action=snapshot is a snapshot", |target| snapshot(target, "/?action=snapshot")),
        core("Mainsail", "/?action=stream with a time after it", |target| {
            stream(target, "/?action=stream&timestamp=1700000000000")
        }),
        core(MJPG_STREAMER, "/?action=stream has the boundary that some relays look for", |target| {
            has_known_boundary(target, "/?action=stream")
        }),
        core("OctoPrint plugins", "/?action=stream with a second question mark after it", |target| {
            stream(target, "/?action=stream?nonce_dashboard=1700000000000")
        }),
        core("OctoPrint plugins", "/?action=snapshot with a second question mark after it", |target| {
            snapshot(target, "/?action=snapshot?1700000000000")
        }),
        core("Mainsail/Fluidd adaptive", "/?action=snapshot with something after it", |target| {
            snapshot(target, "/?action=snapshot&bypassCache=1700000000&cacheBust=1700000000000")
        }),
        core(USTREAMER, "/stream is a stream", |target| stream(target, "/stream")),
        core(USTREAMER, "/stream has the boundary that some relays look for", |target| {
            has_known_boundary(target, "/stream")
        }),
        core(USTREAMER, "/snapshot is a snapshot", |target| snapshot(target, "/snapshot")),
        core("many cameras", "/stream.mjpg is a stream", |target| stream(target, "/stream.mjpg")),
        core("many cameras", "/snapshot.jpg is a snapshot", |target| snapshot(target, "/snapshot.jpg")),
        core(USTREAMER, "/state is JSON with the keys that clients read", state),
        core(USTREAMER, "advance_headers=1: the next part's head comes with the picture before", advance_headers),
        core(USTREAMER, "extra_headers=1: X-UStreamer headers in every part", extra_headers),
        core(USTREAMER, "key=: a cookie names the client's entry in /state", key),
    ]
    .map(Check::dialect)
    .into()
}

fn stream(target: &Target, path: &str) -> Result<(), String> {
    read_strictly(&mut Reader::open(target, path, WITHIN)?, 3).map(drop)
}

/// mjpg-streamer and ustreamer have the same boundary, and some relays of their streams do not read what it is.
fn has_known_boundary(target: &Target, path: &str) -> Result<(), String> {
    let mut reader = Reader::open(target, path, WITHIN)?;
    if reader.boundary != "boundarydonotcross" {
        return Err(format!("the boundary is {:?}, not boundarydonotcross", reader.boundary));
    }
    read_strictly(&mut reader, 1).map(drop)
}

fn get_state(target: &Target) -> Result<Value, String> {
    let mut response = request(target, &Request::get("/state"), Duration::from_secs(5))?;
    if response.head.status != 200 {
        return Err(format!("/state: status {}, not 200", response.head.status));
    }
    let kind = response.head.header("content-type").unwrap_or_default().to_owned();
    if !kind.starts_with("application/json") {
        return Err(format!("/state: Content-Type is {kind:?}, not application/json"));
    }
    serde_json::from_slice(&response.body.all(1 << 20)?).map_err(|error| format!("/state: {error}"))
}

fn state(target: &Target) -> Result<(), String> {
    let state = get_state(target)?;
    type Is = fn(&Value) -> bool;
    let expected: [(&str, &str, Is); 13] = [
        ("/ok", "true or false", Value::is_boolean),
        ("/result/instance_id", "a string", Value::is_string),
        ("/result/encoder/type", "a string", Value::is_string),
        ("/result/encoder/quality", "a number", Value::is_number),
        ("/result/source/resolution/width", "a whole number", Value::is_u64),
        ("/result/source/resolution/height", "a whole number", Value::is_u64),
        ("/result/source/online", "true or false", Value::is_boolean),
        ("/result/source/desired_fps", "a number", Value::is_number),
        ("/result/source/captured_fps", "a number", Value::is_number),
        ("/result/stream/queued_fps", "a number", Value::is_number),
        ("/result/stream/clients", "a whole number", Value::is_u64),
        ("/result/stream/clients_stat", "an object", Value::is_object),
        ("/result/stream", "an object", Value::is_object),
    ];
    for (path, kind, is) in expected {
        match state.pointer(path) {
            Some(value) if is(value) => {}
            Some(value) => return Err(format!("{path} of /state is {value}, not {kind}")),
            None => return Err(format!("/state has no {path}")),
        }
    }
    Ok(())
}

fn advance_headers(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, "/stream?advance_headers=1", WITHIN)?;
    let mut delays = Vec::new();
    let started = Instant::now();
    reader.part_head()?;
    for number in 1..=8 {
        let picture = reader.until_delimiter()?;
        let arrived = Instant::now();
        jpeg::size(&picture).map_err(|error| format!("part {number}: {error}"))?;
        // The head of a part whose picture is still to be taken: its length cannot be told.
        let headers = reader.part_head()?;
        delays.push(arrived.elapsed());
        if let Some(length) = header(&headers, "content-length") {
            return Err(format!("part {number} has Content-Length {length}, which advance headers cannot have"));
        }
        if header(&headers, "content-type") != Some("image/jpeg") {
            return Err(format!("part {number} has not the Content-Type image/jpeg"));
        }
        header(&headers, "x-timestamp").ok_or_else(|| format!("part {number} has no X-Timestamp"))?;
    }
    delays.sort();
    let (delay, interval) = (delays.get(4).copied().unwrap_or_default(), started.elapsed() / 8);
    if delay > (interval / 2).min(Duration::from_millis(100)) {
        return Err(format!("the next head comes {delay:.1?} after the picture, with a picture every {interval:.1?}"));
    }
    Ok(())
}

fn extra_headers(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, "/stream?extra_headers=1", WITHIN)?;
    for part in read_strictly(&mut reader, 3)? {
        let value = |name: &str| {
            let name = format!("X-UStreamer-{name}");
            header(&part.headers, &name).ok_or_else(|| format!("a part has no {name}"))
        };
        let is = |name: &str, expected: &str| match value(name)? {
            found if found == expected => Ok(()),
            found => Err(format!("X-UStreamer-{name} is {found:?}, not {expected:?}")),
        };
        is("Online", "true")?;
        is("Width", &part.size.0.to_string())?;
        is("Height", &part.size.1.to_string())?;
        for name in [
            "Dropped",
            "Client-FPS",
            "Grab-Begin-Time",
            "Grab-End-Time",
            "Encode-Begin-Time",
            "Encode-End-Time",
            "Expose-Begin-Time",
            "Expose-Cmp-Time",
            "Expose-End-Time",
            "Send-Time",
            "Latency",
        ] {
            let found = value(name)?;
            found.parse::<f64>().map_err(|_| format!("X-UStreamer-{name} is {found:?}, not a number"))?;
        }
    }
    Ok(())
}

fn key(target: &Target) -> Result<(), String> {
    let key = "conformance";
    let mut reader = Reader::open(target, &format!("/stream?key={key}"), WITHIN)?;
    let cookie = reader.head.header("set-cookie").ok_or("the stream sets no cookie")?.to_owned();
    let first = cookie.split(';').next().unwrap_or_default();
    let id = first
        .split_once('=')
        .filter(|(name, _)| name.starts_with("stream_client"))
        .and_then(|(_, value)| value.strip_prefix(key)?.strip_prefix('/'))
        .ok_or_else(|| format!("the cookie is {first:?}, not stream_client={key}/ID"))?;
    let started = Instant::now();
    loop {
        // A client counts when it is served.
        reader.next_part()?;
        let state = get_state(target)?;
        let clients = state.pointer("/result/stream/clients_stat").cloned().unwrap_or_default();
        match clients.get(id) {
            Some(client) if client.get("key").and_then(Value::as_str) == Some(key) => return Ok(()),
            Some(client) => return Err(format!("client {id} of /state is {client}, without the key {key:?}")),
            None if started.elapsed() > Duration::from_secs(3) => {
                return Err(format!("/state has the clients {clients}, and not {id}"));
            }
            None => {}
        }
    }
}
