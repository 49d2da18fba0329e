//! TCP listeners.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener as StdTcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

/// The accept queue, in connections: room for a page full of viewers that all reconnect at once. The kernel caps it at
/// `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 1024;

/// How many unsent bytes of a response the kernel buffers (`TCP_NOTSENT_LOWAT`), about one frame. Without this limit
/// the kernel buffers megabytes, and a viewer on a slow link sees frames that are seconds old.
const UNSENT_LIMIT: u32 = 128 * 1024;

/// How long a connection is idle before the kernel probes whether the client still exists (tcp(7), `TCP_KEEPIDLE`).
/// With [`KEEPALIVE_INTERVAL`] and [`KEEPALIVE_RETRIES`], the server detects a client that lost power within 30
/// seconds, even if it has nothing to send.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// The time between two keepalive probes (`TCP_KEEPINTVL`).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How many unanswered probes end a connection (`TCP_KEEPCNT`).
const KEEPALIVE_RETRIES: u32 = 3;

/// Listens at one address. Must be called within a Tokio runtime.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    bind_with(address, |_| Ok(()))
}

/// Listens at one port of all IPv6 and IPv4 addresses. Must be called within a Tokio runtime.
pub(super) fn bind_dual_stack(port: u16) -> io::Result<TcpListener> {
    // The default depends on `net.ipv6.bindv6only`.
    bind_with((Ipv6Addr::UNSPECIFIED, port).into(), |socket| socket.set_only_v6(false))
}

fn bind_with(address: SocketAddr, configure: impl FnOnce(&Socket) -> io::Result<()>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    configure(&socket)?;
    // Allows a restart while connections of the previous process are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    set_options(SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Adopts a listening socket that was opened by another process. Must be called within a Tokio runtime.
pub(super) fn adopt(listener: StdTcpListener) -> io::Result<TcpListener> {
    set_options(SockRef::from(&listener))?;
    TcpListener::from_std(listener)
}

/// Sets the options of a listening socket. On Linux, accepted connections inherit them.
fn set_options(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Each part is one write, so Nagle's algorithm would only delay it, by up to 40 ms.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_LIMIT)?;
    // `TCP_USER_TIMEOUT` is not set: it would also end connections of clients that read slowly. `StallDetector` ends
    // only those of clients that do not read.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_connections_inherit_the_options_of_the_listener() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = TcpListener::accept(&listener).await.unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_LIMIT);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        drop(client);
    }
}
