//! What a request carries to say who is asking: an `Authorization` header or the parameter `token` of its URL.
//!
//! The credentials are taken out of the request, so that neither the guest nor the log can see them.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{AUTHORIZATION, REFERER};
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};

/// The longest `Authorization` header, in bytes: a name and a password of the greatest length in base64.
const MAX_HEADER_LENGTH: usize = 2048;

/// The parameter of a URL with a token.
const TOKEN_PARAMETER: &str = "token=";

/// Base64, with or without padding: not all clients pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who a request claims to come from. `Debug` shows no secret.
#[derive(Clone, Eq, PartialEq)]
pub enum Credentials {
    /// A user with a password (RFC 7617).
    Basic {
        /// The name of the user.
        name: String,
        /// The password, in whatever encoding the client uses.
        password: Vec<u8>,
    },
    /// A token, from the header (RFC 6750, section 2.1) or the URL (section 2.3).
    Token(String),
}

/// The credentials cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CredentialsError {
    /// There is more than one header or parameter, so it is unclear which one counts.
    #[error("the request has several Authorization headers or token parameters")]
    Several,
    /// The scheme is unknown.
    #[error("use Basic or Bearer authentication")]
    Scheme,
    /// The header is too long or malformed.
    #[error("the Authorization header is malformed")]
    Malformed,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { .. } => formatter.write_str("Basic"),
            Self::Token(_) => formatter.write_str("Token"),
        }
    }
}

/// Takes the credentials out of a request. The header takes precedence over the parameter. A `Referer` with a token is
/// removed as well.
pub fn take_credentials(headers: &mut HeaderMap, uri: &mut Uri) -> Result<Option<Credentials>, CredentialsError> {
    let token = take_token(uri);
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(parse_header(value.as_bytes())),
        (Some(_), Some(_)) => Some(Err(CredentialsError::Several)),
    };
    headers.remove(AUTHORIZATION);
    if headers.get(REFERER).is_some_and(|referrer| contains(referrer.as_bytes(), TOKEN_PARAMETER.as_bytes())) {
        headers.remove(REFERER);
    }
    let token = token?;
    header.transpose().map(|header| header.or(token.map(Credentials::Token)))
}

/// The token in the value of an `Authorization` header, if it has one (RFC 6750, section 2.1).
pub fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Parses the value of an `Authorization` header.
fn parse_header(value: &[u8]) -> Result<Credentials, CredentialsError> {
    if value.len() > MAX_HEADER_LENGTH {
        return Err(CredentialsError::Malformed);
    }
    let text = std::str::from_utf8(value).map_err(|_| CredentialsError::Malformed)?;
    if let Some(token) = bearer_token(text) {
        return Ok(Credentials::Token(token.to_owned()));
    }
    let (scheme, rest) = text.split_once(' ').ok_or(CredentialsError::Malformed)?;
    let rest = rest.trim();
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(CredentialsError::Scheme);
    }
    let decoded = BASE64.decode(rest).map_err(|_| CredentialsError::Malformed)?;
    // The name ends at the first colon. The password may contain others.
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or(CredentialsError::Malformed)?;
    let (name, password) = decoded.split_at_checked(colon).ok_or(CredentialsError::Malformed)?;
    let name = String::from_utf8(name.to_owned()).map_err(|_| CredentialsError::Malformed)?;
    Ok(Credentials::Basic { name, password: password.get(1..).unwrap_or_default().to_owned() })
}

/// Takes the parameter `token` out of a URL.
fn take_token(uri: &mut Uri) -> Result<Option<String>, CredentialsError> {
    let Some(query) = uri.query() else { return Ok(None) };
    let mut tokens = query.split('&').filter_map(|parameter| parameter.strip_prefix(TOKEN_PARAMETER));
    let Some(token) = tokens.next().map(str::to_owned) else { return Ok(None) };
    let several = tokens.next().is_some();
    let rest: Vec<_> = query.split('&').filter(|parameter| !parameter.starts_with(TOKEN_PARAMETER)).collect();
    let path = uri.path();
    let stripped = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    // Cannot fail, since removing parameters leaves a valid query.
    let stripped = PathAndQuery::try_from(stripped).unwrap_or(PathAndQuery::from_static("/"));
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(stripped);
    *uri = Uri::from_parts(parts).unwrap_or_default();
    if several { Err(CredentialsError::Several) } else { Ok(Some(token)) }
}

fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.windows(pattern.len()).any(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn take(url: &str, headers: &[&'static str]) -> (Result<Option<Credentials>, CredentialsError>, String) {
        let mut uri: Uri = url.parse().unwrap();
        let headers = headers.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
        let mut headers: HeaderMap = headers.collect();
        let credentials = take_credentials(&mut headers, &mut uri);
        assert!(headers.is_empty());
        (credentials, uri.to_string())
    }

    fn basic(name: &str, password: &str) -> Credentials {
        Credentials::Basic { name: name.to_owned(), password: password.as_bytes().to_owned() }
    }

    fn token(text: &str) -> Credentials {
        Credentials::Token(text.to_owned())
    }

    #[test]
    fn headers_of_basic_and_bearer_are_read() {
        for (header, expected) in [
            ("Basic YW5uOnNlY3JldA==", basic("ann", "secret")),
            ("basic YW5uOnNlY3JldA", basic("ann", "secret")),
            ("BASIC  YW5uOnNlY3JldA== ", basic("ann", "secret")),
            ("Basic YW5uOmE6Yg==", basic("ann", "a:b")),
            ("Basic Og==", basic("", "")),
            ("Bearer hs1.x", token("hs1.x")),
            ("bearer  hs1.x ", token("hs1.x")),
        ] {
            assert_eq!(take("/", &[header]).0, Ok(Some(expected)), "{header}");
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for (header, error) in [
            ("Basic", CredentialsError::Malformed),
            ("Basic !", CredentialsError::Malformed),
            ("Basic YW5u", CredentialsError::Malformed),
            ("Basic /w==", CredentialsError::Malformed),
            ("Digest username=\"ann\"", CredentialsError::Scheme),
            ("", CredentialsError::Malformed),
        ] {
            assert_eq!(take("/?token=valid", &[header]).0, Err(error), "{header}");
        }
        assert_eq!(take("/", &["Basic Og==", "Basic Og=="]).0, Err(CredentialsError::Several));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Basic {}", "A".repeat(4000)).parse().unwrap());
        assert_eq!(take_credentials(&mut headers, &mut Uri::default()), Err(CredentialsError::Malformed));
    }

    #[test]
    fn the_token_is_taken_out_of_the_url() {
        for (url, expected) in [
            ("/snapshot?token=t", "/snapshot"),
            ("/snapshot?max_age=0&token=t", "/snapshot?max_age=0"),
            ("/?token=t&action=stream", "/?action=stream"),
            ("http://pi.local/?a=1&token=t&b=2", "http://pi.local/?a=1&b=2"),
        ] {
            assert_eq!(take(url, &[]), (Ok(Some(token("t"))), expected.to_owned()), "{url}");
        }
        for url in ["/", "/?", "/?tokens=1", "/?x=token=1", "/token=1", "/?Token=1"] {
            assert_eq!(take(url, &[]), (Ok(None), url.to_owned()), "{url}");
        }
        assert_eq!(take("/?token=a&token=b&c", &[]), (Err(CredentialsError::Several), "/?c".to_owned()));
    }

    #[test]
    fn a_referrer_with_a_token_is_removed() {
        for (referrer, remains) in [("http://pi.local/?token=t", false), ("http://pi.local/page", true)] {
            let mut headers = HeaderMap::new();
            headers.insert(REFERER, HeaderValue::from_static(referrer));
            assert_eq!(take_credentials(&mut headers, &mut Uri::default()), Ok(None));
            assert_eq!(headers.contains_key(REFERER), remains, "{referrer}");
        }
    }
}
