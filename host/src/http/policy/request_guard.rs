//! What a request must be before anything looks at it: well-formed, for this server, and not forged by another site's page.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode, Version};

use super::allowed_hosts::AllowedHosts;
use super::csrf::{CsrfError, CsrfProtection};
use super::host::host_of;

/// Why a request is refused. The message is one line for the client and the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// RFC 9112, section 3.2.
    #[error("an HTTP/1.1 request needs a Host header")]
    MissingHost,
    /// RFC 9112, section 3.2.
    #[error("the request has more than one Host header")]
    SeveralHosts,
    /// Neither a name nor an address, or with a port that is none.
    #[error("the Host header is not a host, with or without a port")]
    InvalidHost,
    /// The host may have been made to resolve to this machine by a stranger.
    #[error("this server does not answer to the host name {0}; if it is yours, start the server with --allow-host {0}")]
    Misdirected(String),
    /// RFC 9112, section 3.2: a host alone is for CONNECT only.
    #[error("the request target must begin with / or http://")]
    Target,
    /// It would change something, for a page of another site.
    #[error(transparent)]
    CrossOrigin(#[from] CsrfError),
    /// RFC 9112, section 3.2.4.
    #[error("the request target * is for OPTIONS only")]
    Asterisk,
}

impl RequestError {
    /// The status that tells it to the client.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::CrossOrigin(_) => StatusCode::FORBIDDEN,
            Self::MissingHost | Self::SeveralHosts | Self::InvalidHost | Self::Target | Self::Asterisk => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Checks requests before they are answered.
#[derive(Clone, Debug, Default)]
pub struct RequestGuard {
    hosts: AllowedHosts,
    csrf: CsrfProtection,
}

impl RequestGuard {
    /// Answer to these hosts, and protect against pages of other sites by `csrf`.
    pub fn new(hosts: AllowedHosts, csrf: CsrfProtection) -> Self {
        Self { hosts, csrf }
    }

    /// Check a request. Does not look at its body.
    pub fn check(&self, request: &Parts) -> Result<(), RequestError> {
        let authority = authority(request)?;
        if request.uri.path() == "*" && request.method != Method::OPTIONS {
            return Err(RequestError::Asterisk);
        }
        self.check_host(authority.as_ref())?;
        Ok(self.csrf.check(request, authority.as_ref())?)
    }

    /// Whether the server answers to this authority; `None` is a request of HTTP/1.0 without a host, which no browser
    /// sends.
    pub fn check_host(&self, authority: Option<&Authority>) -> Result<(), RequestError> {
        let Some(authority) = authority else { return Ok(()) };
        let host = host_of(authority).ok_or(RequestError::InvalidHost)?;
        if self.hosts.allows(&host) { Ok(()) } else { Err(RequestError::Misdirected(host.to_string())) }
    }
}

/// The authority that a request is for: that of its target, or else of its `Host` header (RFC 9112, section 3.3). What
/// proxies say about it is not considered. `None` only for HTTP/1.0.
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
        return Err(RequestError::Target);
    }
    Ok(request.uri.authority().cloned().or(host))
}
