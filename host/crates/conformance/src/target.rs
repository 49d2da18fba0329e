//! The server that is checked.

use std::time::Duration;

use crate::http::{Request, request};

/// Where a server has its stream, in the order in which they are tried.
const STREAMS: [&str; 3] = ["/video_feed", "/?action=stream", "/stream"];
/// Where a server has its single picture, likewise.
const SNAPSHOTS: [&str; 3] = ["/snapshot", "/?action=snapshot", "/snapshot.jpg"];

/// A server and the paths of its pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port, as in a URL.
    pub address: String,
    /// Path of the stream, with its query.
    pub stream: String,
    /// Path of the single picture, with its query.
    pub snapshot: String,
}

impl Target {
    /// The server at `address` (host and port), with the paths that Hotshoe has.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), stream: "/video_feed".into(), snapshot: "/snapshot".into() }
    }

    /// The server of a URL such as `http://127.0.0.1:5000`. A path in the URL is put before every path.
    ///
    /// What is not given is looked for: the first known path that answers as a stream or a picture does.
    ///
    /// # Errors
    ///
    /// If the URL is none, or the server has no stream or picture at the known paths.
    pub fn find(url: &str, stream: Option<&str>, snapshot: Option<&str>) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url:?} does not begin with http://"))?;
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
        let below = |path: &str| if folder.is_empty() { path.to_owned() } else { format!("/{folder}{path}") };
        let mut target = Self { address, stream: String::new(), snapshot: String::new() };
        target.stream = match stream {
            Some(path) => below(path),
            None => target.first(STREAMS.map(below), "multipart/")?,
        };
        target.snapshot = match snapshot {
            Some(path) => below(path),
            None => target.first(SNAPSHOTS.map(below), "image/jpeg")?,
        };
        Ok(target)
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of the stream.
    #[must_use]
    pub fn stream_url(&self) -> String {
        self.url(&self.stream)
    }

    /// The URL of the single picture.
    #[must_use]
    pub fn snapshot_url(&self) -> String {
        self.url(&self.snapshot)
    }

    fn first(&self, paths: [String; 3], content_type: &str) -> Result<String, String> {
        let mut seen = Vec::new();
        for path in paths {
            match request(self, &Request::get(&path), Duration::from_secs(5)) {
                Ok(response) => {
                    let found = response.head.header("content-type").unwrap_or("nothing").to_ascii_lowercase();
                    if response.head.status == 200 && found.starts_with(content_type) {
                        return Ok(path);
                    }
                    seen.push(format!("{path} answers {} with {found}", response.head.status));
                }
                Err(error) => seen.push(format!("{path}: {error}")),
            }
        }
        Err(format!("no {content_type} found: {}", seen.join("; ")))
    }
}

/// A path with one more parameter in its query.
#[must_use]
pub fn with_query(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target = Target::find("http://camera.local/webcam/", Some("/stream"), Some("/snapshot")).unwrap();
        assert_eq!(target.stream_url(), "http://camera.local:80/webcam/stream");
        assert_eq!(with_query("/?action=stream", "a=1"), "/?action=stream&a=1");
        assert_eq!(with_query("/video_feed", "a=1"), "/video_feed?a=1");
        assert!(Target::find("https://camera", None, None).is_err());
        assert!(Target::find("http:///", None, None).is_err());
    }
}
