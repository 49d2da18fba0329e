//! `/video_feed`: a camera as a multipart stream that never ends.

use crate::bindings::hotshoe::camera::cameras::{Feed, Frame};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::part;
use crate::reply::{self, Gone, Head, Writer};

/// After this long without a new frame the newest is sent again. It tells browsers that the part is
/// complete, clients that time out that the stream is alive, and the host whether the client is still there.
const REPEAT_AFTER_NANOSECONDS: u64 = 1_000_000_000;

/// Answer with the stream of this camera.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Option<&str>) {
    let Some((feed, out)) = feed::open(out, head_only, camera) else { return };
    // Waiting for the first frame before answering makes a camera without one an error that clients see.
    let Some((first, out)) = feed::first_frame(&feed, out, head_only) else { return };
    // Proxies such as nginx must not collect parts until some buffer is full.
    let headers = reply::fresh_and(&[("x-accel-buffering", "no")]);
    let head = Head { status: 200, headers: &headers };
    if let Some(writer) = reply::begin(out, head_only, &head, part::CONTENT_TYPE, None) {
        // It only ends when the client is gone, or the host ends it.
        let Err(Gone) = run(writer, &feed, first);
    }
}

/// Send part after part, each with the newest frame there is.
fn run(mut writer: Writer, feed: &Feed, mut newest: Frame) -> Result<core::convert::Infallible, Gone> {
    writer.write(part::OPENING)?;
    loop {
        send(&mut writer, &newest)?;
        // No error is possible while only one or two frames are held.
        if let Ok(Some(frame)) = feed.blocking_next(REPEAT_AFTER_NANOSECONDS) {
            newest = frame;
        }
    }
}

/// Send one part.
fn send(writer: &mut Writer, frame: &Frame) -> Result<(), Gone> {
    let info = frame.info();
    let head = part::head(info.length, info.captured_on.seconds, info.captured_on.nanoseconds);
    writer.write(head.as_bytes())?;
    writer.splice(&frame.data(), info.length)?;
    writer.write(part::TAIL)
}
