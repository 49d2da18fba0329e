//! Clients with unusual requests and connections.

use std::time::Duration;

use super::check::{Check, core};
use super::streams::{REFERENCE, read_strictly};
use crate::http::{Request, request};
use crate::multipart::{Reader, boundary};
use crate::target::Target;

const TIMEOUT: Duration = Duration::from_secs(12);

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "HEAD for the stream returns the headers of GET and no body", head),
        core(REFERENCE, "OPTIONS returns 2xx and lists the methods in Allow", options),
        core("tiny receive buffer", "reads the stream through the smallest possible buffer", tiny_receive_buffer),
        core("byte-by-byte writer", "sends its request one byte at a time", byte_by_byte_request),
        core("impatient viewers", "leave fifty streams early; the next stream still works", impatient_viewers),
        core("many viewers", "read twelve streams at the same time", many_viewers),
    ]
}

fn head(target: &Target) -> Result<(), String> {
    let head_request = Request::get(&target.stream).method("HEAD");
    let mut response = request(&target.address, &head_request, Duration::from_secs(5))?;
    boundary(&response.head)?;
    response.body.expect_silence(Duration::from_millis(500))
}

fn options(target: &Target) -> Result<(), String> {
    let options_request = Request::get(&target.stream).method("OPTIONS");
    let response = request(&target.address, &options_request, Duration::from_secs(5))?;
    let allow = response.head.header("allow").unwrap_or_default();
    if !(200..300).contains(&response.head.status) {
        return Err(format!("status {} with Allow {allow:?}, not 2xx", response.head.status));
    }
    if !allow.split(',').any(|method| method.trim() == "GET") {
        return Err(format!("Allow is {allow:?}, without GET"));
    }
    Ok(())
}

fn tiny_receive_buffer(target: &Target) -> Result<(), String> {
    // Linux raises the size to its minimum (socket(7)).
    let request = Request { receive_buffer: Some(1), ..Request::get(&target.stream) };
    read_strictly(&mut Reader::open_with(target, &request, TIMEOUT)?, 3).map(drop)
}

fn byte_by_byte_request(target: &Target) -> Result<(), String> {
    let request = Request { single_bytes: true, ..Request::get(&target.stream) };
    read_strictly(&mut Reader::open_with(target, &request, TIMEOUT)?, 1).map(drop)
}

fn impatient_viewers(target: &Target) -> Result<(), String> {
    for number in 1..=50 {
        let response = request(&target.address, &Request::get(&target.stream), Duration::from_secs(5));
        let mut response = response.map_err(|error| format!("stream {number}: {error}"))?;
        // Half of them leave after the head, the others within the first frame.
        if number % 2 == 0 {
            response.body.next_data().map_err(|error| format!("stream {number}: {error}"))?;
        }
    }
    let parts = read_strictly(&mut Reader::open(target, &target.stream, Duration::from_secs(10))?, 3);
    parts.map(drop).map_err(|error| format!("the next stream: {error}"))
}

fn many_viewers(target: &Target) -> Result<(), String> {
    let open = |number: usize| {
        Reader::open(target, &target.stream, TIMEOUT).map_err(|error| format!("stream {number}: {error}"))
    };
    let mut readers = (1..=12).map(open).collect::<Result<Vec<_>, _>>()?;
    for (number, reader) in (1..).zip(&mut readers) {
        read_strictly(reader, 2).map_err(|error| format!("stream {number}: {error}"))?;
    }
    Ok(())
}
