//! Answers challenges for credentials: Basic (RFC 7617) and Digest (RFC 7616).
//!
//! Cameras still ask for Digest with MD5. The library `http-auth` parses the challenges; its Digest support is not used
//! because it enables features of crates that wasmtime uses.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, parse_challenges};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::credentials::Credentials;
use super::error::NetworkError;
use super::metadata::sanitize;

/// The strongest challenge of a server, and how often it was answered.
#[derive(Clone, Debug)]
pub(super) enum Challenge {
    Digest(DigestChallenge),
    Basic,
}

/// A Digest challenge.
#[derive(Clone, Debug)]
pub(super) struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server spells it. `None` means MD5.
    algorithm_name: Option<String>,
    algorithm: Algorithm,
    /// Whether a digest covers the client's nonce and the session key is derived from both nonces.
    is_session: bool,
    /// Whether the server supports `qop=auth`. Without it, the digest is that of RFC 2069.
    has_auth: bool,
    /// Whether the server refused an answer only because its nonce was old.
    is_stale: bool,
    /// The number of answers with this nonce.
    count: u32,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn hex(self, text: &str) -> String {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a `String` cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

impl Challenge {
    /// Selects the strongest challenge from the values of `WWW-Authenticate`.
    pub(super) fn strongest<'a>(headers: impl Iterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let mut digest: Option<DigestChallenge> = None;
        let mut has_basic = false;
        let mut offered = Vec::new();
        for challenge in headers.filter_map(|header| parse_challenges(header).ok()).flatten() {
            offered.push(challenge.scheme.to_owned());
            has_basic |= challenge.scheme.eq_ignore_ascii_case("basic");
            if challenge.scheme.eq_ignore_ascii_case("digest")
                && let Some(found) = DigestChallenge::new(&challenge)
                && digest.as_ref().is_none_or(|known| known.algorithm < found.algorithm)
            {
                digest = Some(found);
            }
        }
        match digest {
            Some(digest) => Ok(Self::Digest(digest)),
            None if has_basic => Ok(Self::Basic),
            None if offered.is_empty() => Err(NetworkError::UnsupportedCredentials("nothing known".to_owned())),
            None => Err(NetworkError::UnsupportedCredentials(sanitize(&offered.join(", ")))),
        }
    }

    /// Whether the server refused the last answer only because its nonce was old.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Digest(DigestChallenge { is_stale: true, .. }))
    }

    /// Returns the value of `Authorization` for a GET request of `target`, the path with the query.
    pub(super) fn answer(&mut self, credentials: &Credentials, target: &str) -> String {
        match self {
            Self::Basic => {
                let Credentials { user, password } = credentials;
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
            Self::Digest(digest) => {
                // Need not be secret, only different each time (RFC 7616, section 3.4).
                let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                digest.answer(credentials, target, &format!("{:032x}", time.as_nanos()))
            }
        }
    }
}

impl DigestChallenge {
    /// Reads a challenge. Returns `None` if something is missing or not supported.
    fn new(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let get = |name: &str| {
            let parameter = challenge.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
            parameter.map(|(_, value)| value.to_unescaped())
        };
        let algorithm_name = get("algorithm");
        let name = algorithm_name.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let (algorithm, is_session) = match name.as_str() {
            "MD5" => (Algorithm::Md5, false),
            "MD5-SESS" => (Algorithm::Md5, true),
            "SHA-256" => (Algorithm::Sha256, false),
            "SHA-256-SESS" => (Algorithm::Sha256, true),
            _ => return None,
        };
        let qop = get("qop");
        let has_auth = qop.as_deref().is_some_and(|qop| qop.split(',').any(|each| each.trim() == "auth"));
        if qop.is_some() && !has_auth {
            return None;
        }
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm_name,
            algorithm,
            is_session,
            has_auth,
            is_stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            count: 0,
        })
    }

    /// Computes the answer (RFC 7616, section 3.4.1).
    fn answer(&mut self, Credentials { user, password }: &Credentials, target: &str, client_nonce: &str) -> String {
        self.count = self.count.wrapping_add(1);
        let hex = |text: String| self.algorithm.hex(&text);
        let (realm, nonce, count) = (&self.realm, &self.nonce, self.count);
        let mut secret = hex(format!("{user}:{realm}:{password}"));
        if self.is_session {
            secret = hex(format!("{secret}:{nonce}:{client_nonce}"));
        }
        let request = hex(format!("GET:{target}"));
        let response = if self.has_auth {
            hex(format!("{secret}:{nonce}:{count:08x}:{client_nonce}:auth:{request}"))
        } else {
            hex(format!("{secret}:{nonce}:{request}"))
        };
        let mut answer = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(user),
            quoted(realm),
            quoted(nonce),
            quoted(target),
        );
        // Writing to a `String` cannot fail.
        if self.has_auth {
            let _ = write!(answer, ", qop=auth, nc={count:08x}, cnonce=\"{client_nonce}\"");
        } else if self.is_session {
            let _ = write!(answer, ", cnonce=\"{client_nonce}\"");
        }
        if let Some(algorithm) = &self.algorithm_name {
            let _ = write!(answer, ", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(answer, ", opaque={}", quoted(opaque));
        }
        answer
    }
}

/// Returns a quoted string (RFC 9110, section 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    fn digest(header: &str) -> DigestChallenge {
        match Challenge::strongest([header].into_iter()).unwrap() {
            Challenge::Digest(digest) => digest,
            Challenge::Basic => panic!("not Digest"),
        }
    }

    /// RFC 7616, section 3.9.1.
    #[test]
    fn digests_match_the_examples_of_the_rfc() {
        let challenge = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let user = credentials("Mufasa", "Circle of Life");
        let client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut digest = digest(&format!("{challenge}, algorithm={algorithm}"));
            let answer = digest.answer(&user, "/dir/index.html", client_nonce);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains("qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/"), "{answer}");
            assert!(digest.answer(&user, "/", client_nonce).contains("nc=00000002"));
        }
    }

    /// RFC 2069, with the digest as corrected in its erratum 749.
    #[test]
    fn challenges_without_qop_get_the_older_digest() {
        let mut digest = digest(
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let answer = digest.answer(&credentials("Mufasa", "CircleOfLife"), "/dir/index.html", "x");
        assert!(answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
        assert!(!answer.contains("nc="), "{answer}");
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        let basic = "Basic realm=\"cam\"";
        let md5 = "Digest realm=\"cam\", nonce=\"1\"";
        let sha = "Digest realm=\"cam\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"";
        let strongest = |headers: &[&'static str]| Challenge::strongest(headers.iter().copied());
        assert!(matches!(strongest(&[basic]), Ok(Challenge::Basic)));
        assert!(matches!(strongest(&[basic, md5]), Ok(Challenge::Digest(digest)) if digest.nonce == "1"));
        assert!(matches!(strongest(&[md5, sha, basic]), Ok(Challenge::Digest(digest)) if digest.nonce == "2"));
        let unknown = strongest(&["Bearer realm=\"x\", Negotiate"]);
        assert!(matches!(&unknown, Err(NetworkError::UnsupportedCredentials(offered)) if offered.contains("Bearer")));
        assert!(strongest(&["Digest realm=\"x\", nonce=\"1\", qop=\"auth-int\""]).is_err());
        assert!(strongest(&["\u{1}"]).is_err() && strongest(&[]).is_err());
    }

    #[test]
    fn basic_credentials_are_base64() {
        let answer = Challenge::Basic.answer(&credentials("Aladdin", "open sesame"), "/");
        assert_eq!(answer, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
