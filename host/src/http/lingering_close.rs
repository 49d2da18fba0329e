//! Closing a connection without losing its last response.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// How long a client may take to finish its request and to close the connection. Enough for a few megabytes through a
/// slow link. The connection counts against the limits until then.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// How many bytes are discarded at a time.
const BUFFER_SIZE: usize = 8 * 1024;

/// Discards what the client still sends, until it closes the connection or [`LINGER_TIME`] has passed.
///
/// The response must have been sent and the sending side shut down. The client may not have sent all of its request yet,
/// for example because the response refuses an upload. If the socket were closed now, the kernel would reset the
/// connection when it finds more bytes, and the client could lose the response (RFC 9112, section 9.6).
pub(super) async fn linger(connection: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = BytesMut::with_capacity(BUFFER_SIZE);
    let discard = async {
        while let Ok(1..) = connection.read_buf(&mut buffer).await {
            buffer.clear();
        }
    };
    // The client had its time.
    let _ = timeout(LINGER_TIME, discard).await;
}
