//! Listening at addresses.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use tokio::net::TcpListener;

use super::address::ListenAddress;
use super::error::{BindError, ListenError};
use super::inherited::{InheritedSocket, InheritedSockets};
use super::listeners::{Listener, Listeners, Source};
use super::tcp::{adopt, bind, bind_dual_stack};
use super::unix::{SocketAccess, UnixSocketListener};
use crate::http::tls::TlsConfig;

/// How many ephemeral ports of 127.0.0.1 to try until one is also free on ::1.
const EPHEMERAL_PORT_ATTEMPTS: usize = 16;

/// Listens at addresses, with what all listeners of the program share. The default has neither a certificate nor
/// inherited sockets.
#[derive(Debug, Default)]
pub struct Binder {
    tls: Option<TlsConfig>,
    inherited: InheritedSockets,
}

impl Binder {
    /// Uses this certificate for addresses with TLS, and these sockets for those of systemd.
    pub fn new(tls: Option<TlsConfig>, inherited: InheritedSockets) -> Self {
        Self { tls, inherited }
    }

    /// Returns the names of the inherited sockets that no address has taken.
    pub fn unused(&self) -> Vec<String> {
        self.inherited.unused()
    }

    /// Listens at all these addresses. `option` is the command line option they came from, for errors; `access` applies
    /// to Unix sockets. Must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses one of the addresses, or something for it is missing.
    pub fn bind(
        &self,
        addresses: &[ListenAddress],
        option: &'static str,
        access: SocketAccess,
    ) -> Result<Listeners, ListenError> {
        let mut listeners = Vec::new();
        // `systemd` takes what no other address names.
        let is_last = |address: &&ListenAddress| *without_tls(address) == ListenAddress::Systemd(None);
        let (last, first): (Vec<_>, Vec<_>) = addresses.iter().partition(is_last);
        for address in first.into_iter().chain(last) {
            let (tls, plain) = match address {
                ListenAddress::Tls(plain) => {
                    let missing = || ListenError::NoCertificate { address: address.clone(), option };
                    (Some(self.tls.clone().ok_or_else(missing)?), &**plain)
                }
                plain => (None, plain),
            };
            let failed = |error| BindError::new(error, address_in_errors(plain), option);
            let sources = match plain {
                ListenAddress::Tcp(tcp) => vec![listen_tcp(*tcp).map_err(failed)?],
                ListenAddress::Localhost(port) => listen_localhost(*port).map_err(failed)?,
                ListenAddress::AllAddresses(port) => vec![listen_all_addresses(*port).map_err(failed)?],
                ListenAddress::Unix(path) => {
                    vec![Source::Unix(UnixSocketListener::bind(path, access).map_err(failed)?)]
                }
                ListenAddress::Systemd(name) => {
                    let sockets = self.inherited.take(name.as_deref());
                    if sockets.is_empty() {
                        let (address, found) = (address.clone(), self.inherited.names());
                        return Err(ListenError::NotInherited { address, option, found });
                    }
                    sockets.into_iter().map(adopt_socket).collect::<Result<_, _>>().map_err(failed)?
                }
                // An address has TLS once at most.
                ListenAddress::Tls(_) => Vec::new(),
            };
            listeners.extend(sources.into_iter().map(|source| Listener::new(source, tls.clone())));
        }
        Ok(Listeners::new(listeners))
    }
}

fn without_tls(address: &ListenAddress) -> &ListenAddress {
    match address {
        ListenAddress::Tls(plain) => plain,
        plain => plain,
    }
}

fn address_in_errors(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Unix(path) => path.display().to_string(),
        address => address.to_string(),
    }
}

fn adopt_socket(socket: InheritedSocket) -> io::Result<Source> {
    match socket {
        InheritedSocket::Tcp(listener) => with_address(adopt(listener)?),
        InheritedSocket::Unix(listener) => UnixSocketListener::adopt(listener).map(Source::Unix),
    }
}

fn listen_tcp(address: SocketAddr) -> io::Result<Source> {
    with_address(bind(address)?)
}

fn with_address(listener: TcpListener) -> io::Result<Source> {
    let address = listener.local_addr()?;
    Ok(Source::Tcp(listener, address))
}

/// Listens at the same port of 127.0.0.1 and ::1, or of the one that this machine has.
fn listen_localhost(port: u16) -> io::Result<Vec<Source>> {
    // An ephemeral port that is free on 127.0.0.1 may be in use on ::1.
    let attempts = if port == 0 { EPHEMERAL_PORT_ATTEMPTS } else { 1 };
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..attempts {
        result = listen_localhost_once(port);
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

fn listen_localhost_once(port: u16) -> io::Result<Vec<Source>> {
    let ipv6 = |port| listen_tcp((Ipv6Addr::LOCALHOST, port).into());
    let ipv4 = match listen_tcp((Ipv4Addr::LOCALHOST, port).into()) {
        Err(error) if is_unavailable(&error) => return Ok(vec![ipv6(port)?]),
        result => result?,
    };
    let port = match &ipv4 {
        Source::Tcp(_, address) => address.port(),
        Source::Unix(_) | Source::Internal(_) => port,
    };
    match ipv6(port) {
        Err(error) if is_unavailable(&error) => Ok(vec![ipv4]),
        result => Ok(vec![ipv4, result?]),
    }
}

/// Listens at a port of all addresses: with one dual-stack socket, or at IPv4 only on a machine without IPv6.
fn listen_all_addresses(port: u16) -> io::Result<Source> {
    match bind_dual_stack(port) {
        Err(error) if is_unavailable(&error) => listen_tcp((Ipv4Addr::UNSPECIFIED, port).into()),
        result => with_address(result?),
    }
}

/// Whether this machine lacks the address: IPv6 may be disabled, or not built into the kernel.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}
