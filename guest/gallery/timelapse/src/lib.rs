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

extern crate alloc;

// The built-in guest writes such files as well.
#[path = "../../../src/matroska.rs"]
mod matroska;

use std::error::Error;
use std::time::{Duration, SystemTime};

use bindings::exports::hotshoe::server::worker;
use bindings::exports::wasi::http::incoming_handler;
use bindings::hotshoe::camera::cameras::{Feed, Frame, list_cameras};
use bindings::hotshoe::camera::frames::{Datetime, Dimensions};
use bindings::hotshoe::camera::pixels::{Format, Scale, decode};
use film::{Film, Picture};
use matroska::FileFrame;
use response::http::{IncomingRequest, ResponseOutparam};
use response::{Body, Disconnected};

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/server", "../wit"],
        world: "hotshoe:gallery/working-middleware",
        with: { "wasi:http/types@0.2.12": response::http },
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// How long a camera may take to open and deliver a picture, in nanoseconds.
const FRAME_TIMEOUT: u64 = 10_000_000_000;

/// The most bytes of all films. Leaves a quarter of the store to others.
const MAX_BYTES: u64 = 6 << 20;

/// The largest width of a picture. Larger ones are made smaller, with this quality.
const MAX_WIDTH: u32 = 640;
const QUALITY: u8 = 75;

fn cameras() -> Vec<String> {
    let all = || list_cameras().into_iter().map(|camera| camera.name).collect();
    options::words("TIMELAPSE_CAMERAS").unwrap_or_else(all)
}

impl worker::Guest for Component {
    fn run() {
        let pause = Duration::from_secs_f64(options::number("TIMELAPSE_SECONDS", 10.0, 0.01..=86_400.0));
        let cameras = cameras();
        loop {
            let started = SystemTime::now();
            for camera in &cameras {
                // Without a feed between pictures, a camera that has no viewers closes.
                let feed = Feed::open(camera).unwrap_or_else(|error| panic!("{camera}: {error}"));
                if let Ok(Some(frame)) = feed.blocking_next(FRAME_TIMEOUT)
                    && let Err(error) = keep(camera, &frame, MAX_BYTES / cameras.len() as u64)
                {
                    eprintln!("frame {} of {camera} is not kept: {error}", frame.sequence);
                }
            }
            std::thread::sleep(pause.saturating_sub(started.elapsed().unwrap_or_default()));
        }
    }
}

/// Adds a frame to the film of its camera, which has at most this many bytes.
fn keep(camera: &str, frame: &Frame, max: u64) -> Result<(), Box<dyn Error>> {
    let scale = match frame.image.info().dimensions.width.div_ceil(MAX_WIDTH) {
        0 | 1 => None,
        2 => Some(Scale::Half),
        3 | 4 => Some(Scale::Quarter),
        _ => Some(Scale::Eighth),
    };
    let smaller = scale.map(|scale| decode(&frame.image, scale, Format::Yuv)?.encode(QUALITY)).transpose()?;
    let image = smaller.as_ref().unwrap_or(&frame.image);
    let Dimensions { width, height } = image.info().dimensions;
    let mut film = Film::open("timelapse", camera)?;
    Ok(film.add(frame.wall_time.seconds, (width, height), &image.read(), max)?)
}

impl incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let Some(name) = path.strip_prefix("/timelapse/") else {
            return bindings::wasi::http::incoming_handler::handle(request, out);
        };
        let (name, is_file) = name.strip_suffix(".mkv").map_or((name, false), |name| (name, true));
        let is_known = cameras().iter().any(|camera| camera == name);
        let film = Film::open("timelapse", name).ok().filter(|film| is_known && !film.pictures().is_empty());
        let headers = |content_type| [("content-type", content_type), ("cache-control", "no-store")];
        let Some(film) = film else {
            let text = b"there are no pictures of such a camera\n";
            return response::send(out, 404, &headers("text/plain"), |body| body.write(text));
        };
        let interval = Duration::from_secs_f64(1.0 / options::number("TIMELAPSE_FPS", 12.0, 0.01..=86_400.0));
        if is_file {
            response::send(out, 200, &headers(matroska::CONTENT_TYPE), |body| write_file(body, &film, interval));
        } else {
            let content_type = "multipart/x-mixed-replace; boundary=frame";
            response::send(out, 200, &headers(content_type), |body| play(body, &film, interval));
        }
    }
}

/// Writes the film as Motion JPEG in Matroska. A file has pictures of one size, so it begins after the last change of
/// size.
fn write_file(body: &mut Body, film: &Film, interval: Duration) -> Result<(), Disconnected> {
    let parts = film.pictures().chunk_by(|one, next| one.size == next.size);
    let Some(pictures @ [Picture { seconds, size: (width, height), .. }, ..]) = parts.last() else { return Ok(()) };
    let times = (0..).map(|number| number * interval.as_nanos() as u64);
    let frames = times.zip(pictures).map(|(nanoseconds, picture)| FileFrame { nanoseconds, length: picture.length });
    let frames: Vec<_> = frames.collect();
    let captured = Datetime { seconds: *seconds, nanoseconds: 0 };
    body.write(&matroska::header(*width, *height, &captured, &frames).0)?;
    for (picture, frame) in pictures.iter().zip(frames) {
        // The worker may have removed it.
        let image = film.image(picture);
        body.write(&if image.is_some() { frame.header() } else { frame.gap_header() })?;
        body.write(&image.unwrap_or_else(|| vec![0; frame.length as usize]))?;
    }
    Ok(())
}

/// Writes the film picture by picture, as fast as it plays. The last picture remains.
fn play(body: &mut Body, film: &Film, interval: Duration) -> Result<(), Disconnected> {
    body.write(b"--frame\r\n")?;
    for image in film.pictures().iter().filter_map(|picture| film.image(picture)) {
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", image.len());
        body.write(&[head.as_bytes(), &image, b"\r\n--frame\r\n"].concat())?;
        body.flush()?;
        std::thread::sleep(interval);
    }
    body.write(b"--frame--\r\n")
}
