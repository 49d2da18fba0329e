//! Closing a connection without losing its last response.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

/// How long a client may take to finish its request and to close the connection. Enough for a component that is too
/// large, also on a slow machine. The connection counts against the limits until then, unless it must make room for
/// others.
const LINGER_TIME: Duration = Duration::from_secs(10);

/// How many bytes are discarded at a time.
const BUFFER_SIZE: usize = 8 * 1024;

/// Discards what the client still sends, until it closes the connection or [`LINGER_TIME`] has passed. The first poll
/// discards what has arrived.
///
/// The response must have been sent and the sending side shut down. The client may not have sent all of its request yet,
/// for example because the response refuses an upload. If the server closes a socket that has unread bytes, or that
/// receives more, the kernel resets the connection, and the client may lose the response (RFC 9112, section 9.6).
pub(super) async fn linger(mut poll_read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>) {
    let mut bytes = vec![0; BUFFER_SIZE];
    let discard = async {
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let result = poll_fn(|context| poll_read(context, &mut buffer)).await;
            if result.is_err() || buffer.filled().is_empty() {
                return;
            }
            consume_budget().await;
        }
    };
    // The client has had its time.
    let _ = timeout(LINGER_TIME, discard).await;
}
