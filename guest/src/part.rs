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
//! ```
//!
//! The boundary stands behind each image, and is sent with it: browsers show a part when they see its end.
//! Many clients need the length; X-Timestamp is the time of capture in seconds since 1970, as mjpg-streamer
//! and ustreamer send it.

use alloc::format;
use alloc::string::String;

/// The response's content type.
pub const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";

/// What the body begins with.
pub const OPENING: &[u8] = b"--frame\r\n";

/// What comes after each image.
pub const TAIL: &[u8] = b"\r\n--frame\r\n";

/// What comes before an image of `length` bytes, captured at this time since 1970.
pub fn head(length: u64, seconds: u64, nanoseconds: u32) -> String {
    format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {}\r\n\r\n",
        timestamp(seconds, nanoseconds)
    )
}

/// A time since 1970 in seconds, with microseconds.
pub fn timestamp(seconds: u64, nanoseconds: u32) -> String {
    format!("{seconds}.{:06}", nanoseconds / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_byte_for_byte_as_agreed() {
        assert_eq!(
            head(12345, 1_700_000_000, 4_005_999),
            "Content-Type: image/jpeg\r\nContent-Length: 12345\r\nX-Timestamp: 1700000000.004005\r\n\r\n"
        );
    }

    #[test]
    fn the_boundary_is_the_one_announced() {
        let boundary = CONTENT_TYPE.split_once("boundary=").unwrap().1;
        assert_eq!(OPENING, format!("--{boundary}\r\n").as_bytes());
        assert_eq!(TAIL, format!("\r\n--{boundary}\r\n").as_bytes());
    }
}
