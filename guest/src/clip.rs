//! `/clip`: the last seconds of a camera as one file that players open: Motion JPEG in Matroska. The images are sent as
//! they are, without copying them to the guest.
//!
//! A file has pictures of one size, so it begins with the first frame after the last change of size. The host forgets
//! frames that become too old while a client reads slowly; there is a gap in their place.

use alloc::format;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{Dimensions, Frame, get_frame};
use crate::bindings::hotshoe::camera::frames::Datetime;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::matroska::{self, FileFrame};
use crate::query::{InvalidTime, Query};
use crate::recent::entries_since;
use crate::response::{self, BodyWriter, Disconnected, Head};
use crate::route::CameraSelector;

/// The length without `seconds=`.
const DEFAULT_NANOSECONDS: u64 = 10_000_000_000;

/// What is written at once in place of an image that is missing.
const ZEROS: [u8; 4096] = [0; 4096];

/// The frames of a file, before they are sent.
#[derive(Default)]
struct Clip {
    /// The size of the pictures, and when the first one was captured. `None` without frames.
    first: Option<First>,
    /// The number of each frame.
    frames: Vec<(u64, FileFrame)>,
}

struct First {
    width: u32,
    height: u32,
    monotonic_time: u64,
    wall_time: Datetime,
}

impl Clip {
    /// Adds a frame. One of another size begins a new file.
    fn add(&mut self, frame: &Frame) {
        let info = frame.image.info();
        let Dimensions { width, height } = info.dimensions;
        let (monotonic_time, wall_time) = (frame.monotonic_time, frame.wall_time);
        if self.first.as_ref().is_none_or(|first| (first.width, first.height) != (width, height)) {
            *self = Self { first: Some(First { width, height, monotonic_time, wall_time }), frames: Vec::new() };
        }
        let start = self.first.as_ref().map_or(monotonic_time, |first| first.monotonic_time);
        let nanoseconds = monotonic_time.saturating_sub(start);
        self.frames.push((frame.sequence, FileFrame { nanoseconds, length: info.length }));
    }
}

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
    // A request holds one image at a time, so there is no error.
    let remembered = |sequence| get_frame(&camera.name, sequence).ok().flatten();
    let mut clip = Clip::default();
    for entry in entries_since(&camera, since) {
        if let Some(frame) = remembered(entry.sequence) {
            clip.add(&frame);
        }
    }
    let Clip { first: Some(First { width, height, wall_time, .. }), frames } = clip else {
        return not_found(out, head_only);
    };
    // Every host has the newest frame, which is no clip.
    if frames.len() < 2 {
        return not_found(out, head_only);
    }
    let places: Vec<_> = frames.iter().map(|(_, frame)| *frame).collect();
    let (start, length) = matroska::header(width, height, &wall_time, &places);
    let name = format!("inline; filename=\"{}.mkv\"", camera.name);
    let headers = response::no_cache_and(&[("content-disposition", &name), response::UNBUFFERED[0]]);
    let head = Head { status: 200, headers: &headers };
    let Some(mut writer) = response::start(out, head_only, &head, matroska::CONTENT_TYPE, Some(length)) else { return };
    let mut write_all = || {
        writer.write(&start)?;
        frames.iter().try_for_each(|(sequence, place)| write(&mut writer, place, remembered(*sequence).as_ref()))
    };
    if write_all().is_ok() {
        writer.finish();
    }
}

fn not_found(out: ResponseOutparam, head_only: bool) {
    let line = "404 there are no frames to send: the camera was closed, or it does not remember frames. Whoever runs the \
                server can set the options remember=10s and keep-open\n";
    response::send_line(out, head_only, &response::NOT_FOUND, line);
}

/// Writes a frame, or a gap of the same length if the host has forgotten it.
fn write(writer: &mut BodyWriter, place: &FileFrame, frame: Option<&Frame>) -> Result<(), Disconnected> {
    if let Some(frame) = frame {
        writer.write(&place.header())?;
        return writer.splice(&frame.image.read_via_stream(), place.length);
    }
    writer.write(&place.gap_header())?;
    let mut left = usize::try_from(place.length).unwrap_or(usize::MAX);
    while left > 0 {
        let zeros = ZEROS.get(..left).unwrap_or(&ZEROS);
        writer.write(zeros)?;
        left -= zeros.len();
    }
    Ok(())
}
