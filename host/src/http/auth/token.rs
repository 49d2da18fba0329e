//! Tokens for URLs: `hs1.ID.EXPIRES.CAMERAS.MAC`.
//!
//! A token is a statement that the server has signed: which cameras it opens and until when. The server stores none of
//! them. All characters are unreserved in URLs (RFC 3986, section 2.3), so that a token can be pasted anywhere.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::process::private_file::{PrivateFileError, read_private_file};

/// The start of a token: its format, and what it is if it turns up somewhere.
const PREFIX: &str = "hs1";

/// Between the names of cameras.
const CAMERA_SEPARATOR: char = '~';

/// The longest token accepted, in bytes: enough for [`MAX_CAMERAS`] names of 32 characters.
const MAX_LENGTH: usize = 2048;

/// The most cameras that one token names. A token for more is one for all.
const MAX_CAMERAS: usize = 32;

/// The length of an id before it is written in hexadecimal digits, in bytes. Two tokens of one server do not get the
/// same by accident.
const ID_LENGTH: usize = 8;

/// The shortest secret accepted, in bytes. As random hexadecimal digits, it has 128 bits.
const MIN_SECRET_LENGTH: usize = 32;

/// How much of the secret's file is read, in bytes. No secret is longer.
const SECRET_FILE_LIMIT: u64 = 4096;

/// What a token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Identifies the token, to revoke it.
    pub id: String,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
    /// The names of the cameras that it opens; all if there are none.
    pub cameras: Vec<String>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenRefused {
    /// It is malformed, or another secret has signed it.
    #[error("the token is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// The configuration names its id.
    #[error("the token was revoked")]
    Revoked,
}

/// Why the secret cannot be used, or a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The secret is too short or contains characters other than visible ASCII.
    #[error(
        "the token secret in {} must have at least {MIN_SECRET_LENGTH} characters and no spaces; make one with `openssl rand -hex 32`",
        .0.display()
    )]
    Invalid(PathBuf),
    /// There are too many cameras.
    #[error("a token names at most {MAX_CAMERAS} cameras; without --camera, it opens all")]
    TooManyCameras,
    /// The text is not the name of a camera.
    #[error("`{}` is not the name of a camera; use letters, digits, `-` and `_`", .0.escape_debug())]
    Camera(String),
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

/// The secret that signs tokens. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

/// Decides which tokens are valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    key: TokenKey,
    revoked: BTreeSet<String>,
}

impl Token {
    /// Creates a token with a random id.
    pub fn new(cameras: Vec<String>, expires: u64) -> Result<Self, TokenKeyError> {
        if cameras.len() > MAX_CAMERAS {
            return Err(TokenKeyError::TooManyCameras);
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if let Some(name) = cameras.iter().find(|name| name.is_empty() || !name.bytes().all(is_allowed)) {
            return Err(TokenKeyError::Camera(name.clone()));
        }
        let mut id = [0; ID_LENGTH];
        SystemRandom::new().fill(&mut id).map_err(|_| TokenKeyError::Random)?;
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id, expires, cameras })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('.');
        let (prefix, id, expires, cameras) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        if prefix != PREFIX || fields.next().is_some() {
            return None;
        }
        let cameras = cameras.split(CAMERA_SEPARATOR).filter(|name| !name.is_empty()).map(str::to_owned);
        Some(Self { id: id.to_owned(), expires: expires.parse().ok()?, cameras: cameras.collect() })
    }
}

/// The token without its signature.
impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cameras = self.cameras.join(&CAMERA_SEPARATOR.to_string());
        write!(formatter, "{PREFIX}.{}.{}.{cameras}", self.id, self.expires)
    }
}

impl TokenKey {
    /// Reads the secret from a file that no other user may access. Blocks while it reads.
    pub fn read(path: &Path) -> Result<Self, TokenKeyError> {
        let text = read_private_file("token secret", path, SECRET_FILE_LIMIT)?;
        Self::new(text.trim()).ok_or_else(|| TokenKeyError::Invalid(path.to_owned()))
    }

