//! A small MJPEG server with one fault at a time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hotshoe_conformance::Target;

const FRAMES: [&[u8]; 2] = [include_bytes!("../frames/1.jpg"), include_bytes!("../frames/2.jpg")];

/// What is wrong with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing. Streams use the chunked transfer coding.
    None,
    /// Nothing. Streams end with the connection.
    NotChunked,
    /// Nothing. Chunks have nine bytes.
    TinyChunks,
    NoPartLength,
    /// The Content-Length of parts is one byte too small.
    ShortPartLength,
    /// The delimiter is sent with the next frame.
    LateDelimiter,
    /// Text precedes the first boundary.
    Preamble,
    UndeclaredBoundary,
    /// Header names are in lower case, which HTTP allows.
    LowerCase,
    NoLineBreakAfterFrame,
    /// Frames lack their EOI.
    TruncatedFrames,
    PartsAreText,
    DecreasingTimestamps,
    /// The stream stops after three frames.
    Stalls,
    /// The server never responds.
    Hangs,
    /// HTTP/1.0 clients get chunks.
    ChunkedHttp10,
    /// A chunk ends between FF and D8.
    SplitMarkers,
    Cacheable,
    /// The snapshot lacks its EOI.
    TruncatedSnapshot,
    SlowSnapshot,
    /// The response to HEAD has a body.
    HeadHasBody,
    /// A path with a query is not found.
    ExactPaths,
    /// Every client gets every frame, however slow it is.
    KeepsBacklog,
    /// Nothing. The server behaves like ustreamer.
    Dialects,
    /// Like ustreamer, but advance headers arrive with their own image.
    LateAdvanceHeaders,
    /// Like ustreamer, but /state has text instead of a number.
    TextInState,
    /// Like ustreamer, but with a different boundary.
    OtherBoundary,
}

/// Starts a server with this fault. It runs until the program exits.
pub fn start(fault: Fault) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::new(listener.local_addr().unwrap().to_string());
    spawn(move || {
        for stream in listener.incoming().flatten() {
            // The thread exits when the client leaves.
            spawn(move || serve(&stream, fault));
        }
    });
    target
}

fn serve(stream: &TcpStream, fault: Fault) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    if fault != Fault::KeepsBacklog {
        // A large send buffer would hold a backlog for a slow reader.
        socket2::SockRef::from(stream).set_send_buffer_size(16 * 1024)?;
    }
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        if fault == Fault::Hangs {
            sleep(Duration::from_secs(60));
        }
        let words: Vec<_> = request.split_whitespace().collect();
        let path = if fault == Fault::ExactPaths { words[1] } else { words[1].split('?').next().unwrap() };
        if [Fault::Dialects, Fault::LateAdvanceHeaders, Fault::TextInState, Fault::OtherBoundary].contains(&fault) {
            if words[1] == "/state" {
                state(stream, fault)?;
            } else if words[1].contains("snapshot") {
                snapshot(stream, fault, false)?;
            } else {
                return dialect(stream, fault, words[1]);
            }
            continue;
        }
        let is_head = words[0] == "HEAD" && fault != Fault::HeadHasBody;
        match (words[0], path) {
            ("OPTIONS", _) => (&*stream).write_all(b"HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n")?,
            (_, "/snapshot") => snapshot(stream, fault, is_head)?,
            (_, "/video_feed") => return serve_stream(stream, fault, is_head, words[2] == "HTTP/1.0"),
            _ => (&*stream).write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
}

fn cache_control(fault: Fault) -> &'static str {
    if fault == Fault::Cacheable { "max-age=60" } else { "no-store" }
}

fn snapshot(mut stream: &TcpStream, fault: Fault, is_head: bool) -> std::io::Result<()> {
    if fault == Fault::SlowSnapshot {
        sleep(Duration::from_millis(300));
    }
    let frame = FRAMES[0];
    let frame = if fault == Fault::TruncatedSnapshot { &frame[..frame.len() - 2] } else { frame };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nCache-Control: {}\r\nContent-Length: {}\r\n\r\n",
        cache_control(fault),
        frame.len()
    );
    stream.write_all(&[head.as_bytes(), if is_head { &[] } else { frame }].concat())
}

fn serve_stream(mut stream: &TcpStream, fault: Fault, is_head: bool, is_http_1_0: bool) -> std::io::Result<()> {
    let chunked = match fault {
        Fault::NotChunked => false,
        Fault::ChunkedHttp10 => true,
        _ => !is_http_1_0,
    };
    let boundary = if fault == Fault::UndeclaredBoundary { "" } else { "; boundary=frame" };
    let coding = if chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace{boundary}\r\nCache-Control: {}\r\n{coding}\r\n",
        cache_control(fault)
    );
    stream.write_all(head.as_bytes())?;
    if is_head {
        return Ok(());
    }
    let send = |mut bytes: &[u8]| {
        let split = bytes.windows(2).position(|pair| pair == b"\xff\xd8").map(|at| at + 1);
        while !bytes.is_empty() {
            let length = match fault {
                Fault::TinyChunks => 9.min(bytes.len()),
                Fault::SplitMarkers => {
                    split.filter(|at| *at < bytes.len() && bytes[*at] == 0xd8).unwrap_or(bytes.len())
                }
                _ => bytes.len(),
            };
            let (piece, rest) = bytes.split_at(length);
            if chunked {
                let head = format!("{:x}\r\n", piece.len());
                (&*stream).write_all(&[head.as_bytes(), piece, b"\r\n"].concat())?;
            } else {
                (&*stream).write_all(piece)?;
            }
            bytes = rest;
        }
        Ok::<_, std::io::Error>(())
    };
    if fault == Fault::Preamble {
        send(b"Images follow.\r\n")?;
    }
    if fault != Fault::LateDelimiter {
        send(b"--frame\r\n")?;
    }
    for number in 0.. {
        if fault == Fault::Stalls && number == 3 {
            sleep(Duration::from_secs(60));
        }
        send(&part(fault, number))?;
        sleep(Duration::from_millis(if fault == Fault::KeepsBacklog { 10 } else { 25 }));
    }
    Ok(())
}

