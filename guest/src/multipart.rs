//! The bytes of a multipart stream of JPEG images, in the form that all known clients accept.
//!
//! ```text
//! Content-Type: multipart/x-mixed-replace; boundary=frame
//!
//! --frame CRLF
//! Content-Type: image/jpeg CRLF Content-Length: N CRLF X-Timestamp: S.UUUUUU CRLF X-Sequence: N CRLF CRLF
//! the N bytes of the image
//! CRLF --frame CRLF
//! … and so on, from Content-Type
//! --frame-- CRLF
//! ```
//!
//! Each image is followed at once by the boundary, because browsers show a part when they see its end. The stream ends
//! with a closing delimiter in place of the next part (RFC 2046, section 5.1.1), so that browsers release the
//! connection. Many clients need Content-Length. X-Timestamp is the time of capture in seconds since 1970, X-Sequence
//! the number of the frame. A placeholder has the number of the last frame, and X-Outage with the reason
//! ([`header_value`](crate::outage::header_value)). Hosts that have this host as their camera read these headers.
//!
//! Clients can request two other layouts with the query parameters of ustreamer. The paths known from mjpg-streamer and
//! ustreamer use the boundary of those servers, `boundarydonotcross`, because some relays expect it whatever the
//! content type says (mjpg-streamer, `httpd.h`; ustreamer, `http/server.c`). A fourth layout is for streams of several
//! cameras: the headers of each part name the camera and the frame.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::bindings::hotshoe::camera::frames::{Datetime, ImageInfo};
use crate::bindings::hotshoe::server::channels::HeadPiece;
use crate::query::Query;

/// The boundary between the parts of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boundary {
    /// `frame`.
    Frame,
    /// `boundarydonotcross`, the boundary of mjpg-streamer and ustreamer.
    DoNotCross,
}

/// The content type of a stream of several cameras (RFC 2046, section 5.1.3). Not `x-mixed-replace`: its parts do not
/// replace one another, and WebKit does not let scripts read that type.
pub const MULTI_CAMERA_CONTENT_TYPE: &str = "multipart/mixed; boundary=frame";

impl Boundary {
    /// Returns the content type of the response, spelled as by the servers that use the boundary.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Frame => "multipart/x-mixed-replace; boundary=frame",
            Self::DoNotCross => "multipart/x-mixed-replace;boundary=boundarydonotcross",
        }
    }

    /// Returns the start of a body.
    fn opening(self) -> &'static str {
        match self {
            Self::Frame => "--frame\r\n",
            Self::DoNotCross => "--boundarydonotcross\r\n",
        }
    }

    /// Returns what follows each image.
    fn delimiter(self) -> &'static str {
        match self {
            Self::Frame => "\r\n--frame\r\n",
            Self::DoNotCross => "\r\n--boundarydonotcross\r\n",
        }
    }

    /// Returns the end of a body. It follows a delimiter, on a line of its own, and does not start a part: a browser
    /// would show an empty part as a broken image.
    fn closing(self) -> &'static str {
        match self {
            Self::Frame => "--frame--\r\n",
            Self::DoNotCross => "--boundarydonotcross--\r\n",
        }
    }
}

/// The format of a stream. Every camera has one channel for each format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Format {
    /// The boundary between parts.
    pub boundary: Boundary,
    /// The layout of the parts.
    pub layout: PartLayout,
}

/// What a part contains besides its image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PartLayout {
    /// Content-Type, Content-Length, X-Timestamp, X-Sequence and, for placeholders, X-Outage.
    Standard,
    /// `extra_headers=1`: additional headers describe the image and the stream.
    ExtraHeaders,
    /// `advance_headers=1`: each image is sent together with the headers of the following part, because Chromium shows
    /// an image only then. They cannot contain the length of the next image.
    AdvanceHeaders,
    /// For streams of several cameras. X-Camera is the name of the camera, and X-Online whether the image is a frame
    /// rather than a placeholder.
    Labelled,
}

/// The clocks. A layout reads only those that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Returns the monotonic time in nanoseconds.
    pub monotonic: fn() -> u64,
    /// Returns the time of day.
    pub wall: fn() -> Datetime,
}

/// A description of the image in a part.
#[derive(Clone, Debug)]
pub struct PartInfo {
    /// The sequence number of the frame, or of the last frame before a placeholder.
    pub sequence: u64,
    /// The time of capture, or the current time for a placeholder, in nanoseconds of the monotonic clock.
    pub monotonic_time: u64,
    /// The same time of the wall clock.
    pub wall_time: Datetime,
    /// The image.
    pub image: ImageInfo,
    /// The value of X-Outage, if the image is a placeholder.
    pub outage: Option<String>,
}

