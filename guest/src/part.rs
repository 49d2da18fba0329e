//! The bytes of a multipart stream of JPEG images, as all known clients take them.
//!
//! ```text
//! Content-Type: multipart/x-mixed-replace; boundary=frame
//!
//! --frame CRLF
//! Content-Type: image/jpeg CRLF Content-Length: N CRLF X-Timestamp: S.UUUUUU CRLF CRLF
//! the image's N bytes
//! CRLF --frame CRLF
//! … and so on, from Content-Type
//! --frame-- CRLF
//! ```
//!
//! The boundary stands behind each image, and is sent with it: browsers show a part when they see its end.
//! The stream ends with the closing delimiter in place of the next part (RFC 2046, section 5.1.1), which lets
//! browsers free the connection. Many clients need the length; X-Timestamp is the time of capture in seconds since 1970.
//!
//! A client can ask for one of two other framings, by the names that ustreamer gave them. The paths that clients know
//! from mjpg-streamer and ustreamer have those servers' boundary, `boundarydonotcross`, which some relays look for
//! whatever the head says (mjpg-streamer, `httpd.h`; ustreamer, `http/server.c`). A fourth framing is for streams of several
//! cameras: each part has headers that tell which camera it is of, and which picture it is.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use crate::bindings::hotshoe::camera::frames::{Datetime, Dimensions};
use crate::query::Query;

/// What separates the parts of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boundary {
    /// `frame`, this server's own.
    Frame,
    /// `boundarydonotcross`, that of mjpg-streamer and ustreamer.
    DoNotCross,
}

/// The content type of a stream of several cameras (RFC 2046, section 5.1.3). Its parts do not replace each other; and
/// WebKit lets no script read a response of the type above.
pub const CONTENT_TYPE_OF_SEVERAL: &str = "multipart/mixed; boundary=frame";

impl Boundary {
    /// The response's content type, as the servers that are known for the boundary write it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Frame => "multipart/x-mixed-replace; boundary=frame",
            Self::DoNotCross => "multipart/x-mixed-replace;boundary=boundarydonotcross",
        }
    }

    /// What a body begins with.
    fn opening(self) -> &'static str {
        match self {
            Self::Frame => "--frame\r\n",
            Self::DoNotCross => "--boundarydonotcross\r\n",
        }
    }

    /// What comes after each image.
    fn delimiter(self) -> &'static str {
        match self {
            Self::Frame => "\r\n--frame\r\n",
            Self::DoNotCross => "\r\n--boundarydonotcross\r\n",
        }
    }

    /// What a body ends with. It stands where the next part's headers would, on a line of its own, and begins no part:
    /// a browser would show an empty one as a broken image.
    fn closing(self) -> &'static str {
        match self {
            Self::Frame => "--frame--\r\n",
            Self::DoNotCross => "--boundarydonotcross--\r\n",
        }
    }
}

/// The bytes of a stream beside its images. There is a channel for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Format {
    /// What separates its parts.
    pub boundary: Boundary,
    /// What its parts consist of.
    pub framing: Framing,
}

/// What a part consists of beside its image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// As above.
    Standard,
    /// `extra_headers=1`: each part has headers that tell more about its image.
    Extra,
    /// `advance_headers=1`: each image is sent with the headers of the part that comes after it, because Chromium
    /// shows an image only when it has them. They can't have the next image's length.
    Advance,
    /// For a stream of several cameras: each part has X-Camera, the camera's name; X-Sequence, its frame's number; and
    /// X-Online, whether the camera gave it, else it is a picture that says why there is none.
    Labelled,
}

/// The clocks that tell when a part is sent. Each is looked at only for those framings that tell it.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// In nanoseconds, as in `frame.monotonic-time`.
    pub monotonic: fn() -> u64,
    /// Since 1970, in seconds and nanoseconds.
    pub wall: fn() -> (u64, u32),
}

/// What the headers of a part tell about its image.
#[derive(Clone, Copy, Debug)]
pub struct PartInfo {
    /// The number of the frame, or of the last one before a placeholder.
    pub sequence: u64,
    /// The time of capture, or the current time for a placeholder, in nanoseconds of the monotonic clock.
    pub monotonic_time: u64,
    /// The same time of the wall clock.
    pub wall_time: Datetime,
    /// The size of the image in pixels.
    pub dimensions: Dimensions,
    /// The length of the image in bytes.
    pub length: u64,
}

/// What the extra headers tell of a part beside its frame.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// Whether the camera gave it; else it is a picture that says why there is none.
    pub live: bool,
    /// How many frames were left out before it.
    pub skipped: u64,
    /// How many parts were sent in the last second.
    pub rate: u32,
}

