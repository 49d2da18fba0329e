//! Responses that are streams. Usually, the host sends the parts of channels. If the component does not export
//! `publisher`, for example because a tool that composed it has dropped the export, this instance writes the stream to
//! its own client.

use alloc::format;
use alloc::string::String;

use crate::bindings::hotshoe::camera::frames::Image;
use crate::bindings::hotshoe::server::channels::{self, Channel, ErrorCode, ViewerOptions};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::response::{self, BodyWriter, Head};

/// The stream has ended: its client has disconnected, or a part is too large.
pub struct Ended;

/// Where the parts of a stream go.
pub trait Sink {
    /// Adds a part: `head`, the bytes of the image if there is one, and `tail`.
    fn push(&mut self, head: &[u8], image: Option<&Image>, tail: &[u8]) -> Result<(), Ended>;
}

/// To all viewers. Does not block.
impl Sink for &Channel {
    fn push(&mut self, head: &[u8], image: Option<&Image>, tail: &[u8]) -> Result<(), Ended> {
        Channel::push(self, head, image, tail).map_err(|_| Ended)
    }
}

/// To the client of this response. Blocks while it does not read.
pub struct OwnClient(BodyWriter);

impl Sink for OwnClient {
    fn push(&mut self, head: &[u8], image: Option<&Image>, tail: &[u8]) -> Result<(), Ended> {
        let Self(writer) = self;
        writer.write(head).map_err(|_| Ended)?;
        if let Some(image) = image {
            writer.splice(&image.read_via_stream(), image.info().length).map_err(|_| Ended)?;
        }
        writer.write(tail).map_err(|_| Ended)
    }
}

/// Sends a response whose body is written by the channels with these names, at least one, or else by `write`.
pub fn respond(
    out: ResponseOutparam,
    head_only: bool,
    head: &Head,
    content_type: &str,
    names: &[String],
    options: &ViewerOptions,
    write: impl FnOnce(&mut OwnClient),
) {
    let response = response::new(head, content_type, None);
    if head_only {
        return ResponseOutparam::set(out, Ok(response));
    }
    // The body is taken once, so this cannot fail.
    let Ok(body) = response.body() else { return };
    let joined = match names {
        // Cheaper than `join_all`.
        [name] => channels::join(body, name, options),
        names => channels::join_all(body, names, options),
    };
    match joined {
        Ok(()) => ResponseOutparam::set(out, Ok(response)),
        Err(ErrorCode::NoPublisher) => {
            let Some(mut writer) = response::start(out, head_only, head, content_type, None) else { return };
            // The response ends abruptly, because only a client that has gone ends it. If the guest is replaced, the
            // host ends it, with the closing delimiter.
            if writer.write(&options.opening).is_ok() {
                write(&mut OwnClient(writer));
            }
        }
        Err(error) => {
            let head = match error {
                ErrorCode::TooManyChannels(_) | ErrorCode::Other(_) => response::UNAVAILABLE,
                _ => response::INTERNAL_ERROR,
            };
            let line = format!("{} cannot join the stream: {}\n", head.status, cause(error));
            response::send_line(out, head_only, &head, &line);
        }
    }
}

/// Returns the cause of an error, as the end of a sentence.
fn cause(error: ErrorCode) -> String {
    match error {
        ErrorCode::NoPublisher => "the guest does not publish channels".into(),
        ErrorCode::InvalidName => "the name of the channel is invalid".into(),
        ErrorCode::TooManyChannels(limit) => {
            format!("the server has {limit} other streams, which is the maximum; try again soon")
        }
        ErrorCode::InvalidLabel => "the label of the viewer is too long".into(),
        ErrorCode::AlreadyJoined => "this request has joined a channel already".into(),
        ErrorCode::BodyInUse => "the body of the response is in use".into(),
        ErrorCode::PartTooLarge(limit) => format!("the part is longer than {limit} bytes"),
        ErrorCode::Other(text) => text,
    }
}