/// The state of the stream when a part is pushed.
#[derive(Clone, Copy, Debug)]
pub struct StreamStatus {
    /// Whether the image is a frame rather than a placeholder.
    pub is_live: bool,
    /// The number of frames skipped before this one.
    pub skipped: u64,
    /// The number of parts pushed in the last second.
    pub rate: u32,
}

impl PartLayout {
    /// Returns the layout that a query requests.
    pub fn of_query(query: Query<'_>) -> Self {
        if query.is_set("advance_headers") {
            Self::AdvanceHeaders
        } else if query.is_set("extra_headers") {
            Self::ExtraHeaders
        } else {
            Self::Standard
        }
    }
}

impl Format {
    /// All formats in use. The host allows a channel for each format of each camera.
    pub const ALL: [Self; 7] = {
        const fn format(boundary: Boundary, layout: PartLayout) -> Format {
            Format { boundary, layout }
        }
        [
            format(Boundary::Frame, PartLayout::Standard),
            format(Boundary::Frame, PartLayout::ExtraHeaders),
            format(Boundary::Frame, PartLayout::AdvanceHeaders),
            format(Boundary::Frame, PartLayout::Labelled),
            format(Boundary::DoNotCross, PartLayout::Standard),
            format(Boundary::DoNotCross, PartLayout::ExtraHeaders),
            format(Boundary::DoNotCross, PartLayout::AdvanceHeaders),
        ]
    };

    /// Returns the name of the channel of a camera in this format.
    pub fn channel(self, camera: &str) -> String {
        format!("{camera}{}", self.suffix())
    }

    /// Returns the camera and the format of a channel.
    pub fn of_channel(name: &str) -> (&str, Self) {
        // Names of cameras contain no `/`.
        let (camera, suffix) = name.split_at(name.find('/').unwrap_or(name.len()));
        let format = Self::ALL.into_iter().find(|format| format.suffix() == suffix);
        (camera, format.unwrap_or(Self { boundary: Boundary::Frame, layout: PartLayout::Standard }))
    }

    fn suffix(self) -> &'static str {
        match (self.boundary, self.layout) {
            (Boundary::Frame, PartLayout::Standard) => "",
            (Boundary::Frame, PartLayout::ExtraHeaders) => "/extra",
            (Boundary::Frame, PartLayout::AdvanceHeaders) => "/advance",
            (Boundary::Frame, PartLayout::Labelled) => "/labelled",
            (Boundary::DoNotCross, PartLayout::Standard) => "/boundarydonotcross",
            (Boundary::DoNotCross, PartLayout::ExtraHeaders) => "/boundarydonotcross/extra",
            (Boundary::DoNotCross, PartLayout::AdvanceHeaders) => "/boundarydonotcross/advance",
            (Boundary::DoNotCross, PartLayout::Labelled) => "/boundarydonotcross/labelled",
        }
    }

    /// Returns the start of the body.
    pub fn opening(self, clocks: Clocks) -> String {
        let opening = self.boundary.opening();
        match self.layout {
            PartLayout::Standard | PartLayout::ExtraHeaders | PartLayout::Labelled => opening.into(),
            PartLayout::AdvanceHeaders => format!("{opening}{}", headers_without_length(clocks)),
        }
    }

    /// Returns the end of the body, which follows a complete part.
    pub fn closing(self) -> String {
        let closing = self.boundary.closing();
        match self.layout {
            PartLayout::Standard | PartLayout::ExtraHeaders | PartLayout::Labelled => closing.into(),
            // The headers of the next part were already sent, so there is an empty part.
            PartLayout::AdvanceHeaders => format!("\r\n{closing}"),
        }
    }

    /// Returns what precedes and what follows the image of every frame, in the form in which the host fills it in. Returns
    /// `None` if the layout needs more than the frame. The result of [`around`](Self::around) for a frame is the same.
    pub fn around_frames(self, camera: &str) -> Option<(Vec<HeadPiece>, &'static str)> {
        let end = match self.layout {
            PartLayout::Standard => "\r\n".into(),
            PartLayout::Labelled => label(camera, true),
            PartLayout::ExtraHeaders | PartLayout::AdvanceHeaders => return None,
        };
        let text = |text: &str| HeadPiece::Bytes(text.into());
        let head = [
            text("Content-Type: image/jpeg\r\nContent-Length: "),
            HeadPiece::Length,
            text("\r\nX-Timestamp: "),
            HeadPiece::WallTime,
            text("\r\nX-Sequence: "),
            HeadPiece::Sequence,
            text("\r\n"),
            text(&end),
        ];
        Some((head.into(), self.boundary.delimiter()))
    }

    /// Returns what precedes and what follows an image in its part. Calls `status` with the monotonic time only if the
    /// layout needs it.
    pub fn around(
        self,
        camera: &str,
        info: &PartInfo,
        status: impl FnOnce(u64) -> StreamStatus,
        clocks: Clocks,
    ) -> (String, String) {
        let delimiter = self.boundary.delimiter();
        match self.layout {
            PartLayout::Standard => (headers(info) + "\r\n", delimiter.into()),
            PartLayout::ExtraHeaders => {
                let now = (clocks.monotonic)();
                (headers(info) + &extra_headers(info, status(now), now) + "\r\n", delimiter.into())
            }
            PartLayout::AdvanceHeaders => (String::new(), format!("{delimiter}{}", headers_without_length(clocks))),
            PartLayout::Labelled => {
                let StreamStatus { is_live, .. } = status((clocks.monotonic)());
                (headers(info) + &label(camera, is_live), delimiter.into())
            }
        }
    }
}

