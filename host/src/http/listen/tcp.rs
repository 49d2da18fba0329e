//! The addresses to serve at: TCP, and Unix sockets.

use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// How many connections may wait to be accepted: a page full of viewers that reload at once. The kernel
/// cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// How much of a response the kernel may hold that it has not begun to send. Without a bound it takes
/// megabytes, and a viewer on a slow link sees pictures that are seconds old; with it, what waits is about
/// one frame.
const UNSENT: u32 = 128 * 1024;

/// How long a connection may be idle before the kernel probes whether the client is still there (tcp(7),
/// `TCP_KEEPIDLE`). A client whose power was cut is noticed 30 seconds later, also where there is nothing to send to it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// How long the kernel waits between two probes (`TCP_KEEPINTVL`).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How many probes go unanswered before it gives the client up (`TCP_KEEPCNT`).
const KEEPALIVE_RETRIES: u32 = 3;

/// Who may use a Unix socket that is listened at, by the permissions of its file (unix(7)): who may write to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketAccess {
    /// Its owner alone.
    Owner,
    /// Its group as well: that of the process, or of the folder if that has the set-group-ID bit.
    Group,
}

impl SocketAccess {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
        }
    }
}

/// Why an address can't be served. Each has the address and the option that gives another.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else serves there.
    #[error("{0} is in use; end the program that serves there, or choose another with {1}")]
    InUse(String, &'static str),
    /// A port that only root may use, or a folder that is not ours.
    #[error("no permission to serve at {0}; choose another with {1} (a port of 1024 or more)")]
    Denied(String, &'static str),
    /// Not an address of this machine.
    #[error("{0} is not an address of this machine; choose one that is with {1}, or 0.0.0.0 for all")]
    NotHere(String, &'static str),
    /// There is a file that is no socket.
    #[error("{0} is there and is no socket; choose another path with {1}")]
    NoSocket(String, &'static str),
    /// Something else.
    #[error("cannot serve at {at}: {source}; choose another address with {option}")]
    Other {
        /// The address.
        at: String,
        /// The option that gives another.
        option: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl ListenError {
    pub(super) fn new(source: io::Error, at: String, option: &'static str) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(at, option),
            io::ErrorKind::PermissionDenied => Self::Denied(at, option),
            io::ErrorKind::AddrNotAvailable => Self::NotHere(at, option),
            io::ErrorKind::AlreadyExists => Self::NoSocket(at, option),
            _ => Self::Other { at, option, source },
        }
    }
}

/// Take a TCP address to serve at. Must be called inside a Tokio runtime.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    bind_with(address, |_| Ok(()))
}

/// Take a port of all addresses, of IPv6 and of IPv4. Must be called inside a Tokio runtime.
pub(super) fn bind_dual_stack(port: u16) -> io::Result<TcpListener> {
    // Whatever `net.ipv6.bindv6only` says.
    bind_with((Ipv6Addr::UNSPECIFIED, port).into(), |socket| socket.set_only_v6(false))
}

fn bind_with(address: SocketAddr, set: impl FnOnce(&Socket) -> io::Result<()>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    set(&socket)?;
    // A server that is started again must not wait for the connections of the one before to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Linux gives these options of a listening socket to the connections that it accepts. A part is one write; waiting for
    // more to put into a packet would only delay it (by up to 40 ms).
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    // Clients that read nothing are told from those that read slowly by `Progress`; the kernel's own timeout for that,
    // TCP_USER_TIMEOUT, ends both.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A Unix socket. Its file is removed when this is dropped.
pub struct UnixSocketListener {
    listener: UnixListener,
    path: PathBuf,
    /// The device and inode of its file, by which it is known again.
    identity: Option<(u64, u64)>,
}

impl UnixSocketListener {
    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(context).map_ok(|(stream, _)| stream)
    }
}

impl Drop for UnixSocketListener {
    fn drop(&mut self) {
        // There may be another server's by now.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Take a path to serve at, which was given by `option`. A socket there that nobody serves is replaced. Must be
/// called inside a Tokio runtime.
pub(super) fn listen_local(
    path: &Path,
    option: &'static str,
    access: SocketAccess,
) -> Result<UnixSocketListener, ListenError> {
    bind_local(path, access)
        .map(|listener| UnixSocketListener { listener, path: path.to_owned(), identity: identity(path) })
        .map_err(|source| ListenError::new(source, path.display().to_string(), option))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn bind_local(path: &Path, access: SocketAccess) -> io::Result<UnixListener> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if StdUnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Left behind by a server that was killed.
        fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before it listens, so that nobody else can have connected.
    fs::set_permissions(path, fs::Permissions::from_mode(access.mode()))?;
    socket.listen(BACKLOG)?;
    UnixListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

    use socket2::SockRef;

    use super::*;

    #[tokio::test]
    async fn connections_have_the_options_of_the_socket_that_accepts_them() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = TcpListener::accept(&listener).await.unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        drop(client);
    }
}
