//! Reads `multipart/x-mixed-replace` and `multipart/mixed` bodies (RFC 2046, section 5.1) of JPEG images, in the
//! dialects that servers and cameras really send.
//!
//! - The boundary in `Content-Type` may be quoted, may include the leading dashes of the delimiter, or may be wrong or
//!   missing. Then the first line that starts with `--` is the delimiter.
//! - Lines end with CRLF or LF. Text may precede the first delimiter, or the first delimiter may be missing.
//! - A part may lack headers or `Content-Length`, and `Content-Length` may be wrong. The structure of the JPEG image
//!   and the next delimiter tell where the part ends. A part without `Content-Length` is complete as soon as its image
//!   is, because many servers send the delimiter only with the next image.
//!
//! * `delimiter` finds delimiters; `headers` parses the headers of a part; `parser` puts parts together;
//!   `limits` bounds them.

mod delimiter;
mod error;
mod examined;
mod headers;
mod limits;
mod parser;
#[cfg(test)]
mod tests;

pub use delimiter::declared_boundary;
pub use error::MultipartError;
pub use headers::PartHeaders;
pub use limits::MAX_PART_LENGTH;
pub use parser::{Parser, Part};
