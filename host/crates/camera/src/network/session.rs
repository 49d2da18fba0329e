//! Requests to one server, with redirects and credentials.

use std::collections::HashMap;
use std::sync::Once;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};

use super::address::Address;
use super::authorization::Challenge;
use super::credentials::Credentials;
use super::error::{MAX_REDIRECTS, NetworkError};
use super::metadata::Metadata;
use super::resolver::Resolver;

/// The most challenges of one origin to answer in one request: a second one only if the nonce of the first was old.
const MAX_ANSWERS: u32 = 2;

const USER_AGENT: &str = concat!("hotshoe/", env!("CARGO_PKG_VERSION"));

/// Requests to one server. Keeps its connections and what it requires for authentication.
pub(super) struct Session {
    client: Client,
    url: Url,
    credentials: Option<Credentials>,
    /// What each origin has asked for. No other origin gets the answer: a server that asks over `https` must not receive
    /// the password over `http` with the next request. At most two origins are answered ([`may_have_credentials`]).
    challenges: HashMap<String, Challenge>,
}

impl Session {
    /// Creates a session. Connects only with the first request, from within the Tokio runtime that it then belongs to.
    pub(super) fn new(
        address: &Address,
        credentials: Option<Credentials>,
        is_insecure: bool,
        resolver: &Resolver,
    ) -> Result<Self, NetworkError> {
        static INSTALL_PROVIDER: Once = Once::new();
        // Fails if another part of the program has installed one, which serves as well.
        INSTALL_PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let url = address.url().clone();
        let builder = || client_builder().dns_resolver(resolver.clone()).tls_danger_accept_invalid_certs(is_insecure);
        let built = builder().build().or_else(|error| {
            // Without certificates on this machine, only https is impossible.
            if url.scheme() == "http" { builder().tls_certs_only([]).build() } else { Err(error) }
        });
        let client = built.map_err(|error| NetworkError::from_client(&error))?;
        Ok(Self { client, url, credentials, challenges: HashMap::new() })
    }

    /// Requests the address with these additional headers. Returns a response with a status of success, or 304.
    ///
    /// Follows redirects. Credentials are sent only to the origin of the address and to its `https` counterpart
    /// ([`may_have_credentials`]), and only after that very origin has asked for them.
    pub(super) async fn get(&mut self, headers: &HeaderMap) -> Result<Response, NetworkError> {
        let mut url = self.url.clone();
        let mut redirects = 0;
        // By origin, because each may ask.
        let mut answers: HashMap<String, u32> = HashMap::new();
        loop {
            let origin = url.origin().ascii_serialization();
            let is_trusted = may_have_credentials(&self.url, &url);
            let mut request = self.client.get(url.clone()).headers(headers.clone());
            if is_trusted
                && let (Some(credentials), Some(challenge)) = (&self.credentials, self.challenges.get_mut(&origin))
                && let Ok(mut answer) = HeaderValue::try_from(challenge.answer(credentials, &target(&url)))
            {
                answer.set_sensitive(true);
                request = request.header(AUTHORIZATION, answer);
            }
            let response = request.send().await.map_err(|error| NetworkError::from_client(&error))?;
            let status = response.status();
            match status {
                StatusCode::NOT_MODIFIED => return Ok(response),
                _ if status.is_success() => return Ok(response),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        return Err(NetworkError::TooManyRedirects);
                    }
                    url = redirect_target(&url, &response).ok_or(NetworkError::InvalidRedirect)?;
                }
                StatusCode::UNAUTHORIZED => {
                    if self.credentials.is_none() {
                        return Err(NetworkError::NeedsCredentials);
                    }
                    if !is_trusted {
                        return Err(NetworkError::CredentialsElsewhere(origin));
                    }
                    let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
                    let challenge = Challenge::strongest(values.filter_map(|value| value.to_str().ok()))?;
                    let answers = answers.entry(origin.clone()).or_default();
                    let may_answer = *answers == 0 || (*answers < MAX_ANSWERS && challenge.is_stale());
                    if !may_answer {
                        return Err(NetworkError::WrongCredentials);
                    }
                    *answers += 1;
                    self.challenges.insert(origin, challenge);
                }
                _ => {
                    let metadata = Metadata::of_response(&response);
                    return Err(metadata.outage.map_or(NetworkError::Status(status), NetworkError::Reported));
                }
            }
        }
    }
}

fn client_builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        // Cameras are in the local network. A proxy from the environment would receive their credentials.
        .no_proxy()
        .redirect(Policy::none())
        // What embedded servers get wrong.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
}

/// Whether a server may get the credentials for the address `own`: the same origin, or the `https` counterpart of an
/// `http` address, which has the same host and the default port, as in Python's requests.
///
/// That is no less safe than answering `http` itself, because the certificate is verified for the same host. Other
/// ports may belong to other users of a machine.
fn may_have_credentials(own: &Url, url: &Url) -> bool {
    // `port` is `None` for the default port of the scheme.
    let is_counterpart = (own.scheme(), url.scheme()) == ("http", "https")
        && own.host() == url.host()
        && own.port().is_none()
        && url.port().is_none();
    own.origin() == url.origin() || is_counterpart
}

/// The request target: the path and the query.
fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn redirect_target(url: &Url, response: &Response) -> Option<Url> {
    let target = url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    let is_usable = matches!(target.scheme(), "http" | "https") && target.username().is_empty();
    (is_usable && target.password().is_none()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_belong_to_the_origin_and_to_its_https_counterpart() {
        let may_have = |own: &str, url: &str| may_have_credentials(&own.parse().unwrap(), &url.parse().unwrap());
        for (own, url) in [
            ("http://cam/a", "http://cam:80/b"),
            ("http://cam:8080/", "http://cam:8080/b"),
            ("https://cam/", "https://CAM:443/b"),
            ("http://cam/", "https://cam/b"),
            ("http://cam:80/", "https://cam:443/"),
            ("http://[::1]/", "https://[::1]/"),
        ] {
            assert!(may_have(own, url), "{own} {url}");
        }
        for (own, url) in [
            ("https://cam/", "http://cam/"),
            ("http://cam/", "https://cam:8443/"),
            ("http://cam:8080/", "https://cam/"),
            ("http://cam:8080/", "https://cam:8080/"),
            ("http://cam/", "http://cam:8080/"),
            ("http://cam/", "https://www.cam/"),
            ("http://cam/", "https://cam.evil/"),
            ("http://127.0.0.1/", "https://127.0.0.2/"),
        ] {
            assert!(!may_have(own, url), "{own} {url}");
        }
    }
}