impl Framing {
    /// The one that a query asks for.
    pub fn of(query: Query<'_>) -> Self {
        if query.is_set("advance_headers") {
            Self::Advance
        } else if query.is_set("extra_headers") {
            Self::Extra
        } else {
            Self::Standard
        }
    }
}

impl Format {
    /// All of them. The host has room for so many channels of each camera.
    pub const ALL: [Self; 7] = {
        const fn of(boundary: Boundary, framing: Framing) -> Format {
            Format { boundary, framing }
        }
        [
            of(Boundary::Frame, Framing::Standard),
            of(Boundary::Frame, Framing::Extra),
            of(Boundary::Frame, Framing::Advance),
            of(Boundary::Frame, Framing::Labelled),
            of(Boundary::DoNotCross, Framing::Standard),
            of(Boundary::DoNotCross, Framing::Extra),
            of(Boundary::DoNotCross, Framing::Advance),
        ]
    };

    /// The name of the channel with the stream of this camera in this format.
    pub fn channel(self, camera: &str) -> String {
        format!("{camera}{}", self.suffix())
    }

    /// The camera and the format of the channel of this name.
    pub fn of_channel(name: &str) -> (&str, Self) {
        // Names of cameras have no `/`.
        let (camera, suffix) = name.split_at(name.find('/').unwrap_or(name.len()));
        let format = Self::ALL.into_iter().find(|format| format.suffix() == suffix);
        (camera, format.unwrap_or(Self { boundary: Boundary::Frame, framing: Framing::Standard }))
    }

    fn suffix(self) -> &'static str {
        match (self.boundary, self.framing) {
            (Boundary::Frame, Framing::Standard) => "",
            (Boundary::Frame, Framing::Extra) => "/extra",
            (Boundary::Frame, Framing::Advance) => "/advance",
            (Boundary::Frame, Framing::Labelled) => "/labelled",
            (Boundary::DoNotCross, Framing::Standard) => "/boundarydonotcross",
            (Boundary::DoNotCross, Framing::Extra) => "/boundarydonotcross/extra",
            (Boundary::DoNotCross, Framing::Advance) => "/boundarydonotcross/advance",
            (Boundary::DoNotCross, Framing::Labelled) => "/boundarydonotcross/labelled",
        }
    }

    /// What the body begins with.
    pub fn opening(self, clocks: Clocks) -> String {
        let opening = self.boundary.opening();
        match self.framing {
            Framing::Standard | Framing::Extra | Framing::Labelled => opening.into(),
            Framing::Advance => format!("{opening}{}", lengthless(clocks)),
        }
    }

    /// What the body ends with, after a whole part.
    pub fn closing(self) -> String {
        let closing = self.boundary.closing();
        match self.framing {
            Framing::Standard | Framing::Extra | Framing::Labelled => closing.into(),
            // The headers of the next part have been sent, so there is an empty part.
            Framing::Advance => format!("\r\n{closing}"),
        }
    }

    /// What stands before this image of a camera and after it. `more` is asked, with the time, for those framings that
    /// tell it.
    pub fn around(
        self,
        camera: &str,
        info: &PartInfo,
        more: impl FnOnce(u64) -> Extra,
        clocks: Clocks,
    ) -> (String, String) {
        let delimiter = self.boundary.delimiter();
        match self.framing {
            Framing::Standard => (head(info) + "\r\n", delimiter.into()),
            Framing::Extra => {
                let now = (clocks.monotonic)();
                (head(info) + &extra(info, more(now), now) + "\r\n", delimiter.into())
            }
            Framing::Advance => (String::new(), format!("{delimiter}{}", lengthless(clocks))),
            Framing::Labelled => {
                let Extra { live, .. } = more((clocks.monotonic)());
                let sequence = info.sequence;
                let label = format!("X-Camera: {camera}\r\nX-Sequence: {sequence}\r\nX-Online: {live}\r\n\r\n");
                (head(info) + &label, delimiter.into())
            }
        }
    }
}

/// The headers of a part, without the empty line that ends them.
fn head(info: &PartInfo) -> String {
    let time = timestamp(info.wall_time.seconds, info.wall_time.nanoseconds);
    format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {time}\r\n", info.length)
}

