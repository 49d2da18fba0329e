//! Accepts connections, and closes them at shutdown.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, warn};

use super::connection_task::{ConnectionTask, HalfClose, HttpService, refuse_with};
use super::limits::{Connections, LimitReached};
use super::listen::Listeners;
use super::stream::Connection;

/// How a connection with TLS is refused at a limit, since a handshake would cost far more than the refusal may: a fatal
/// alert, `internal_error` (RFC 8446, section 6), in a record that is not encrypted.
const TLS_REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// How long to wait after the system failed to accept a connection. It has run out of file descriptors, and retrying at
/// once would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the shutdown waits for the next connection to close. Streams end by themselves within milliseconds, and a
/// shutdown with a client that does not read should take less than half a second.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(400);

/// How long connections may continue after the shutdown has started, however many close meanwhile. A busy machine ends a
/// thousand streams in less.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);

/// Serves until `shutdown` completes, then closes all connections and returns.
///
/// Each connection is a task that ends when this future is dropped. `connections` limits them, and may be shared with
/// other listeners.
pub async fn serve(
    listeners: Listeners,
    service: impl HttpService,
    connections: Arc<Connections>,
    half_close: HalfClose,
    shutdown: impl Future<Output = ()>,
) {
    let mut tasks = JoinSet::new();
    let (is_shutting_down, _) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listeners.accept() => match accepted {
                Ok((connection, peer)) => match connections.admit(&connection, peer).await {
                    Ok(open) => {
                        let id = open.id();
                        let (service, shutdown) = (service.clone(), is_shutting_down.subscribe());
                        let task = ConnectionTask { peer, open, service, half_close, shutdown };
                        connections.set_task(id, tasks.spawn(task.run(connection)));
                    }
                    Err(error) => {
                        warn!("{peer}: 503, {error}");
                        refuse(&connection, error);
                    }
                },
                Err(error) if is_client_error(&error) => debug!("a client left before it was accepted: {error}"),
                Err(error) => {
                    warn!("cannot accept a connection: {error}; check the limit on open files (`ulimit -n`)");
                    connections.close_longest_idle();
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // Frees the tasks of closed connections.
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listeners);
    is_shutting_down.send_replace(true);
    let end = Instant::now() + SHUTDOWN_LIMIT;
    while let Ok(Some(_)) = timeout_at(end.min(Instant::now() + SHUTDOWN_GRACE), tasks.join_next()).await {}
    tasks.shutdown().await;
}

/// Returns whether accepting failed because the client was gone already (accept(2)).
fn is_client_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Tells a client that its connection exceeds a limit. The caller closes it.
fn refuse(connection: &Connection, error: LimitReached) {
    if connection.is_encrypted() {
        connection.socket().refuse(&TLS_REFUSAL);
        return;
    }
    refuse_with(connection, "503 Service Unavailable", "Retry-After: 1\r\n", &error.to_string());
}