/// Returns the additional headers of [`PartLayout::Labelled`], with the empty line at their end.
fn label(camera: &str, is_live: bool) -> String {
    format!("X-Camera: {camera}\r\nX-Online: {is_live}\r\n\r\n")
}

/// Returns the headers of a part, without the empty line at their end.
fn headers(info: &PartInfo) -> String {
    let PartInfo { sequence, wall_time, image, outage, .. } = info;
    let time = timestamp(wall_time.seconds, wall_time.nanoseconds);
    let length = image.length;
    let mut headers = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {time}\r\nX-Sequence: {sequence}\r\n"
    );
    if let Some(outage) = outage {
        headers = headers + "X-Outage: " + outage + "\r\n";
    }
    headers
}

/// Returns the extra headers of ustreamer, with times of the monotonic clock. ustreamer reports the time of every step
/// of its pipeline. Here an image has two times, when it was captured and when it was pushed, and each step reports the
/// one that it belongs to.
fn extra_headers(info: &PartInfo, status: StreamStatus, now: u64) -> String {
    const CAPTURED: [&str; 4] = ["Grab-Begin", "Grab-End", "Encode-Begin", "Encode-End"];
    const PUSHED: [&str; 4] = ["Expose-Begin", "Expose-Cmp", "Expose-End", "Send"];
    let seconds = |nanoseconds: u64| timestamp(nanoseconds / 1_000_000_000, (nanoseconds % 1_000_000_000) as u32);
    let StreamStatus { is_live, skipped, rate } = status;
    let mut headers = format!(
        "X-UStreamer-Online: {is_live}\r\nX-UStreamer-Dropped: {skipped}\r\nX-UStreamer-Width: {}\r\n\
         X-UStreamer-Height: {}\r\nX-UStreamer-Client-FPS: {rate}\r\n",
        info.image.dimensions.width, info.image.dimensions.height,
    );
    for (steps, time) in [(CAPTURED, info.monotonic_time), (PUSHED, now)] {
        let time = seconds(time);
        for step in steps {
            // Writing to a `String` cannot fail.
            let _ = write!(headers, "X-UStreamer-{step}-Time: {time}\r\n");
        }
    }
    let latency = seconds(now.saturating_sub(info.monotonic_time));
    headers + "X-UStreamer-Latency: " + &latency + "\r\n"
}

/// Returns the headers of a part whose image does not exist yet, with the current time.
fn headers_without_length(clocks: Clocks) -> String {
    let Datetime { seconds, nanoseconds } = (clocks.wall)();
    format!("Content-Type: image/jpeg\r\nX-Timestamp: {}\r\n\r\n", timestamp(seconds, nanoseconds))
}

