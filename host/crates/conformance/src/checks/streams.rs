//! What the reference reader demands of a stream.

use std::time::{Duration, Instant};

use super::{Check, core};
use crate::Target;
use crate::http::{Head, Request};
use crate::multipart::{Part, Reader};
use crate::target::with_query;

/// Who demands it.
pub(super) const REFERENCE: &str = "reference reader";
/// For a stream that is slow, but moves.
const WITHIN: Duration = Duration::from_secs(12);

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "head, boundaries, parts, lengths and timestamps are exact", exact),
        core(REFERENCE, "what ends a part comes with the part, not with the next one", same_burst),
        core(REFERENCE, "the stream is never silent for long: the newest frame comes again", never_silent),
        core(REFERENCE, "nothing on the way may keep the stream", not_kept),
        core(REFERENCE, "HTTP/1.0: a stream that is not chunked", http_1_0),
        core(REFERENCE, "query parameters that it does not know are ignored", unknown_query),
        core(REFERENCE, "a slow reader sees fresh pictures, not a backlog", slow_reader),
    ]
}

/// Reads some parts strictly; pictures keep their size and time does not run backwards.
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
                return Err(format!("part {number}: the picture is {:?}, before it was {:?}", part.size, last.size));
            }
        } else {
            part.timestamp()?;
        }
        parts.push(part);
    }
    Ok(parts)
}

fn exact(target: &Target) -> Result<(), String> {
    read_strictly(&mut Reader::open(target, &target.stream, WITHIN)?, 10).map(drop)
}

fn same_burst(target: &Target) -> Result<(), String> {
    let mut reader = Reader::open(target, &target.stream, WITHIN)?;
    // A frame that was waiting comes at once and the next one at any time: intervals begin after it.
    let mut last = reader.next_part()?.arrived;
    let (mut delays, mut intervals) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while delays.len() < 9 && (delays.len() < 3 || started.elapsed() < Duration::from_secs(8)) {
        let part = reader.next_part()?;
        delays.push(part.delimiter_after);
        intervals.push(part.arrived.duration_since(last));
        last = part.arrived;
    }
    // Medians, for a busy machine may delay any one frame.
    let (delay, interval) = (median(delays), median(intervals));
    let allowed = (interval / 2).min(Duration::from_millis(100));
    if delay <= allowed {
        return Ok(());
    }
    Err(format!("the boundary comes {delay:.1?} after its picture, with a picture every {interval:.1?}"))
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

fn never_silent(target: &Target) -> Result<(), String> {
    // Home Assistant ends a stream after ten silent seconds, and so do some proxies.
    let mut reader = Reader::open(target, &target.stream, Duration::from_secs(15))?;
    let started = Instant::now();
    let mut last = started;
    let mut longest = Duration::ZERO;
    // Four seconds show a rate. A longer gap is waited for to its end.
    while started.elapsed() < Duration::from_secs(4) {
        let part = reader.next_part().map_err(|error| format!("{error}; clients go after 10 s of silence"))?;
        longest = longest.max(part.arrived.duration_since(last));
        last = part.arrived;
    }
    if longest < Duration::from_secs(5) {
        return Ok(());
    }
    Err(format!("{longest:.1?} without a frame; clients go after 10 s of silence, a second is usual"))
}

/// Caches have been seen to keep streams and single pictures.
pub(super) fn may_not_be_kept(head: &Head) -> Result<(), String> {
    let value = head.header("cache-control").ok_or("there is no Cache-Control")?.to_ascii_lowercase();
    if value.split(',').any(|directive| directive.trim() == "no-store") {
        return Ok(());
    }
    Err(format!("Cache-Control is {value:?}, without no-store"))
}

fn not_kept(target: &Target) -> Result<(), String> {
    may_not_be_kept(&Reader::open(target, &target.stream, WITHIN)?.head)
}

fn http_1_0(target: &Target) -> Result<(), String> {
    let request = Request { minor: 0, ..Request::get(&target.stream) };
    let mut reader = Reader::ask(target, &request, WITHIN)?;
    if let Some(coding) = reader.head.header("transfer-encoding") {
        return Err(format!("Transfer-Encoding is {coding:?}, which HTTP/1.0 does not have"));
    }
    read_strictly(&mut reader, 3).map(drop)
}

fn unknown_query(target: &Target) -> Result<(), String> {
    let path = with_query(&target.stream, "timestamp=1&bypassCache=1&cacheBust=2&ignored.mjpg");
    read_strictly(&mut Reader::open(target, &path, WITHIN)?, 2).map(drop)
}

/// Reads less than the server has for six seconds. Frames carry their time, so their age is seen, by a clock that
/// is set by frames read in time.
fn slow_reader(target: &Target) -> Result<(), String> {
    let clock = Instant::now();
    let age = |part: &Part| Ok::<_, String>(part.timestamp()?.map(|taken| clock.elapsed().as_secs_f64() - taken));
    let mut reader = Reader::open(target, &target.stream, WITHIN)?;
    let mut fresh = f64::INFINITY;
    let (mut bytes, mut frames) = (0, 0);
    reader.next_part()?;
    let started = Instant::now();
    while frames < 3 || (started.elapsed() < Duration::from_secs(1) && frames < 100) {
        let part = reader.next_part()?;
        // Without times nothing can be said.
        let Some(age) = age(&part)? else { return Ok(()) };
        fresh = fresh.min(age);
        bytes += part.jpeg.len();
        frames += 1;
    }
    let whole_rate = bytes as f64 / started.elapsed().as_secs_f64();
    let frame = bytes as f64 / f64::from(frames);
    // Four frames a second, however large; half of what there is would be no slower reader.
    let rate = (frame * 4.0).max(50_000.0);
    if rate > whole_rate / 2.0 {
        return Ok(());
    }
    drop(reader);
    let request = Request { receive_buffer: Some(8 * 1024), ..Request::get(&target.stream) };
    let mut reader = Reader::ask(target, &request, WITHIN)?.slowed(rate);
    let started = Instant::now();
    let mut oldest = 0_f64;
    while started.elapsed() < Duration::from_secs(6) {
        if let Some(age) = age(&reader.next_part()?)? {
            oldest = oldest.max(age - fresh);
        }
    }
    if oldest < 3.0 {
        return Ok(());
    }
    Err(format!("after 6 s of reading {:.0} kB/s, pictures are {oldest:.1} s old", rate / 1000.0))
}
