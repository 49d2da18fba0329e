//! Clients written again: they read a stream as the originals do, and fail where those fail.
//!
//! Each takes an answer and gives so many pictures as the original would show, or says where it gives up.

use crate::http::Response;

pub(crate) mod go2rtc;
pub(crate) mod mainsail;
pub(crate) mod mission_planner;
pub(crate) mod multipart_stream;
pub(crate) mod sarxos;
pub(crate) mod scanner;

/// A client: it reads so many pictures.
pub(crate) type Client = fn(Response, usize) -> Result<Vec<Vec<u8>>, String>;

/// Clients in Python, for which a machine may lack a module.
pub(crate) mod scripts {
    /// OpenCV opens the URL as a video.
    pub(crate) const OPENCV: &str = include_str!("opencv.py");
    /// OctoPrint's server fetches a snapshot.
    pub(crate) const OCTOPRINT: &str = concat!(include_str!("decode.py"), include_str!("octoprint.py"));
    /// The stream by `requests`.
    pub(crate) const REQUESTS: &str = include_str!("requests_stream.py");
    /// Home Assistant tries both URLs when a camera is set up.
    pub(crate) const SETUP: &str = include_str!("home_assistant_setup.py");
    /// Home Assistant takes a still picture out of the stream.
    pub(crate) const STILL: &str = concat!(include_str!("decode.py"), include_str!("home_assistant_still.py"));
    /// Home Assistant passes the stream on.
    pub(crate) const PROXY: &str = include_str!("home_assistant_proxy.py");
}
