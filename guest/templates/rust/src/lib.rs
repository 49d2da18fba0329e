//! A guest for Hotshoe. It responds to three paths:
//!
//! - `/`: a page with the stream of each camera.
//! - `/snapshot/NAME`: a frame of a camera.
//! - `/stream/NAME`: all frames of a camera, in one response without an end.

use bindings::exports::hotshoe::server::publisher;
use bindings::exports::wasi::http::incoming_handler;
use bindings::hotshoe::camera::cameras::{Feed, list_cameras};
use bindings::hotshoe::server::channels::{self, Channel, HeadPiece, ViewerOptions};
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// Generated from `wit/` when the guest is compiled.
mod bindings {
    wit_bindgen::generate!({ world: "hotshoe:server/publishing-guest", path: "wit", generate_all });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// How long to wait for a frame, in nanoseconds. A camera may have to be opened first.
const FRAME_TIMEOUT: u64 = 4_000_000_000;

/// How often the publisher looks for a placeholder if there are no frames, in nanoseconds.
const REPEAT_INTERVAL: u64 = 1_000_000_000;

impl incoming_handler::Guest for Component {
    /// Responds to a request. The host calls it in a new instance for each request.
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        if path == "/" {
            send(out, 200, "text/html; charset=utf-8", page().as_bytes());
        } else if let Some(camera) = path.strip_prefix("/snapshot/") {
            snapshot(out, camera);
        } else if let Some(camera) = path.strip_prefix("/stream/") {
            stream(out, camera);
        } else {
            send(out, 404, "text/plain", b"there is no such page\n");
        }
    }
}

fn page() -> String {
    let card = |name: &str| format!("<p><a href=\"/snapshot/{name}\"><img src=\"/stream/{name}\" alt=\"{name}\"></a>\n");
    let cards: String = list_cameras().iter().map(|camera| card(&camera.name)).collect();
    include_str!("page.html").replace("{cameras}", &cards)
}

fn snapshot(out: ResponseOutparam, camera: &str) {
    let Ok(feed) = Feed::open(camera) else { return send(out, 404, "text/plain", b"there is no such camera\n") };
    let Ok(Some(frame)) = feed.blocking_next(FRAME_TIMEOUT) else {
        return send(out, 503, "text/plain", b"there is no picture at the moment\n");
    };
    let length = frame.image.info().length;
    let response = response(200, &[("content-type", "image/jpeg"), ("content-length", &length.to_string())]);
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("the stream is taken once");
    // The host sends the image; it is not copied to the memory of this guest.
    let image = frame.image.read_via_stream();
    let mut sent = 0;
    while sent < length {
        let Ok(count) = output.blocking_splice(&image, length - sent) else { return }; // The client has gone.
        sent += count;
    }
    drop(output);
    let _ = OutgoingBody::finish(body, None);
}

/// Passes the response to the channel of the camera, which has its name. The host writes the body from now on.
fn stream(out: ResponseOutparam, camera: &str) {
    if !list_cameras().iter().any(|known| known.name == camera) {
        return send(out, 404, "text/plain", b"there is no such camera\n");
    }
    let response = response(200, &[("content-type", "multipart/x-mixed-replace; boundary=frame")]);
    let body = response.body().expect("the body is taken once");
    let (opening, closing) = (b"--frame\r\n".to_vec(), b"--frame--\r\n".to_vec());
    let options = ViewerOptions { opening, closing, max_rate: None, label: String::new() };
    match channels::join(body, camera, &options) {
        Ok(()) => ResponseOutparam::set(out, Ok(response)),
        Err(error) => send(out, 503, "text/plain", format!("{error}\n").as_bytes()),
    }
}

impl publisher::Guest for Component {
    /// Builds the stream of a camera once for all viewers. The host calls it for each channel that has viewers.
    fn publish(channel: Channel) {
        let feed = Feed::open(&channel.name()).expect("channels have the names of cameras");
        let (start, end) = ("Content-Type: image/jpeg\r\nContent-Length: ", "\r\n\r\n");
        let head = [HeadPiece::Bytes(start.into()), HeadPiece::Length, HeadPiece::Bytes(end.into())];
        // The delimiter follows the image at once, because browsers show an image only when they have read it.
        let tail = b"\r\n--frame\r\n";
        loop {
            // The host makes a part of each frame, until there is none.
            channel.push_frames(&feed, &head, tail, REPEAT_INTERVAL).expect("the headers are short");
            // While the camera is lost, its placeholder says why.
            if let Ok(Some(image)) = feed.placeholder() {
                let head = format!("{start}{}{end}", image.info().length);
                channel.push(head.as_bytes(), Some(&image), tail).expect("the headers are short");
            }
        }
    }
}

fn send(out: ResponseOutparam, status: u16, content_type: &str, content: &[u8]) {
    let response = response(status, &[("content-type", content_type), ("content-length", &content.len().to_string())]);
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("the stream is taken once");
    for chunk in content.chunks(4096) {
        let Ok(()) = output.blocking_write_and_flush(chunk) else { return }; // The client has gone.
    }
    drop(output);
    let _ = OutgoingBody::finish(body, None);
}

fn response(status: u16, headers: &[(&str, &str)]) -> OutgoingResponse {
    let fields = Fields::new();
    for (name, value) in headers.iter().chain(&[("cache-control", "no-store")]) {
        fields.append(name, value.as_bytes()).expect("the header is valid");
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("the status is valid");
    response
}
