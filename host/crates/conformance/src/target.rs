//! The server under test.

use std::time::Duration;

use crate::http::{Request, request};

/// Known paths of streams, in the order in which they are tried.
const STREAM_PATHS: [&str; 3] = ["/video_feed", "/?action=stream", "/stream"];
/// Known paths of snapshots, in the order in which they are tried.
const SNAPSHOT_PATHS: [&str; 3] = ["/snapshot", "/?action=snapshot", "/snapshot.jpg"];

/// A server and the paths of its stream and snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port, as in a URL.
    pub address: String,
    /// The path of the stream, with its query.
    pub stream: String,
    /// The path of the snapshot, with its query.
    pub snapshot: String,
}

impl Target {
    /// The server at `address` (host and port), with Hotshoe's paths.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), stream: "/video_feed".into(), snapshot: "/snapshot".into() }
    }

    /// The server at a URL such as `http://127.0.0.1:5000`. A path in the URL becomes a prefix of all other paths.
    ///
    /// If `stream` or `snapshot` is `None`, tries the known paths and uses the first one that returns a stream or an
    /// image.
    ///
    /// # Errors
    ///
    /// If the URL is invalid, or no known path returns a stream or an image.
    pub fn find(url: &str, stream: Option<&str>, snapshot: Option<&str>) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url:?} does not start with http://"))?;
        let (host, folder) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(format!("{url:?} has no host"));
        }
        let address = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let folder = folder.trim_end_matches('/');
        let prefixed = |path: &str| if folder.is_empty() { path.to_owned() } else { format!("/{folder}{path}") };
        let mut target = Self { address, stream: String::new(), snapshot: String::new() };
        target.stream = match stream {
            Some(path) => prefixed(path),
            None => target.find_path(STREAM_PATHS.map(prefixed), "multipart/")?,
        };
        target.snapshot = match snapshot {
            Some(path) => prefixed(path),
            None => target.find_path(SNAPSHOT_PATHS.map(prefixed), "image/jpeg")?,
        };
        Ok(target)
    }

    /// Returns the URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the URL of the stream.
    #[must_use]
    pub fn stream_url(&self) -> String {
        self.url(&self.stream)
    }

    /// Returns the URL of the snapshot.
    #[must_use]
    pub fn snapshot_url(&self) -> String {
        self.url(&self.snapshot)
    }

    /// Returns the first path whose Content-Type starts with this text.
    fn find_path(&self, paths: [String; 3], content_type: &str) -> Result<String, String> {
        let mut failures = Vec::new();
        for path in paths {
            match request(&self.address, &Request::get(&path), Duration::from_secs(5)) {
                Ok(response) => {
                    let found = response.head.header("content-type").unwrap_or("no Content-Type").to_ascii_lowercase();
                    if response.head.status == 200 && found.starts_with(content_type) {
                        return Ok(path);
                    }
                    failures.push(format!("{path} returns {} with {found}", response.head.status));
                }
                Err(error) => failures.push(format!("{path}: {error}")),
            }
        }
        Err(format!("no {content_type} found: {}", failures.join("; ")))
    }
}

/// Appends a parameter to a path's query.
#[must_use]
pub fn with_query(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_into_address_and_prefix() {
        let target = Target::find("http://camera.local/webcam/", Some("/stream"), Some("/snapshot")).unwrap();
        assert_eq!(target.stream_url(), "http://camera.local:80/webcam/stream");
        assert_eq!(with_query("/?action=stream", "a=1"), "/?action=stream&a=1");
        assert_eq!(with_query("/video_feed", "a=1"), "/video_feed?a=1");
        assert!(Target::find("https://camera", None, None).is_err());
        assert!(Target::find("http:///", None, None).is_err());
    }
}
