//! Sockets that another process has opened for this one: systemd's socket activation (sd_listen_fds(3)).

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

use listenfd::ListenFd;
use socket2::SockRef;

/// The name of a socket without one (sd_listen_fds(3)).
const UNNAMED: &str = "unknown";

/// Sockets that another process has opened for this one.
#[derive(Debug, Default)]
pub struct InheritedSockets(Mutex<Vec<Inherited>>);

#[derive(Debug)]
struct Inherited {
    name: String,
    /// `None` if an address has taken it.
    socket: Option<InheritedSocket>,
}

/// A listening socket.
#[derive(Debug)]
pub(super) enum InheritedSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl InheritedSockets {
    /// Takes the sockets that the environment describes: `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`. Changes the
    /// environment, so it must be called before the program starts threads. Child processes do not inherit the sockets.
    ///
    /// # Errors
    ///
    /// Fails if a descriptor is not a listening TCP or Unix socket for streams.
    pub fn from_environment() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or(UNNAMED).to_owned();
            let socket = match passed.take_unix_listener(index) {
                Ok(socket) => socket.map(InheritedSocket::Unix),
                Err(_) => passed.take_tcp_listener(index)?.map(InheritedSocket::Tcp),
            };
            let is_listening = match &socket {
                Some(InheritedSocket::Tcp(socket)) => SockRef::from(socket).is_listener()?,
                Some(InheritedSocket::Unix(socket)) => SockRef::from(socket).is_listener()?,
                None => true,
            };
            if !is_listening {
                let text = format!("{name} does not listen; a socket unit of systemd needs Accept=no");
                return Err(io::Error::other(text));
            }
            sockets.push(Inherited { name, socket });
        }
        Ok(Self(Mutex::new(sockets)))
    }

    /// Takes the sockets with this name, or all that are left.
    pub(super) fn take(&self, name: Option<&str>) -> Vec<InheritedSocket> {
        let mut sockets = self.lock();
        let named = sockets.iter_mut().filter(|socket| name.is_none_or(|name| socket.name == name));
        named.filter_map(|socket| socket.socket.take()).collect()
    }

    /// Lists the names, for errors.
    pub(super) fn names(&self) -> String {
        let sockets = self.lock();
        if sockets.is_empty() {
            return "none at all".to_owned();
        }
        format!("it has passed {}", sockets.iter().map(|socket| socket.name.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// Returns the names of the sockets that no address has taken.
    pub fn unused(&self) -> Vec<String> {
        let sockets = self.lock();
        sockets.iter().filter(|socket| socket.socket.is_some()).map(|socket| socket.name.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Inherited>> {
        // No code that runs under the lock can leave the data inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