    /// Returns `None` if the secret is too short or has characters other than visible ASCII.
    pub fn new(secret: &str) -> Option<Self> {
        let is_valid = secret.len() >= MIN_SECRET_LENGTH && secret.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// Signs a token.
    pub fn sign(&self, token: &Token) -> String {
        let text = token.to_string();
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, text.as_bytes()));
        format!("{text}.{mac}")
    }

    /// Returns what a token says if this key has signed it. The comparison takes constant time.
    fn verify(&self, text: &str) -> Option<Token> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (signed, mac) = text.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&self.0, signed.as_bytes(), &mac).ok()?;
        Token::parse(signed)
    }
}

/// Keys are equal if they sign the same way.
impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        hmac::verify(&self.0, b"", hmac::sign(&other.0, b"").as_ref()).is_ok()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenKey")
    }
}

impl Tokens {
    /// Accepts the tokens that `key` has signed, except those with the `revoked` ids.
    pub fn new(key: TokenKey, revoked: impl IntoIterator<Item = String>) -> Self {
        Self { key, revoked: revoked.into_iter().collect() }
    }

    /// Checks a token at a time, in seconds since 1970.
    pub fn verify(&self, text: &str, now: u64) -> Result<Token, TokenRefused> {
        let token = self.key.verify(text).ok_or(TokenRefused::Invalid)?;
        if self.revoked.contains(&token.id) {
            return Err(TokenRefused::Revoked);
        }
        if token.expires <= now { Err(TokenRefused::Expired) } else { Ok(token) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> TokenKey {
        TokenKey::new(&secret.repeat(MIN_SECRET_LENGTH)).unwrap()
    }

    #[test]
    fn a_signed_token_is_valid_until_it_expires_or_is_revoked() {
        let token = Token::new(vec!["front".to_owned(), "back-yard_2".to_owned()], 1000).unwrap();
        let text = key("a").sign(&token);
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        assert!(text.bytes().all(unreserved), "{text}");
        let tokens = Tokens::new(key("a"), []);
        assert_eq!(tokens.verify(&text, 999), Ok(token.clone()));
        assert_eq!(tokens.verify(&text, 1000), Err(TokenRefused::Expired));
        assert_eq!(Tokens::new(key("b"), []).verify(&text, 0), Err(TokenRefused::Invalid));
        assert_eq!(Tokens::new(key("a"), [token.id]).verify(&text, 0), Err(TokenRefused::Revoked));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_invalid() {
        let text = key("a").sign(&Token::new(vec!["front".to_owned()], 1000).unwrap());
        let tokens = Tokens::new(key("a"), []);
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'E' } else { b'A' };
            assert_eq!(tokens.verify(std::str::from_utf8(&changed).unwrap(), 0), Err(TokenRefused::Invalid), "{index}");
            assert_eq!(tokens.verify(&text[..index], 0), Err(TokenRefused::Invalid), "{index}");
        }
        for text in ["", ".", "hs1", "hs1....", &"x".repeat(5000), &format!("{text}."), &format!("{text}A")] {
            assert_eq!(tokens.verify(text, 0), Err(TokenRefused::Invalid), "{text}");
        }
    }

    #[test]
    fn ids_are_unique_and_names_cannot_break_the_format() {
        assert_ne!(Token::new(vec![], 1).unwrap().id, Token::new(vec![], 1).unwrap().id);
        for name in ["", "a.b", "a~b", "a/b", "\u{e4}"] {
            assert!(matches!(Token::new(vec![name.to_owned()], 1), Err(TokenKeyError::Camera(_))), "{name}");
        }
        assert!(matches!(Token::new(vec!["a".to_owned(); 33], 1), Err(TokenKeyError::TooManyCameras)));
        assert!(TokenKey::new("short").is_none() && TokenKey::new(&" ".repeat(40)).is_none());
    }
}
