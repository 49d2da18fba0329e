//! Checks every request before anything else handles it: it must be well-formed, meant for this server, and not forged
//! by a page of another site.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode, Version};

use super::allowed_hosts::AllowedHosts;
use super::csrf::{CsrfError, CsrfProtection};
use super::host::host_of;

/// Why a request is rejected. The message is one line, sent to the client and logged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// RFC 9112, section 3.2.
    #[error("an HTTP/1.1 request needs a Host header")]
    MissingHost,
    /// RFC 9112, section 3.2.
    #[error("the request has more than one Host header")]
    SeveralHosts,
    /// The header is neither a name nor an address, or has an invalid port.
    #[error("the Host header is not a host name or address, with or without a port")]
    InvalidHost,
    /// The host name may belong to an attacker, who made it resolve to this machine.
    #[error("this server does not answer to the host name {0}; if it is yours, start the server with --allow-host {0}")]
    Misdirected(String),
    /// Only CONNECT requests have a target without a scheme (RFC 9112, section 3.2).
    #[error("the request target must begin with / or http://")]
    InvalidTarget,
    /// A page of another site sent a request with side effects.
    #[error(transparent)]
    Csrf(#[from] CsrfError),
    /// RFC 9112, section 3.2.4.
    #[error("the request target * is for OPTIONS only")]
    AsteriskTarget,
}

impl RequestError {
    /// Returns the status of the response that reports the error.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Csrf(_) => StatusCode::FORBIDDEN,
            Self::MissingHost | Self::SeveralHosts | Self::InvalidHost | Self::InvalidTarget | Self::AsteriskTarget => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Checks requests before anything else handles them. See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct RequestGuard {
    hosts: AllowedHosts,
    csrf: CsrfProtection,
}

impl RequestGuard {
    /// Accepts requests for `hosts` that pass `csrf`.
    pub fn new(hosts: AllowedHosts, csrf: CsrfProtection) -> Self {
        Self { hosts, csrf }
    }

    /// Checks the head of a request.
    pub fn check(&self, request: &Parts) -> Result<(), RequestError> {
        let authority = authority(request)?;
        if request.uri.path() == "*" && request.method != Method::OPTIONS {
            return Err(RequestError::AsteriskTarget);
        }
        self.check_host(authority.as_ref())?;
        Ok(self.csrf.check(request, authority.as_ref())?)
    }

    /// Checks that the server answers to this authority. Accepts `None`, an HTTP/1.0 request without a host, because no
    /// browser sends it.
    pub fn check_host(&self, authority: Option<&Authority>) -> Result<(), RequestError> {
        let Some(authority) = authority else { return Ok(()) };
        let host = host_of(authority).ok_or(RequestError::InvalidHost)?;
        if self.hosts.allows(&host) { Ok(()) } else { Err(RequestError::Misdirected(host.to_string())) }
    }
}

/// Returns the authority that a request is for: that of its target, or else its `Host` header (RFC 9112, section 3.3).
/// Ignores forwarding headers. Returns `None` for an HTTP/1.0 request without either.
pub fn authority(request: &Parts) -> Result<Option<Authority>, RequestError> {
    let mut hosts = request.headers.get_all(HOST).into_iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(RequestError::SeveralHosts);
    }
    let host = match host {
        Some(host) => Some(Authority::try_from(host.as_bytes()).map_err(|_| RequestError::InvalidHost)?),
        None if request.version < Version::HTTP_11 => None,
        None => return Err(RequestError::MissingHost),
    };
    if host.as_ref().is_some_and(|host| host_of(host).is_none()) {
        return Err(RequestError::InvalidHost);
    }
    if request.uri.authority().is_some() && request.uri.scheme().is_none() {
        return Err(RequestError::InvalidTarget);
    }
    Ok(request.uri.authority().cloned().or(host))
}
