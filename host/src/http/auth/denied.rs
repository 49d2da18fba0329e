//! Why a request is denied, and the response that says so.

use std::time::Duration;

use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::credentials::CredentialsError;
use super::role::Role;
use super::token::TokenRefused;
use crate::http::host_response;

/// The challenge for users (RFC 7617). Browsers ask for a name and a password.
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"Hotshoe\", charset=\"UTF-8\"");

/// The challenge after a wrong token (RFC 6750, section 3.1). Browsers do not ask for a password.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"Hotshoe\", error=\"invalid_token\"");

/// Why a request is denied. The message is one line, sent to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denied {
    /// It has no credentials.
    #[error("log in with a user name and a password, or use a token")]
    LoginRequired,
    /// The credentials cannot be read.
    #[error(transparent)]
    Malformed(#[from] CredentialsError),
    /// There is no such user, or it has another password. The message does not say which.
    #[error("wrong user name or password")]
    WrongPassword,
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] TokenRefused),
    /// The user's role does not permit it.
    #[error("this needs a user with the role {0}")]
    Role(Role),
    /// The token is for something else.
    #[error("the token does not open this; it opens pictures of its cameras, such as /snapshot/NAME")]
    OutsideToken,
    /// The client has guessed wrong too often.
    #[error("too many wrong passwords from this address, try again in {} seconds", seconds(*.0))]
    Throttled(Duration),
    /// Too many logins wait to be checked.
    #[error("too many logins at once, try again soon")]
    Busy,
}

impl Denied {
    /// The status of the response.
    pub fn status(self) -> StatusCode {
        match self {
            Self::LoginRequired | Self::Malformed(_) | Self::WrongPassword | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Role(_) | Self::OutsideToken => StatusCode::FORBIDDEN,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The challenge of a response with 401.
    fn challenge(self) -> Option<HeaderValue> {
        match self {
            Self::LoginRequired | Self::Malformed(_) | Self::WrongPassword => Some(BASIC),
            Self::Token(_) => Some(BEARER),
            Self::Role(_) | Self::OutsideToken | Self::Throttled(_) | Self::Busy => None,
        }
    }

    /// Sets the headers of a response that say how to be admitted.
    pub fn insert_headers(self, headers: &mut HeaderMap) {
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Self::Throttled(wait) = self {
            headers.insert(RETRY_AFTER, seconds(wait).into());
        }
    }

    /// The response as text.
    pub fn response(self) -> Response<Full<Bytes>> {
        let mut response = host_response::text(self.status(), &self.to_string());
        self.insert_headers(response.headers_mut());
        response
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
