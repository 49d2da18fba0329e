//! Decides who may use the admin listener: clients with the token and users with the role admin or, if there are
//! neither tokens nor users, everyone who can reach the listener, except web pages. Clients of a Unix socket need no
//! user, because only its owner can connect.
//!
//! Any page that a browser on this machine shows can send requests to it. They carry the page's `Origin`, and after DNS
//! rebinding, which makes the page's own name resolve to this machine, that name as `Host`. Both are checked as they
//! are for viewers, in [`crate::http`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest as _, Sha256};

use crate::http::auth::{self, Authenticator, Caller, Role, bearer_token};
use crate::http::policy::{CsrfProtection, RequestError, RequestGuard, authority};
use crate::process::private_file::{PrivateFileError, read_private_file};

/// The shortest token accepted, in bytes. As random hexadecimal digits, it has 64 bits.
const MIN_TOKEN_LENGTH: usize = 16;

/// How much of the token file is read, in bytes. No token is longer.
pub const TOKEN_FILE_LIMIT: u64 = 64 << 10;

/// Why the token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The token is too short or contains characters other than visible ASCII.
    #[error(
        "the admin token in {} must have at least {MIN_TOKEN_LENGTH} characters and no spaces; make one with `openssl rand -hex 16`",
        .0.display()
    )]
    Invalid(PathBuf),
}

/// Why a request is denied.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// It is malformed, or for a host name that this server does not answer to.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It comes from a web page.
    #[error("requests from web pages are not allowed")]
    Origin,
    /// It has no token, or a wrong one.
    #[error("the admin token is required, as `Authorization: Bearer TOKEN`")]
    Token,
    /// It is not from a user with the role admin.
    #[error(transparent)]
    User(#[from] auth::Denied),
}

/// The rules for access.
pub struct Access {
    /// The digest of the token. The time to compare digests reveals nothing about the token.
    token: Option<[u8; 32]>,
    /// Checks the host that a request names. `None` on a Unix socket, to which no name can resolve.
    guard: Option<RequestGuard>,
    /// Allows only the listener's own origin.
    csrf_protection: CsrfProtection,
    /// Knows the users.
    authenticator: Arc<Authenticator>,
    /// Whether other machines may reach the listener, so that it must never be open to everyone.
    is_remote: bool,
}

impl Access {
    /// Reads the token that requests must carry from `token_file`. Without a file, none is needed. `guard` checks the
    /// host that a request names; a Unix socket needs no guard. `authenticator` knows the users. If other machines may
    /// reach the listener (`is_remote`), it denies every request while there is neither a token nor a user.
    pub fn new(
        token_file: Option<&Path>,
        guard: Option<RequestGuard>,
        authenticator: Arc<Authenticator>,
        is_remote: bool,
    ) -> Result<Self, TokenError> {
        let token = token_file.map(read_token).transpose()?;
        Ok(Self { token, guard, csrf_protection: CsrfProtection::default(), authenticator, is_remote })
    }

    /// Whether requests must carry a token, unless they come from a user.
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether requests must come from a user, unless they carry a token.
    pub fn needs_user(&self) -> bool {
        self.guard.is_some() && (self.is_remote || !self.authenticator.rules().admit_anyone())
    }

    /// Checks whether a request has access. Waits while a password is checked, and must be called inside a Tokio runtime.
    pub async fn check(&self, request: &mut Parts) -> Result<(), Denied> {
        let needs_user = self.needs_user();
        match self.check_token(request) {
            Ok(()) if self.token.is_none() && needs_user => {}
            // The token, or a user who has the role.
            Err(Denied::Token) if needs_user && bearer(&request.headers).is_none() => {}
            result => return result,
        }
        match self.authenticator.authorize(request, Role::Admin).await? {
            // All users are gone since the listener started.
            Caller::Anyone if self.token.is_some() => Err(Denied::Token),
            Caller::Anyone if self.is_remote => Err(auth::Denied::LoginRequired.into()),
            _ => Ok(()),
        }
    }