/// The headers of ustreamer's, whose times are of the monotonic clock. An image has two here: that of its capture, and
/// that at which it is sent to all; they stand under the names of the steps that they lie between.
fn extra(info: &PartInfo, more: Extra, now: u64) -> String {
    const CAPTURED: [&str; 4] = ["Grab-Begin", "Grab-End", "Encode-Begin", "Encode-End"];
    const SENT: [&str; 4] = ["Expose-Begin", "Expose-Cmp", "Expose-End", "Send"];
    let seconds = |nanoseconds: u64| timestamp(nanoseconds / 1_000_000_000, (nanoseconds % 1_000_000_000) as u32);
    let Extra { live, skipped, rate } = more;
    let mut headers = format!(
        "X-UStreamer-Online: {live}\r\nX-UStreamer-Dropped: {skipped}\r\nX-UStreamer-Width: {}\r\n\
         X-UStreamer-Height: {}\r\nX-UStreamer-Client-FPS: {rate}\r\n",
        info.dimensions.width, info.dimensions.height,
    );
    for (steps, time) in [(CAPTURED, info.monotonic_time), (SENT, now)] {
        let time = seconds(time);
        for step in steps {
            // Writing to a String can't fail.
            let _ = write!(headers, "X-UStreamer-{step}-Time: {time}\r\n");
        }
    }
    let latency = seconds(now.saturating_sub(info.monotonic_time));
    headers + "X-UStreamer-Latency: " + &latency + "\r\n"
}

/// The headers of a part whose image is not there yet: their time is that of their sending.
fn lengthless(clocks: Clocks) -> String {
    let (seconds, nanoseconds) = (clocks.wall)();
    format!("Content-Type: image/jpeg\r\nX-Timestamp: {}\r\n\r\n", timestamp(seconds, nanoseconds))
}

/// A time in seconds, with microseconds.
pub fn timestamp(seconds: u64, nanoseconds: u32) -> String {
    format!("{seconds}.{:06}", nanoseconds / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: PartInfo = PartInfo {
        sequence: 7,
        monotonic_time: 5_000_000_000,
        wall_time: Datetime { seconds: 1_700_000_000, nanoseconds: 4_005_999 },
        dimensions: Dimensions { width: 640, height: 480 },
        length: 12345,
    };
    const CLOCKS: Clocks = Clocks { monotonic: || 5_001_500_000, wall: || (1_700_000_000, 5_506_000) };

    fn more(_: u64) -> Extra {
        Extra { live: true, skipped: 2, rate: 30 }
    }

    fn format(framing: Framing) -> Format {
        Format { boundary: Boundary::Frame, framing }
    }

    #[test]
    fn a_part_is_byte_for_byte_as_agreed() {
        let (head, tail) = format(Framing::Standard).around("front", &INFO, more, CLOCKS);
        assert_eq!(head, "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\r\n");
        assert_eq!(tail, "\r\n--frame\r\n");
        assert_eq!(format(Framing::Standard).opening(CLOCKS), "--frame\r\n");
    }

    #[test]
    fn extra_headers_are_those_of_ustreamer() {
        let (head, tail) = format(Framing::Extra).around("front", &INFO, more, CLOCKS);
        assert_eq!(
            head,
            "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\
             X-UStreamer-Online: true\r\nX-UStreamer-Dropped: 2\r\nX-UStreamer-Width: 640\r\nX-UStreamer-Height: 480\r\n\
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
    fn labelled_parts_tell_their_camera_and_which_picture_they_are() {
        let (head, tail) = format(Framing::Labelled).around("front", &INFO, more, CLOCKS);
        assert_eq!(
            head,
            "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\
             X-Camera: front\r\nX-Sequence: 7\r\nX-Online: true\r\n\r\n"
        );
        assert_eq!(tail, "\r\n--frame\r\n");
    }

    #[test]
    fn advanced_headers_come_with_the_image_before() {
        let headers = "Content-Type: image/jpeg\r\nX-Timestamp: 1700000000.005506\r\n\r\n";
        let (head, tail) = format(Framing::Advance).around("front", &INFO, more, CLOCKS);
        assert_eq!((head.as_str(), tail), ("", format!("\r\n--frame\r\n{headers}")));
        assert_eq!(format(Framing::Advance).opening(CLOCKS), format!("--frame\r\n{headers}"));
    }

    #[test]
    fn the_boundary_is_the_one_announced() {
        for each in Format::ALL {
            let boundary = each.boundary.content_type().split_once("boundary=").unwrap().1;
            assert!(each.opening(CLOCKS).starts_with(&format!("--{boundary}\r\n")));
            assert!(each.around("front", &INFO, more, CLOCKS).1.starts_with(&format!("\r\n--{boundary}\r\n")));
            assert!(each.closing().ends_with(&format!("--{boundary}--\r\n")));
        }
    }

    #[test]
    fn a_channel_tells_its_camera_and_format() {
        for each in Format::ALL {
            let channel = each.channel("front");
            assert!(channel.len() <= 64 - 32 + "front".len(), "{channel}: cameras have names of up to 32 characters");
            assert_eq!(Format::of_channel(&channel), ("front", each));
        }
    }

    #[test]
    fn a_query_asks_for_a_framing() {
        assert_eq!(Framing::of(Query("")), Framing::Standard);
        assert_eq!(Framing::of(Query("extra_headers=1")), Framing::Extra);
        assert_eq!(Framing::of(Query("advance_headers=true&extra_headers=1")), Framing::Advance);
    }
}
