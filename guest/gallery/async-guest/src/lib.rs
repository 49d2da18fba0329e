//! A guest of WASI 0.3. It serves four paths:
//!
//! - `/`: a page with the stream of each camera.
//! - `/snapshot/NAME`: a frame of a camera.
//! - `/stream/NAME`: all frames of a camera. The stream is built once for all viewers.
//! - `/unshared/NAME`: the same, but this instance builds a stream for each viewer.

mod multipart;
mod respond;

use bindings::exports::hotshoe::server::publisher;
use bindings::exports::wasi::http::handler;
use bindings::hotshoe::camera::cameras::{Feed, list_cameras};
use bindings::hotshoe::camera::frames::Image;
use bindings::hotshoe::server::channels::{self, Channel, ViewerOptions};
use bindings::wasi::http::types::{ErrorCode, Request, Response};
use wit_bindgen::{StreamWriter, spawn_local};

use self::multipart::{CLOSING, CONTENT_TYPE, DELIMITER, OPENING};
use self::respond::{respond, text};

/// Generated from `wit/` when the guest is compiled.
mod bindings {
    wit_bindgen::generate!({
        world: "hotshoe:server/publishing-guest",
        path: "../../../wit/0.3/server",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// How long to wait for a frame, in nanoseconds. A camera may have to be opened first.
const FRAME_TIMEOUT: u64 = 4_000_000_000;

/// How long to wait for a frame before looking for a placeholder, in nanoseconds.
const REPEAT_INTERVAL: u64 = 1_000_000_000;

impl handler::Guest for Component {
    /// Responds to a request. The host calls it again in the same instance while earlier requests are in progress.
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        Ok(if path == "/" {
            text(200, "text/html; charset=utf-8", page())
        } else if let Some(camera) = path.strip_prefix("/snapshot/") {
            snapshot(camera).await
        } else if let Some(camera) = path.strip_prefix("/stream/") {
            stream(camera)
        } else if let Some(camera) = path.strip_prefix("/unshared/") {
            unshared(camera)
        } else {
            text(404, "text/plain", "there is no such page\n".to_owned())
        })
    }
}

fn page() -> String {
    let card =
        |name: &str| format!("<p><a href=\"/snapshot/{name}\"><img src=\"/stream/{name}\" alt=\"{name}\"></a>\n");
    let cards: String = list_cameras().iter().map(|camera| card(&camera.name)).collect();
    include_str!("page.html").replace("{cameras}", &cards)
}

async fn snapshot(camera: &str) -> Response {
    let Ok(feed) = Feed::open(camera) else { return no_such_camera() };
    let Ok(Some(frame)) = feed.wait_next(FRAME_TIMEOUT).await else {
        return text(503, "text/plain", "there is no picture at the moment\n".to_owned());
    };
    let length = frame.image.info().length.to_string();
    // The host sends the image; it is not copied to the memory of this guest.
    respond(200, &[("content-type", "image/jpeg"), ("content-length", &length)], frame.image.bytes())
}

/// Joins the channel of the camera, which has its name. The host sends the parts of the channel to the viewer.
fn stream(camera: &str) -> Response {
    if !list_cameras().iter().any(|known| known.name == camera) {
        return no_such_camera();
    }
    let (opening, closing) = (OPENING.to_vec(), CLOSING.to_vec());
    let options = ViewerOptions { opening, closing, max_rate: None, label: String::new() };
    match channels::join(camera, &options) {
        Ok(stream) => respond(200, &[("content-type", CONTENT_TYPE)], stream),
        Err(error) => text(503, "text/plain", format!("{error}\n")),
    }
}

impl publisher::Guest for Component {
    /// Builds the stream of a camera once for all viewers. The host calls it for each channel that has viewers.
    async fn publish(channel: Channel) {
        let feed = Feed::open(&channel.name()).expect("channels have the names of cameras");
        loop {
            let image = next_image(&feed).await;
            channel.push(&multipart::head(&image), Some(&image), DELIMITER).expect("the headers are short");
        }
    }
}

/// Builds a stream for one viewer.
fn unshared(camera: &str) -> Response {
    let Ok(feed) = Feed::open(camera) else { return no_such_camera() };
    let (writer, stream) = bindings::wit_stream::new();
    spawn_local(write_parts(feed, writer));
    respond(200, &[("content-type", CONTENT_TYPE)], stream)
}

/// Writes one part after another until the viewer leaves. A write completes when the viewer can receive more, so a slow
/// viewer skips frames.
async fn write_parts(feed: Feed, mut writer: StreamWriter<u8>) {
    let mut part = OPENING.to_vec();
    loop {
        let image = next_image(&feed).await;
        multipart::append(&mut part, &image).await;
        if !writer.write_all(std::mem::take(&mut part)).await.is_empty() {
            return;
        }
    }
}

/// Waits for the next frame. While the camera is lost, returns its placeholder, which says why.
async fn next_image(feed: &Feed) -> Image {
    loop {
        if let Ok(Some(frame)) = feed.wait_next(REPEAT_INTERVAL).await {
            return frame.image;
        }
        if let Ok(Some(placeholder)) = feed.placeholder() {
            return placeholder;
        }
    }
}

fn no_such_camera() -> Response {
    text(404, "text/plain", "there is no such camera\n".to_owned())
}