    /// Checks everything but users.
    fn check_token(&self, request: &Parts) -> Result<(), Denied> {
        let headers = &request.headers;
        let has_token = match &self.token {
            Some(token) => bearer(headers).is_some_and(|sent| digest(sent.as_bytes()) == *token),
            None => false,
        };
        let authority = authority(request)?;
        // Other web pages do not know the token, so a request with the token may use any host name.
        if let Some(guard) = self.guard.as_ref().filter(|_| !has_token) {
            guard.check_host(authority.as_ref())?;
        }
        self.csrf_protection.check_origin(request, authority.as_ref()).map_err(|_| Denied::Origin)?;
        if self.token.is_some() && !has_token { Err(Denied::Token) } else { Ok(()) }
    }
}

fn read_token(file: &Path) -> Result<[u8; 32], TokenError> {
    let text = read_private_file("admin token file", file, TOKEN_FILE_LIMIT)?;
    let token = text.trim();
    if token.len() < MIN_TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Invalid(file.to_owned()));
    }
    Ok(digest(token.as_bytes()))
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token in a request's `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    bearer_token(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::HOST;

    use super::*;
    use crate::http::auth::Rules;
    use crate::http::proxies::TrustedProxies;

    fn access(token: Option<&str>, guard: Option<RequestGuard>) -> Access {
        let token = token.map(|token| digest(token.as_bytes()));
        let authenticator = Arc::new(Authenticator::new(Rules::default(), TrustedProxies::default()).unwrap());
        Access { token, guard, csrf_protection: CsrfProtection::default(), authenticator, is_remote: false }
    }

    fn check(access: &Access, pairs: &[(&str, &str)]) -> Result<(), Denied> {
        let mut request = Request::get("/guest");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        access.check_token(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn host_names_that_a_stranger_can_register_are_denied() {
        let open = access(None, Some(RequestGuard::default()));
        for host in ["localhost", "LOCALHOST:5001", "127.0.0.1:5001", "[::1]:5001", "192.168.1.7:80", "pi.local"] {
            assert_eq!(check(&open, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example:5001", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert!(matches!(check(&open, &[("host", host)]), Err(Denied::Request(RequestError::Misdirected(_)))));
            assert_eq!(check(&access(None, None), &[("host", host)]), Ok(()), "over a Unix socket");
        }
    }

    #[test]
    fn pages_of_other_sites_are_denied_at_any_host() {
        for origin in ["http://evil.example", "null", "http://127.0.0.1:5000", ""] {
            for access in [access(None, Some(RequestGuard::default())), access(None, None)] {
                let pairs = [("host", "127.0.0.1:5001"), ("origin", origin)];
                assert_eq!(check(&access, &pairs), Err(Denied::Origin), "{origin}");
            }
        }
        let open = access(None, Some(RequestGuard::default()));
        assert_eq!(check(&open, &[("host", "[::1]:1"), ("origin", "http://[::1]:1")]), Ok(()));
        assert_eq!(check(&open, &[("host", "[::1]:1"), ("sec-fetch-site", "cross-site")]), Err(Denied::Origin));
    }

    #[tokio::test]
    async fn a_listener_for_other_machines_is_never_open() {
        let check = async |token: Option<&str>, is_remote: bool| {
            let mut access = access(token, Some(RequestGuard::default()));
            access.is_remote = is_remote;
            access.check(&mut Request::get("/guest").header(HOST, "localhost").body(()).unwrap().into_parts().0).await
        };
        assert_eq!(check(None, false).await, Ok(()));
        assert_eq!(check(None, true).await, Err(Denied::User(auth::Denied::LoginRequired)));
        assert_eq!(check(Some("0123456789abcdef"), false).await, Err(Denied::Token));
        assert_eq!(check(Some("0123456789abcdef"), true).await, Err(Denied::Token));
    }

    #[test]
    fn a_configured_token_is_required_and_allows_any_host_name() {
        let access = access(Some("0123456789abcdef"), Some(RequestGuard::default()));
        assert_eq!(check(&access, &[("host", "localhost")]), Err(Denied::Token));
        for wrong in ["Bearer 0123456789abcdeX", "Bearer ", "Bearer", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(
                check(&access, &[("host", "localhost"), ("authorization", wrong)]),
                Err(Denied::Token),
                "{wrong}"
            );
        }
        let right = ("authorization", "bearer 0123456789abcdef");
        assert_eq!(check(&access, &[("host", "localhost"), right]), Ok(()));
        assert_eq!(check(&access, &[("host", "cam.example.com:5001"), right]), Ok(()));
        let forged = [("host", "pi.local"), right, ("origin", "http://evil.example")];
        assert_eq!(check(&access, &forged), Err(Denied::Origin));
    }
}
