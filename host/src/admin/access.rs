//! Who may replace the guest: those with the token; without one, those who can reach the listener and are no web
//! page.
//!
//! A browser sends requests to this machine for any page that it shows. Those carry the page's `Origin`; and if the
//! page's own name was made to resolve to this machine (DNS rebinding), that name as `Host`. Both are checked as they are
//! for viewers, in [`crate::http`].

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};

use crate::http::policy::{CsrfProtection, RequestError, RequestGuard, authority};

/// The shortest token that is taken, in bytes: too many to try, if each is a random hexadecimal digit.
const TOKEN_MINIMUM: usize = 16;

/// The most of a token's file that is read, in bytes. No token is longer.
const TOKEN_FILE_LIMIT: u64 = 64 << 10;

/// What those who are not the owner may do with a file, in its mode: anything is too much.
const OTHERS: u32 = 0o077;

/// The user who may do everything anyway.
const ROOT: u32 = 0;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be read.
    #[error("cannot read the admin token in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Others can read it, or could have put their own there.
    #[error(
        "other users can read or change the admin token in {path}; run `chmod 600 {path}`, and make a new token if others have had access",
        path = .0.display()
    )]
    NotPrivate(PathBuf),
    /// It belongs to another user, who can read and change it.
    #[error("the admin token in {path} belongs to another user; run `chown {user} {path}`", path = path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The user that this program runs as.
        user: u32,
    },
    /// It is no token.
    #[error(
        "the admin token in {} must be at least {TOKEN_MINIMUM} characters, without spaces; make one with `openssl rand -hex 16`",
        .0.display()
    )]
    Unfit(PathBuf),
}

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// It is malformed, or for a host name that this server does not answer to.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It comes from a web page.
    #[error("requests from web pages are refused")]
    Origin,
    /// It has no token, or not the right one.
    #[error("this needs the admin token, as `Authorization: Bearer TOKEN`")]
    Token,
}

/// Who is let in.
pub struct Access {
    /// The digest of the token. Comparing digests takes a time that tells nothing of the token.
    token: Option<[u8; 32]>,
    /// What checks the host that a request names. `None` for a Unix socket, to which no name can be made to resolve.
    guard: Option<RequestGuard>,
    /// Allows no origin but the listener's own.
    cross_origin: CsrfProtection,
}

impl Access {
    /// Let in who carries the token in this file, if one is given. `guard` checks
    /// the host that a request names; there is none for a Unix socket.
    pub fn new(token_file: Option<&Path>, guard: Option<RequestGuard>) -> Result<Self, TokenError> {
        let token = token_file.map(read_token).transpose()?;
        Ok(Self { token, guard, cross_origin: CsrfProtection::default() })
    }

    /// Whether there is a token, which requests must carry.
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this request is let in.
    pub fn check(&self, request: &Parts) -> Result<(), Denied> {
        let headers = &request.headers;
        let has_token = match &self.token {
            Some(token) => bearer(headers).is_some_and(|given| digest(given) == *token),
            None => false,
        };
        let authority = authority(request)?;
        // Nobody else's page has the token, so with it the request may use any name.
        if let Some(guard) = self.guard.as_ref().filter(|_| !has_token) {
            guard.check_host(authority.as_ref())?;
        }
        self.cross_origin.check_origin(request, authority.as_ref()).map_err(|_| Denied::Origin)?;
        if self.token.is_some() && !has_token { Err(Denied::Token) } else { Ok(()) }
    }
}

fn read_token(file: &Path) -> Result<[u8; 32], TokenError> {
    let failed = |source| TokenError::Read { path: file.to_owned(), source };
    if !fs::metadata(file).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    let mut opened = File::open(file).map_err(failed)?;
    // Of what was opened, which the name may not stand for any more.
    let metadata = opened.metadata().map_err(failed)?;
    let user = geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != ROOT {
        return Err(TokenError::NotOurs { path: file.to_owned(), user });
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(TokenError::NotPrivate(file.to_owned()));
    }
    let mut text = String::new();
    opened.by_ref().take(TOKEN_FILE_LIMIT).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    if token.len() < TOKEN_MINIMUM || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Unfit(file.to_owned()));
    }
    Ok(digest(token.as_bytes()))
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token that a request carries (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn access(token: Option<&str>, guard: Option<RequestGuard>) -> Access {
        let token = token.map(|token| digest(token.as_bytes()));
        Access { token, guard, cross_origin: CsrfProtection::default() }
    }

    fn check(access: &Access, pairs: &[(&str, &str)]) -> Result<(), Denied> {
        let mut request = Request::get("/guest");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        access.check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn names_that_a_stranger_can_own_are_refused() {
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
    fn pages_of_other_sites_are_refused_at_any_host() {
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

    #[test]
    fn a_token_is_needed_where_there_is_one_and_allows_any_name() {
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
