//! The settings of hyper that decide what it writes and when.

use hyper::server::conn::http1::Builder;

/// The size of hyper's read buffer, and the size from which its write buffer is full, in bytes. The smallest that hyper
/// accepts. It limits the size of a request's head, and makes hyper write an image before it asks the body for more.
pub const BUFFER_SIZE: usize = 8 * 1024;

/// Returns a builder of connections. The caller sets timeouts.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    // Header names are case-insensitive, but some small clients compare them with `Content-Type`.
    builder.max_buf_size(BUFFER_SIZE).title_case_headers(true);
    builder
}
