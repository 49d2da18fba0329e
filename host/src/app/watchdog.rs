//! Notifies the watchdog of systemd as long as the server works.
//!
//! A timer would only prove that a timer runs. So the server connects to itself: the connection is accepted, served by
//! hyper, and answered like that of any client. A task on the runtime of the streams must have run as well. If one of
//! them hangs, the notifications stop, and systemd restarts the server.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::http::listen::SelfConnector;
use crate::process::service_manager::feed_watchdog;

/// A request that the host answers without a guest, camera or permission, and that is in no log.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What every response begins with.
const RESPONSE: &[u8] = b"HTTP/1.1 ";

/// How many notifications to send in the time after which systemd restarts the server, as sd_watchdog_enabled(3)
/// recommends.
const FEEDS_PER_TIMEOUT: u32 = 2;

/// Feeds the watchdog as long as the server serves, until the future is dropped. Must run on the runtime of requests;
/// `streams` is the other.
pub(super) async fn feed_while_serving(connector: &SelfConnector, streams: &Handle, restart_after: Duration) {
    let mut interval = interval(restart_after / FEEDS_PER_TIMEOUT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match timeout(restart_after, check(connector, streams)).await {
            Ok(Ok(())) => feed_watchdog(),
            // Not the fault of what is checked: too few files are left, for example.
            Ok(Err(error)) => warn!("the server cannot connect to itself, systemd may restart it: {error}"),
            Err(_) => warn!("the server does not answer itself, systemd may restart it"),
        }
    }
}

/// Waits until the server has answered a request, and the runtime of the streams has run a task.
async fn check(connector: &SelfConnector, streams: &Handle) -> io::Result<()> {
    streams.spawn(async {}).await?;
    let mut connection = connector.connect().await?;
    connection.write_all(REQUEST).await?;
    // Any response will do: if the limit on connections is reached, the server says so.
    let mut response = [0; RESPONSE.len()];
    connection.read_exact(&mut response).await?;
    if response != RESPONSE {
        return Err(io::Error::other("it does not answer with HTTP"));
    }
    debug!("the server answers itself");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::listen::{Binder, SocketAccess};

    #[tokio::test]
    async fn a_server_that_accepts_no_connections_does_not_pass_the_check() {
        let mut listeners = Binder::default().bind(&[], "--listen", SocketAccess::Owner).unwrap();
        let connector = listeners.self_connector();
        let streams = Handle::current();
        let check = check(&connector, &streams);
        assert!(timeout(Duration::from_millis(50), check).await.is_err());
    }
}