fn part(fault: Fault, number: usize) -> Vec<u8> {
    let frame = FRAMES[number % 2];
    // Larger frames, so that a slow reader falls behind quickly.
    let frame = if fault == Fault::KeepsBacklog { enlarge(frame) } else { frame.to_vec() };
    let frame = if fault == Fault::TruncatedFrames { &frame[..frame.len() - 2] } else { &frame };
    let mut head = String::new();
    if fault == Fault::LateDelimiter {
        head.push_str("--frame\r\n");
    }
    head.push_str(if fault == Fault::PartsAreText {
        "Content-Type: text/plain\r\n"
    } else {
        "Content-Type: image/jpeg\r\n"
    });
    match fault {
        Fault::NoPartLength => {}
        Fault::ShortPartLength => head.push_str(&format!("Content-Length: {}\r\n", frame.len() - 1)),
        Fault::LowerCase => head.push_str(&format!("content-length: {}\r\n", frame.len())),
        _ => head.push_str(&format!("Content-Length: {}\r\n", frame.len())),
    }
    let now = match fault {
        Fault::DecreasingTimestamps => 1000.0 - number as f64,
        Fault::KeepsBacklog => UNIX_EPOCH.elapsed().unwrap().as_secs_f64(),
        _ => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64(),
    };
    head.push_str(&format!("X-Timestamp: {now:.6}\r\n\r\n"));
    let after: &[u8] = match fault {
        Fault::LateDelimiter => b"\r\n",
        Fault::NoLineBreakAfterFrame => b"--frame\r\n",
        _ => b"\r\n--frame\r\n",
    };
    [head.as_bytes(), frame, after].concat()
}

/// Adds a comment of 16 KiB to a JPEG.
fn enlarge(frame: &[u8]) -> Vec<u8> {
    let (start, rest) = frame.split_at(2);
    [start, &[0xff, 0xfe, 0x40, 0x02], &[b' '; 0x4000], rest].concat()
}

fn state(mut stream: &TcpStream, fault: Fault) -> std::io::Result<()> {
    let quality = if fault == Fault::TextInState { "\"80\"" } else { "80" };
    let body = format!(
        r#"{{"ok":true,"result":{{"instance_id":"","encoder":{{"type":"CPU","quality":{quality}}},
        "source":{{"resolution":{{"width":160,"height":120}},"online":true,"desired_fps":40,"captured_fps":40}},
        "stream":{{"queued_fps":40,"clients":1,"clients_stat":{{"a1":{{"fps":40,"key":"conformance"}}}}}}}}}}"#
    );
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())
}

/// Streams like ustreamer: with HTTP/1.0, and no space before the boundary parameter.
fn dialect(mut stream: &TcpStream, fault: Fault, path: &str) -> std::io::Result<()> {
    let key = path.split("key=").nth(1).unwrap_or("0");
    let boundary = if fault == Fault::OtherBoundary { "frame" } else { "boundarydonotcross" };
    let head = format!(
        "HTTP/1.0 200 OK\r\nCache-Control: no-store\r\nSet-Cookie: stream_client={key}/a1; path=/; max-age=30\r\n\
         Content-Type: multipart/x-mixed-replace;boundary={boundary}\r\n\r\n"
    );
    let advance = path.contains("advance_headers=1");
    let times =
        ["Grab-Begin", "Grab-End", "Encode-Begin", "Encode-End", "Expose-Begin", "Expose-Cmp", "Expose-End", "Send"];
    let mut extra = "X-UStreamer-Online: true\r\nX-UStreamer-Width: 160\r\nX-UStreamer-Height: 120\r\n\
        X-UStreamer-Dropped: 0\r\nX-UStreamer-Client-FPS: 40\r\nX-UStreamer-Latency: 0.001\r\n"
        .to_owned();
    times.iter().for_each(|time| extra.push_str(&format!("X-UStreamer-{time}-Time: 1.5\r\n")));
    let extra = if path.contains("extra_headers=1") { extra } else { String::new() };
    let kind = "Content-Type: image/jpeg\r\n";
    let boundary = format!("--{boundary}\r\n");
    let early = if advance && fault != Fault::LateAdvanceHeaders {
        format!("{kind}X-Timestamp: 1.5\r\n\r\n")
    } else {
        String::new()
    };
    let late = match (advance, early.is_empty()) {
        (true, true) => format!("{kind}X-Timestamp: 1.5\r\n\r\n"),
        _ => String::new(),
    };
    stream.write_all(format!("{head}{boundary}{early}").as_bytes())?;
    for frame in FRAMES.iter().cycle() {
        let length = format!("{kind}Content-Length: {}\r\nX-Timestamp: 1.5\r\n{extra}\r\n", frame.len());
        let before = if advance { &late } else { &length };
        stream.write_all(&[before.as_bytes(), frame, b"\r\n", boundary.as_bytes(), early.as_bytes()].concat())?;
        sleep(Duration::from_millis(25));
    }
    Ok(())
}
