//! Who may replace the guest: those with the token; without one, those who can reach the listener and are no web
//! page.
//!
//! A browser sends requests to this machine for any page that it shows. Those carry the page's `Origin`; and where
//! the page's own name was made to lead here (DNS rebinding), that name as `Host`. A number cannot be made to lead
//! elsewhere, so numeric hosts are as good as `localhost`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};

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
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// It is for another host.
    #[error("the Host of this request is not this machine; use its IP address, or localhost")]
    Host,
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
    /// Whether the host that a request names is looked at. A Unix socket has no name that could lead to it.
    named: bool,
}

impl Access {
    /// Let in who carries the token in this file, if one is given. `named` is whether requests come by a host's
    /// name, as they do over TCP.
    pub fn new(token_file: Option<&Path>, named: bool) -> Result<Self, TokenError> {
        Ok(Self { token: token_file.map(read_token).transpose()?, named })
    }

    /// Whether there is a token, which requests must carry.
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a request with these headers is let in.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let has_token = match &self.token {
            Some(token) => bearer(headers).is_some_and(|given| digest(given) == *token),
            None => false,
        };
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        // Nobody else's page has the token; and with it, one may use any name that leads here.
        if self.named && !has_token && !host.is_some_and(is_this_machine) {
            return Err(Denied::Host);
        }
        let is_own = |origin: &HeaderValue| {
            origin.as_bytes().strip_prefix(b"http://").is_some_and(|origin| host == Some(origin))
        };
        if headers.get(ORIGIN).is_some_and(|origin| !is_own(origin)) {
            return Err(Denied::Origin);
        }
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

/// Whether this host can be no other machine's by a trick of names: it is `localhost` or a number.
fn is_this_machine(host: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return false };
    let host = authority.host();
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok()
        || bracketed.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    const OPEN: Access = Access { token: None, named: true };

    #[test]
    fn numbers_and_localhost_are_this_machine() {
        for host in ["localhost", "LOCALHOST:5001", "127.0.0.1:5001", "[::1]:5001", "192.168.1.7:80"] {
            assert_eq!(OPEN.check(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        for host in ["evil.example:5001", "localhost.evil.example", "127.0.0.1.evil.example", "", "[evil]", "a b"] {
            assert_eq!(OPEN.check(&headers(&[("host", host)])), Err(Denied::Host), "{host}");
        }
        assert_eq!(OPEN.check(&HeaderMap::new()), Err(Denied::Host));
    }

    #[test]
    fn pages_of_others_are_refused_at_any_host() {
        for origin in ["http://evil.example", "null", "https://127.0.0.1:5001", "http://127.0.0.1:5000", ""] {
            let headers = headers(&[("host", "127.0.0.1:5001"), ("origin", origin)]);
            assert_eq!(OPEN.check(&headers), Err(Denied::Origin), "{origin}");
            assert_eq!(Access { token: None, named: false }.check(&headers), Err(Denied::Origin), "{origin}");
        }
        let unnamed = Access { token: None, named: false };
        assert_eq!(unnamed.check(&headers(&[("origin", "null")])), Err(Denied::Origin), "without a host");
        assert_eq!(OPEN.check(&headers(&[("host", "[::1]:1"), ("origin", "http://[::1]:1")])), Ok(()));
    }

    #[test]
    fn a_token_is_needed_where_there_is_one_and_opens_any_name() {
        let access = Access { token: Some(digest(b"0123456789abcdef")), named: true };
        let check = |pairs: &[_]| access.check(&headers(pairs));
        assert_eq!(check(&[("host", "localhost")]), Err(Denied::Token));
        for wrong in ["Bearer 0123456789abcdeX", "Bearer ", "Bearer", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(check(&[("host", "localhost"), ("authorization", wrong)]), Err(Denied::Token), "{wrong}");
        }
        let right = ("authorization", "bearer 0123456789abcdef");
        assert_eq!(check(&[("host", "localhost"), right]), Ok(()));
        assert_eq!(check(&[("host", "pi.local:5001"), right]), Ok(()));
        assert_eq!(check(&[("host", "pi.local"), right, ("origin", "http://evil.example")]), Err(Denied::Origin));
    }
}
