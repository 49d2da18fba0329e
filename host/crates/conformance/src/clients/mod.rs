//! Reimplemented parsers and scripts of clients, which succeed and fail like the originals.

use crate::http::Response;

pub(crate) mod go2rtc;
pub(crate) mod mainsail;
pub(crate) mod mission_planner;
pub(crate) mod multipart_stream;
pub(crate) mod sarxos;
pub(crate) mod scanner;

/// Reads this many images from a response, as the original client would show them. The error says why it stops.
pub(crate) type Parser = fn(Response, usize) -> Result<Vec<Vec<u8>>, String>;

/// Clients written in Python.
pub(crate) mod scripts {
    /// OpenCV opens the stream as a video.
    pub(crate) const OPENCV: &str = include_str!("opencv.py");
    /// OctoPrint downloads a snapshot.
    pub(crate) const OCTOPRINT: &str = concat!(include_str!("decode.py"), include_str!("octoprint.py"));
    /// A script reads the stream with `requests`.
    pub(crate) const REQUESTS: &str = include_str!("requests_stream.py");
    /// Home Assistant tests both URLs when a camera is set up.
    pub(crate) const SETUP: &str = include_str!("home_assistant_setup.py");
    /// Home Assistant extracts a still image from the stream.
    pub(crate) const STILL: &str = concat!(include_str!("decode.py"), include_str!("home_assistant_still.py"));
    /// Home Assistant proxies the stream.
    pub(crate) const PROXY: &str = include_str!("home_assistant_proxy.py");
}