/// Formats a time in seconds with microseconds.
pub fn timestamp(seconds: u64, nanoseconds: u32) -> String {
    format!("{seconds}.{:06}", nanoseconds / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::hotshoe::camera::frames::{Dimensions, Encoding};

    const INFO: PartInfo = PartInfo {
        sequence: 7,
        monotonic_time: 5_000_000_000,
        wall_time: Datetime { seconds: 1_700_000_000, nanoseconds: 4_005_999 },
        image: ImageInfo {
            encoding: Encoding::Jpeg,
            dimensions: Dimensions { width: 640, height: 480 },
            length: 12345,
        },
        outage: None,
    };
    const CLOCKS: Clocks =
        Clocks { monotonic: || 5_001_500_000, wall: || Datetime { seconds: 1_700_000_000, nanoseconds: 5_506_000 } };

    fn status(_: u64) -> StreamStatus {
        StreamStatus { is_live: true, skipped: 2, rate: 30 }
    }

    fn format(layout: PartLayout) -> Format {
        Format { boundary: Boundary::Frame, layout }
    }

    #[test]
    fn standard_parts_have_exactly_these_bytes() {
        let (head, tail) = format(PartLayout::Standard).around("front", &INFO, status, CLOCKS);
        let headers = "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\
             X-Sequence: 7\r\n";
        assert_eq!(head, format!("{headers}\r\n"));
        assert_eq!(tail, "\r\n--frame\r\n");
        assert_eq!(format(PartLayout::Standard).opening(CLOCKS), "--frame\r\n");
        let placeholder = PartInfo { outage: Some("busy in use".into()), ..INFO };
        let (head, _) = format(PartLayout::Standard).around("front", &placeholder, status, CLOCKS);
        assert_eq!(head, format!("{headers}X-Outage: busy in use\r\n\r\n"));
    }

    #[test]
    fn extra_headers_match_ustreamer() {
        let (head, tail) = format(PartLayout::ExtraHeaders).around("front", &INFO, status, CLOCKS);
        assert_eq!(
            head,
            "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\
             X-Sequence: 7\r\nX-UStreamer-Online: true\r\nX-UStreamer-Dropped: 2\r\nX-UStreamer-Width: 640\r\nX-UStreamer-Height: 480\r\n\
             X-UStreamer-Client-FPS: 30\r\n\
             X-UStreamer-Grab-Begin-Time: 5.000000\r\nX-UStreamer-Grab-End-Time: 5.000000\r\n\
             X-UStreamer-Encode-Begin-Time: 5.000000\r\nX-UStreamer-Encode-End-Time: 5.000000\r\n\
             X-UStreamer-Expose-Begin-Time: 5.001500\r\nX-UStreamer-Expose-Cmp-Time: 5.001500\r\n\
             X-UStreamer-Expose-End-Time: 5.001500\r\nX-UStreamer-Send-Time: 5.001500\r\n\
             X-UStreamer-Latency: 0.001500\r\n\r\n"
        );
        assert_eq!(tail, "\r\n--frame\r\n");
    }

    #[test]
    fn labelled_parts_name_their_camera_and_frame() {
        let (head, tail) = format(PartLayout::Labelled).around("front", &INFO, status, CLOCKS);
        assert_eq!(
            head,
            "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\
             X-Sequence: 7\r\nX-Camera: front\r\nX-Online: true\r\n\r\n"
        );
        assert_eq!(tail, "\r\n--frame\r\n");
    }

    #[test]
    fn advance_headers_precede_their_image_by_one_part() {
        let headers = "Content-Type: image/jpeg\r\nX-Timestamp: 1700000000.005506\r\n\r\n";
        let (head, tail) = format(PartLayout::AdvanceHeaders).around("front", &INFO, status, CLOCKS);
        assert_eq!((head.as_str(), tail), ("", format!("\r\n--frame\r\n{headers}")));
        assert_eq!(format(PartLayout::AdvanceHeaders).opening(CLOCKS), format!("--frame\r\n{headers}"));
    }

    #[test]
    fn the_host_makes_the_same_parts() {
        for each in Format::ALL {
            let Some((pieces, tail)) = each.around_frames("front") else { continue };
            let fill = |piece| match piece {
                HeadPiece::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                HeadPiece::Length => "12345".into(),
                HeadPiece::Sequence => "7".into(),
                HeadPiece::WallTime => "1700000000.004005".into(),
            };
            let head: String = pieces.into_iter().map(fill).collect();
            assert_eq!((head, tail.into()), each.around("front", &INFO, status, CLOCKS));
        }
    }

    #[test]
    fn boundaries_match_the_content_type() {
        for each in Format::ALL {
            let boundary = each.boundary.content_type().split_once("boundary=").unwrap().1;
            assert!(each.opening(CLOCKS).starts_with(&format!("--{boundary}\r\n")));
            assert!(each.around("front", &INFO, status, CLOCKS).1.starts_with(&format!("\r\n--{boundary}\r\n")));
            assert!(each.closing().ends_with(&format!("--{boundary}--\r\n")));
        }
    }

    #[test]
    fn camera_and_format_can_be_read_from_the_name_of_a_channel() {
        for each in Format::ALL {
            let channel = each.channel("front");
            assert!(channel.len() <= 64 - 32 + "front".len(), "{channel}: names of cameras have up to 32 characters");
            assert_eq!(Format::of_channel(&channel), ("front", each));
        }
    }

    #[test]
    fn queries_select_the_layout() {
        assert_eq!(PartLayout::of_query(Query("")), PartLayout::Standard);
        assert_eq!(PartLayout::of_query(Query("extra_headers=1")), PartLayout::ExtraHeaders);
        assert_eq!(PartLayout::of_query(Query("advance_headers=true&extra_headers=1")), PartLayout::AdvanceHeaders);
    }
}
