//! Clients with odd connections and odd requests.

use std::time::Duration;

use super::streams::{REFERENCE, read_strictly};
use super::{Check, core};
use crate::Target;
use crate::http::{Request, request};
use crate::multipart::{Reader, boundary};

const WITHIN: Duration = Duration::from_secs(12);

pub(super) fn checks() -> Vec<Check> {
    vec![
        core(REFERENCE, "HEAD on the stream ends at once, with a stream's head", head),
        core(REFERENCE, "OPTIONS answers 2xx and says in Allow what may be asked", options),
        core("a tiny reader", "reads a stream through the smallest receive buffer", tiny_buffer),
        core("a tiny writer", "sends its request a byte at a time", byte_wise),
        core("an impatient reader", "leaves fifty streams at once, and the next is as good as ever", leaves),
        core("many readers", "twelve streams at the same time", many),
    ]
}

fn head(target: &Target) -> Result<(), String> {
    let asked = Request::get(&target.stream).method("HEAD");
    let mut response = request(target, &asked, Duration::from_secs(5))?;
    boundary(&response.head)?;
    response.body.silent_for(Duration::from_millis(500))
}

fn options(target: &Target) -> Result<(), String> {
    let asked = Request::get(&target.stream).method("OPTIONS");
    let response = request(target, &asked, Duration::from_secs(5))?;
    let allow = response.head.header("allow").unwrap_or_default();
    if !(200..300).contains(&response.head.status) {
        return Err(format!("status {} with Allow {allow:?}, not 2xx", response.head.status));
    }
    if !allow.split(',').any(|method| method.trim() == "GET") {
        return Err(format!("Allow is {allow:?}, without GET"));
    }
    Ok(())
}

fn tiny_buffer(target: &Target) -> Result<(), String> {
    // The system makes it as large as it must be.
    let request = Request { receive_buffer: Some(1), ..Request::get(&target.stream) };
    read_strictly(&mut Reader::ask(target, &request, WITHIN)?, 3).map(drop)
}

fn byte_wise(target: &Target) -> Result<(), String> {
    let request = Request { byte_wise: true, ..Request::get(&target.stream) };
    read_strictly(&mut Reader::ask(target, &request, WITHIN)?, 1).map(drop)
}

fn leaves(target: &Target) -> Result<(), String> {
    for number in 1..=50 {
        let asked = request(target, &Request::get(&target.stream), Duration::from_secs(5));
        let mut response = asked.map_err(|error| format!("stream {number}: {error}"))?;
        // Some leave with the head, some within the first frame.
        if number % 2 == 0 {
            response.body.piece().map_err(|error| format!("stream {number}: {error}"))?;
        }
    }
    let parts = read_strictly(&mut Reader::open(target, &target.stream, Duration::from_secs(10))?, 3);
    parts.map(drop).map_err(|error| format!("the stream after them: {error}"))
}

fn many(target: &Target) -> Result<(), String> {
    let open = |number: usize| {
        Reader::open(target, &target.stream, WITHIN).map_err(|error| format!("stream {number}: {error}"))
    };
    let mut readers = (1..=12).map(open).collect::<Result<Vec<_>, _>>()?;
    for (number, reader) in (1..).zip(&mut readers) {
        read_strictly(reader, 2).map_err(|error| format!("stream {number}: {error}"))?;
    }
    Ok(())
}
