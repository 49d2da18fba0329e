//! Keeps a picture of each camera every few seconds, and serves them as a film. It works in front of any guest:
//! `--wrap timelapse.wasm`. With `--guest-store FILE`, the pictures survive a restart.
//!
//! - `/timelapse/NAME`: the film as a stream that browsers play.
//! - `/timelapse/NAME.mkv`: the film as a file.
//!
//! | variable | |
//! | --- | --- |
//! | `TIMELAPSE_CAMERAS` | the cameras, separated by blanks; by default all |
//! | `TIMELAPSE_SECONDS` | the time between two pictures, by default 10 |
//! | `TIMELAPSE_FPS` | pictures per second of the film, by default 12 |
//!
//! `film`: the pictures in the store. `matroska`: writes the file.

extern crate alloc;

mod film;
// The built-in guest writes such files as well.
#[path = "../../../src/matroska.rs"]
mod matroska;

use std::time::{Duration, SystemTime};

use bindings::exports::hotshoe::server::worker;
use bindings::exports::wasi::http::incoming_handler;
use bindings::hotshoe::camera::cameras::{Feed, list_cameras};
use bindings::hotshoe::camera::frames::Datetime;
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use bindings::wasi::io::streams::{OutputStream, StreamError};
use film::{Film, Kept};
use matroska::FileFrame;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package hotshoe:gallery;

            world timelapse {
                include hotshoe:server/guest-companion@0.2.0;
                import wasi:http/types@0.2.12;
                import wasi:http/incoming-handler@0.2.12;
                import wasi:keyvalue/store@0.2.0-draft2;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        path: ["../../../wit/server", "../../../wit/deps/keyvalue-draft2.wit"],
        world: "hotshoe:gallery/timelapse",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// How long a camera may take to open and deliver a picture, in nanoseconds.
const FRAME_TIMEOUT: u64 = 10_000_000_000;

/// The most bytes that the host takes at once (`wasi:io/streams`).
const CHUNK: usize = 4096;

/// Reads a number from the environment.
fn option(name: &str, default: f64) -> f64 {
    let Ok(text) = std::env::var(name) else { return default };
    let number = text.parse().ok().filter(|number| (0.01..=86_400.0).contains(number));
    number.unwrap_or_else(|| panic!("{name}={text}: use a number from 0.01 to 86400"))
}

fn cameras() -> Vec<String> {
    let all = list_cameras().into_iter().map(|camera| camera.name);
    match std::env::var("TIMELAPSE_CAMERAS") {
        Ok(names) => names.split_whitespace().map(str::to_owned).collect(),
        Err(_) => all.collect(),
    }
}

impl worker::Guest for Component {
    fn run() {
        let pause = Duration::from_secs_f64(option("TIMELAPSE_SECONDS", 10.0));
        let cameras = cameras();
        loop {
            let started = SystemTime::now();
            for camera in &cameras {
                // Without a feed between pictures, a camera that has no viewers closes.
                let feed = Feed::open(camera).unwrap_or_else(|error| panic!("{camera}: {error}"));
                if let Ok(Some(frame)) = feed.blocking_next(FRAME_TIMEOUT)
                    && let Err(error) = Film::of(camera, cameras.len()).and_then(|mut film| film.add(&frame))
                {
                    eprintln!("frame {} of {camera} is not kept: {error}", frame.sequence);
                }
            }
            std::thread::sleep(pause.saturating_sub(started.elapsed().unwrap_or_default()));
        }
    }
}

impl incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let Some(name) = path.strip_prefix("/timelapse/") else {
            return bindings::wasi::http::incoming_handler::handle(request, out);
        };
        let (name, is_file) = name.strip_suffix(".mkv").map_or((name, false), |name| (name, true));
        let cameras = cameras();
        let is_known = cameras.iter().any(|camera| camera == name);
        let film = if is_known { Film::of(name, cameras.len()).ok() } else { None };
        let Some(film) = film.filter(|film| !film.numbers().is_empty()) else {
            let (body, output) = start(out, 404, "text/plain");
            return finish(body, output, |output| write(output, b"there are no pictures of such a camera\n"));
        };
        let interval = Duration::from_secs_f64(1.0 / option("TIMELAPSE_FPS", 12.0));
        if is_file {
            let (body, output) = start(out, 200, matroska::CONTENT_TYPE);
            finish(body, output, |output| write_file(output, &film, interval));
        } else {
            let (body, output) = start(out, 200, "multipart/x-mixed-replace; boundary=frame");
            finish(body, output, |output| play(output, &film, interval));
        }
    }
}

/// Writes the film as Motion JPEG in Matroska. A file has pictures of one size, so it begins after the last change of
/// size.
fn write_file(output: &OutputStream, film: &Film, interval: Duration) -> Result<(), StreamError> {
    let mut size = None;
    let mut pictures: Vec<(u64, FileFrame)> = Vec::new();
    let mut captured = Datetime { seconds: 0, nanoseconds: 0 };
    for number in film.numbers() {
        let Some(Kept { seconds, width, height, jpeg }) = film.get(number) else { continue };
        if size != Some((width, height)) {
            pictures.clear();
            size = Some((width, height));
            captured.seconds = seconds;
        }
        let nanoseconds = interval.as_nanos() as u64 * pictures.len() as u64;
        pictures.push((number, FileFrame { nanoseconds, length: jpeg.len() as u64 }));
    }
    let places: Vec<_> = pictures.iter().map(|(_, place)| *place).collect();
    let (width, height) = size.unwrap_or_default();
    write(output, &matroska::header(width, height, &captured, &places).0)?;
    for (number, place) in pictures {
        // The worker may have removed it.
        let kept = film.get(number).map(|kept| kept.jpeg);
        write(output, &if kept.is_some() { place.header() } else { place.gap_header() })?;
        write(output, &kept.unwrap_or_else(|| vec![0; place.length as usize]))?;
    }
    Ok(())
}

/// Writes the film picture by picture, as fast as it plays. The last picture remains.
fn play(output: &OutputStream, film: &Film, interval: Duration) -> Result<(), StreamError> {
    write(output, b"--frame\r\n")?;
    for kept in film.numbers().filter_map(|number| film.get(number)) {
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", kept.jpeg.len());
        write(output, &[head.as_bytes(), &kept.jpeg, b"\r\n--frame\r\n"].concat())?;
        std::thread::sleep(interval);
    }
    write(output, b"--frame--\r\n")
}

fn start(out: ResponseOutparam, status: u16, content_type: &str) -> (OutgoingBody, OutputStream) {
    let headers = Fields::new();
    for (name, value) in [("content-type", content_type), ("cache-control", "no-store")] {
        headers.append(name, value.as_bytes()).expect("the header is valid");
    }
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status is valid");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("the stream is taken once");
    (body, output)
}

/// Ends a response. If writing fails, the client has gone.
fn finish(body: OutgoingBody, output: OutputStream, write: impl FnOnce(&OutputStream) -> Result<(), StreamError>) {
    let written = write(&output);
    drop(output);
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write(output: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(CHUNK).try_for_each(|chunk| output.blocking_write_and_flush(chunk))
}
