//! `/clip`: the last seconds of a camera as one file that players open: Motion JPEG in Matroska. The images are sent as
//! they are, without copying them to the guest.
//!
//! The host forgets frames that become too old while a client reads slowly. They are missing from its file.

use alloc::format;

use crate::bindings::hotshoe::camera::cameras::{Dimensions, Frame, get_frame};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::matroska;
use crate::query::{InvalidTime, Query};
use crate::recent::{entries_since, newest_entry};
use crate::response::{self, BodyWriter, Disconnected, Head};
use crate::route::CameraSelector;

/// The length without `seconds=`.
const DEFAULT_NANOSECONDS: u64 = 10_000_000_000;

/// Responds with the frames of the last `seconds=`, as far as the host remembers them.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>, query: Query<'_>) {
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    let length = match query.nanoseconds("seconds").unwrap_or(Ok(DEFAULT_NANOSECONDS)) {
        Ok(length) if length > 0 => length,
        Ok(_) | Err(InvalidTime) => {
            let line = "400 seconds= is a number of seconds greater than 0, such as seconds=10\n";
            return response::send_line(out, head_only, &response::BAD_REQUEST, line);
        }
    };
    let since = monotonic_clock::now().saturating_sub(length);
    // A request holds at most two images, so there is no error.
    let remembered = |sequence| get_frame(&camera.name, sequence).ok().flatten();
    let mut frames = entries_since(&camera, since).filter_map(|entry| remembered(entry.sequence));
    // Every host has the newest frame, which is no clip.
    let (Some(first), Some(second)) = (frames.next(), frames.next()) else {
        let line = "404 there are no frames to send: whoever runs the server can let the camera remember them \
                    with the option remember=10s; it does so while it is open\n";
        return response::send_line(out, head_only, &response::NOT_FOUND, line);
    };
    let name = format!("inline; filename=\"{}.mkv\"", camera.name);
    let headers = response::no_cache_and(&[("content-disposition", &name), response::UNBUFFERED[0]]);
    let head = Head { status: 200, headers: &headers };
    let Some(mut writer) = response::start(out, head_only, &head, matroska::CONTENT_TYPE, None) else { return };
    let end = newest_entry(&camera).map_or(0, |entry| entry.monotonic_time);
    let duration = end.saturating_sub(first.monotonic_time);
    if write(&mut writer, duration, [first, second], frames).is_ok() {
        writer.finish();
    }
}

fn write(
    writer: &mut BodyWriter,
    duration: u64,
    frames: [Frame; 2],
    rest: impl Iterator<Item = Frame>,
) -> Result<(), Disconnected> {
    let [first, _] = &frames;
    let start = first.monotonic_time;
    let Dimensions { width, height } = first.image.info().dimensions;
    writer.write(&matroska::header(width, height, &first.wall_time, duration))?;
    for frame in frames.into_iter().chain(rest) {
        let length = frame.image.info().length;
        writer.write(&matroska::frame_header(frame.monotonic_time.saturating_sub(start), length))?;
        writer.splice(&frame.image.read_via_stream(), length)?;
    }
    Ok(())
}
