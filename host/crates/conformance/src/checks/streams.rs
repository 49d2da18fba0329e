//! Checks of the stream with the reference reader.

use std::time::{Duration, Instant};

use super::check::{Check, core};
use crate::http::{Head, Request};
use crate::multipart::{Part, Reader};
use crate::target::Target;
use crate::target::with_query;

/// The client's name in the table.
pub(super) const REFERENCE: &str = "reference reader";
/// Long enough for a slow stream.
const TIMEOUT: Duration = Duration::from_secs(12);

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "head, boundaries, headers, lengths and timestamps are exact", exact),
        core(REFERENCE, "the delimiter after a part arrives with it, not with the next part", prompt_delimiter),
        core(REFERENCE, "the stream never pauses for long: it repeats the newest frame", no_long_pauses),
        core(REFERENCE, "the stream must not be cached", no_store),
        core(REFERENCE, "HTTP/1.0: the stream is not chunked", http_1_0),
        core(REFERENCE, "unknown query parameters are ignored", unknown_query),
        core(REFERENCE, "a slow reader gets fresh images, not a backlog", slow_reader),
    ]
}

/// Reads parts strictly. All images must have the same size, and timestamps must not decrease.
pub(super) fn read_strictly(reader: &mut Reader, count: usize) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    for number in 1..=count {
        let part = reader.next_part().map_err(|error| format!("part {number}: {error}"))?;
        if let Some(last) = parts.last() {
            if part.timestamp()? < last.timestamp()? {
                let (new, old) = (part.timestamp()?, last.timestamp()?);
                return Err(format!("part {number}: X-Timestamp {new:?} after {old:?}"));
            }
            if part.size != last.size {
                return Err(format!("part {number}: the size is {:?} after {:?}", part.size, last.size));
            }
        } else {
            part.timestamp()?;
        }
        parts.push(part);
    }
    Ok(parts)
}

fn exact(target: &Target) -> Result<(), String> {
    read_strictly(&mut Reader::open(target, &target.stream, TIMEOUT)?, 10).map(drop)
}

fn prompt_delimiter(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, &target.stream, TIMEOUT)?;
    // The first part is the newest frame, sent at once. It says nothing about the interval.
    let mut last = reader.next_part()?.arrived;
    let (mut delays, mut intervals) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while delays.len() < 9 && (delays.len() < 3 || start.elapsed() < Duration::from_secs(8)) {
        let part = reader.next_part()?;
        delays.push(part.delimiter_delay);
        intervals.push(part.arrived.duration_since(last));
        last = part.arrived;
    }
    // Medians ignore single frames that a busy machine delays.
    let (delay, interval) = (median(delays), median(intervals));
    let allowed = (interval / 2).min(Duration::from_millis(100));
    if delay <= allowed {
        return Ok(());
    }
    Err(format!("the delimiter arrives {delay:.1?} after its image; the interval of images is {interval:.1?}"))
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

fn no_long_pauses(target: &Target) -> Result<(), String> {
    // Home Assistant and some proxies close a stream after ten seconds without data.
    let mut reader = Reader::open(target, &target.stream, Duration::from_secs(15))?;
    let start = Instant::now();
    let mut last = start;
    let mut longest = Duration::ZERO;
    // Four seconds are enough for most streams. If a pause is longer, wait for its end.
    while start.elapsed() < Duration::from_secs(4) {
        let part = reader.next_part().map_err(|error| format!("{error}; clients leave after 10 s"))?;
        longest = longest.max(part.arrived.duration_since(last));
        last = part.arrived;
    }
    if longest < Duration::from_secs(5) {
        return Ok(());
    }
    Err(format!("{longest:.1?} without a frame; clients leave after 10 s, other servers send one every second"))
}

/// Requires `Cache-Control: no-store`. Some caches would store streams and snapshots.
pub(super) fn require_no_store(head: &Head) -> Result<(), String> {
    let value = head.header("cache-control").ok_or("the response has no Cache-Control")?.to_ascii_lowercase();
    if value.split(',').any(|directive| directive.trim() == "no-store") {
        return Ok(());
    }
    Err(format!("Cache-Control is {value:?}, without no-store: caches may store the response"))
}

fn no_store(target: &Target) -> Result<(), String> {
    require_no_store(&Reader::open(target, &target.stream, TIMEOUT)?.head)
}

fn http_1_0(target: &Target) -> Result<(), String> {
    let request = Request { minor_version: 0, ..Request::get(&target.stream) };
    let mut reader = Reader::open_with(target, &request, TIMEOUT)?;
    if let Some(coding) = reader.head.header("transfer-encoding") {
        return Err(format!("Transfer-Encoding is {coding:?}, which HTTP/1.0 does not support"));
    }
    read_strictly(&mut reader, 3).map(drop)
}

fn unknown_query(target: &Target) -> Result<(), String> {
    let path = with_query(&target.stream, "timestamp=1&bypassCache=1&cacheBust=2&ignored.mjpg");
    read_strictly(&mut Reader::open(target, &path, TIMEOUT)?, 2).map(drop)
}

/// Reads more slowly than the server sends, for six seconds, and checks the age of the images by their timestamps.
/// Images that are read at full speed first show the offset between the server's clock and this one.
fn slow_reader(target: &Target) -> Result<(), String> {
    let clock = Instant::now();
    let age = |part: &Part| Ok::<_, String>(part.timestamp()?.map(|captured| clock.elapsed().as_secs_f64() - captured));
    let mut reader = Reader::open(target, &target.stream, TIMEOUT)?;
    let mut clock_offset = f64::INFINITY;
    let (mut bytes, mut frames) = (0, 0);
    reader.next_part()?;
    let start = Instant::now();
    while frames < 3 || (start.elapsed() < Duration::from_secs(1) && frames < 100) {
        let part = reader.next_part()?;
        // Without timestamps, the age of the images is unknown.
        let Some(age) = age(&part)? else { return Ok(()) };
        clock_offset = clock_offset.min(age);
        bytes += part.jpeg.len();
        frames += 1;
    }
    let full_rate = bytes as f64 / start.elapsed().as_secs_f64();
    let frame_length = bytes as f64 / f64::from(frames);
    // Four frames per second. If the stream is hardly faster than that, no reader can be much slower.
    let rate = (frame_length * 4.0).max(50_000.0);
    if rate > full_rate / 2.0 {
        return Ok(());
    }
    drop(reader);
    let request = Request { receive_buffer: Some(8 * 1024), ..Request::get(&target.stream) };
    let mut reader = Reader::open_with(target, &request, TIMEOUT)?.with_rate_limit(rate);
    let start = Instant::now();
    let mut oldest = 0_f64;
    while start.elapsed() < Duration::from_secs(6) {
        if let Some(age) = age(&reader.next_part()?)? {
            oldest = oldest.max(age - clock_offset);
        }
    }
    if oldest < 3.0 {
        return Ok(());
    }
    Err(format!("after 6 s of reading at {:.0} kB/s, images are {oldest:.1} s old", rate / 1000.0))
}
