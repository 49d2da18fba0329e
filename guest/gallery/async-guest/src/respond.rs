//! Builds responses.

use wit_bindgen::{StreamReader, spawn_local};

use crate::bindings::wasi::http::types::{Fields, Response};
use crate::bindings::{wit_future, wit_stream};

/// Returns a response with these contents.
pub fn respond(status: u16, headers: &[(&str, &str)], contents: StreamReader<u8>) -> Response {
    let fields = Fields::new();
    for (name, value) in headers.iter().chain(&[("cache-control", "no-store")]) {
        fields.append(name, value.as_bytes()).expect("the header is valid");
    }
    // There are no trailers. The value is sent when the writer is dropped, that is, now.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(fields, Some(contents), trailers);
    response.set_status_code(status).expect("the status is valid");
    response
}

/// Returns a response with a short text.
pub fn text(status: u16, content_type: &str, text: String) -> Response {
    let (mut writer, contents) = wit_stream::new();
    let length = text.len().to_string();
    spawn_local(async move {
        // Returns what was not sent, if the client has gone.
        let _ = writer.write_all(text.into_bytes()).await;
    });
    respond(status, &[("content-type", content_type), ("content-length", &length)], contents)
}
