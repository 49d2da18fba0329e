//! URLs and parameters of other servers, which clients are configured with.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::{Check, core};
use super::snapshots::snapshot;
use super::streams::read_strictly;
use crate::http::{Request, header, request};
use crate::jpeg;
use crate::multipart::Reader;
use crate::target::Target;

const TIMEOUT: Duration = Duration::from_secs(12);
const USTREAMER: &str = "ustreamer";
const MJPG_STREAMER: &str = "mjpg-streamer";

pub(super) fn checks() -> Vec<Check> {
    [
        core(MJPG_STREAMER, "/?action=stream returns a stream", |target| stream(target, "/?action=stream")),
        core(MJPG_STREAMER, "/?action=snapshot returns a snapshot", |target| snapshot(target, "/?action=snapshot")),
        core("Mainsail", "/?action=stream&timestamp=… returns a stream", |target| {
            stream(target, "/?action=stream&timestamp=1700000000000")
        }),
        core(MJPG_STREAMER, "/?action=stream uses the boundary that some relays expect", |target| {
            has_known_boundary(target, "/?action=stream")
        }),
        core("OctoPrint plugins", "/?action=stream?… (a second question mark) returns a stream", |target| {
            stream(target, "/?action=stream?nonce_dashboard=1700000000000")
        }),
        core("OctoPrint plugins", "/?action=snapshot?… (a second question mark) returns a snapshot", |target| {
            snapshot(target, "/?action=snapshot?1700000000000")
        }),
        core("Mainsail/Fluidd adaptive", "/?action=snapshot&cacheBust=… returns a snapshot", |target| {
            snapshot(target, "/?action=snapshot&bypassCache=1700000000&cacheBust=1700000000000")
        }),
        core(USTREAMER, "/stream returns a stream", |target| stream(target, "/stream")),
        core(USTREAMER, "/stream uses the boundary that some relays expect", |target| {
            has_known_boundary(target, "/stream")
        }),
        core(USTREAMER, "/snapshot returns a snapshot", |target| snapshot(target, "/snapshot")),
        core("many cameras", "/stream.mjpg returns a stream", |target| stream(target, "/stream.mjpg")),
        core("many cameras", "/snapshot.jpg returns a snapshot", |target| snapshot(target, "/snapshot.jpg")),
        core(USTREAMER, "/state is JSON with the keys that clients read", state),
        core(USTREAMER, "advance_headers=1: a part's headers arrive with the image before it", advance_headers),
        core(USTREAMER, "extra_headers=1: every part has X-UStreamer headers", extra_headers),
        core(USTREAMER, "key=…: a cookie identifies the client's entry in /state", key),
    ]
    .map(Check::dialect)
    .into()
}

fn stream(target: &Target, path: &str) -> Result<(), String> {
    read_strictly(&mut Reader::open(target, path, TIMEOUT)?, 3).map(drop)
}

/// mjpg-streamer and ustreamer use the same boundary. Some relays of their streams expect it whatever the head
/// declares.
fn has_known_boundary(target: &Target, path: &str) -> Result<(), String> {
    let mut reader = Reader::open(target, path, TIMEOUT)?;
    if reader.boundary != "boundarydonotcross" {
        return Err(format!("the boundary is {:?}, not boundarydonotcross", reader.boundary));
    }
    read_strictly(&mut reader, 1).map(drop)
}

fn get_state(target: &Target) -> Result<Value, String> {
    let mut response = request(&target.address, &Request::get("/state"), Duration::from_secs(5))?;
    if response.head.status != 200 {
        return Err(format!("/state: status {}, not 200", response.head.status));
    }
    let content_type = response.head.header("content-type").unwrap_or_default().to_owned();
    if !content_type.starts_with("application/json") {
        return Err(format!("/state: Content-Type is {content_type:?}, not application/json"));
    }
    serde_json::from_slice(&response.body.read_all(1 << 20)?).map_err(|error| format!("/state: {error}"))
}

fn state(target: &Target) -> Result<(), String> {
    let state = get_state(target)?;
    type TypeCheck = fn(&Value) -> bool;
    let expected: [(&str, &str, TypeCheck); 13] = [
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
    for (pointer, expected, check) in expected {
        match state.pointer(pointer) {
            Some(value) if check(value) => {}
            Some(value) => return Err(format!("/state: {pointer} is {value}, not {expected}")),
            None => return Err(format!("/state has no {pointer}")),
        }
    }
    Ok(())
}

fn advance_headers(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, "/stream?advance_headers=1", TIMEOUT)?;
    let mut delays = Vec::new();
    let start = Instant::now();
    reader.part_headers()?;
    for number in 1..=8 {
        let image = reader.read_until_delimiter()?;
        let arrived = Instant::now();
        jpeg::size(&image).map_err(|error| format!("part {number}: {error}"))?;
        // The headers of an image that has not been captured yet, so its length is unknown.
        let headers = reader.part_headers()?;
        delays.push(arrived.elapsed());
        if let Some(length) = header(&headers, "content-length") {
            return Err(format!("part {number} has Content-Length {length}, which is unknown in advance"));
        }
        if header(&headers, "content-type") != Some("image/jpeg") {
            return Err(format!("part {number} does not have the Content-Type image/jpeg"));
        }
        header(&headers, "x-timestamp").ok_or_else(|| format!("part {number} has no X-Timestamp"))?;
    }
    delays.sort();
    let (median_delay, interval) = (delays.get(4).copied().unwrap_or_default(), start.elapsed() / 8);
    if median_delay > (interval / 2).min(Duration::from_millis(100)) {
        return Err(format!(
            "the next headers arrive {median_delay:.1?} after the image; the interval of images is {interval:.1?}"
        ));
    }
    Ok(())
}

fn extra_headers(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, "/stream?extra_headers=1", TIMEOUT)?;
    for part in read_strictly(&mut reader, 3)? {
        let value = |name: &str| {
            let name = format!("X-UStreamer-{name}");
            header(&part.headers, &name).ok_or_else(|| format!("a part has no {name}"))
        };
        let expect = |name: &str, expected: &str| match value(name)? {
            found if found == expected => Ok(()),
            found => Err(format!("X-UStreamer-{name} is {found:?}, not {expected:?}")),
        };
        expect("Online", "true")?;
        expect("Width", &part.size.0.to_string())?;
        expect("Height", &part.size.1.to_string())?;
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
    let mut reader = Reader::open(target, &format!("/stream?key={key}"), TIMEOUT)?;
    let cookie = reader.head.header("set-cookie").ok_or("the stream sets no cookie")?.to_owned();
    let pair = cookie.split(';').next().unwrap_or_default();
    let id = pair
        .split_once('=')
        .filter(|(name, _)| name.starts_with("stream_client"))
        .and_then(|(_, value)| value.strip_prefix(key)?.strip_prefix('/'))
        .ok_or_else(|| format!("the cookie is {pair:?}, not stream_client={key}/ID"))?;
    let start = Instant::now();
    loop {
        // A client is counted only after it has received a part.
        reader.next_part()?;
        let state = get_state(target)?;
        let clients = state.pointer("/result/stream/clients_stat").cloned().unwrap_or_default();
        match clients.get(id) {
            Some(client) if client.get("key").and_then(Value::as_str) == Some(key) => return Ok(()),
            Some(client) => return Err(format!("/state: client {id} is {client}, without the key {key:?}")),
            None if start.elapsed() > Duration::from_secs(3) => {
                return Err(format!("/state: the clients are {clients}, without {id}"));
            }
            None => {}
        }
    }
}
