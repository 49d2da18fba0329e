//! TLS for outgoing requests: the names of servers, and errors.

use std::io;

use rustls::pki_types::ServerName;
use url::Host;
use wasmtime_wasi_http::Error;

/// The name that the certificate must be for.
pub(super) fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
    }
}

/// The error of `wasi:http` for a handshake that failed.
pub(super) fn handshake_error(error: &io::Error) -> Error {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}
