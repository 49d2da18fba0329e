//! What the access log says about a request.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version};
use serde::Serialize;

use super::redact::redact;

/// The most characters of a target, and of each header, that are logged.
const MAX_TEXT: usize = 1024;

/// Abbreviations of months, as in the combined log format.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the access log says about a request. The field names are those of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// When the head of the request had arrived: `2026-11-27T00:41:07.123456Z`.
    pub(super) time: String,
    /// The address of the client, behind a trusted proxy the one that the proxy forwards. `None` for a Unix socket.
    pub(super) client: Option<IpAddr>,
    /// Who has made the request, if it was authenticated.
    pub(super) user: Option<String>,
    pub(super) method: String,
    /// The path and the query, without secrets.
    pub(super) target: String,
    pub(super) protocol: &'static str,
    pub(super) status: u16,
    /// The bytes of the body that were sent.
    pub(super) bytes: u64,
    /// From the head of the request to the end of the response, in seconds.
    pub(super) duration: f64,
    /// From the head of the request to the first byte of the response, in seconds. `None` if it was not sent.
    pub(super) first_byte: Option<f64>,
    pub(super) referer: Option<String>,
    pub(super) user_agent: Option<String>,
}

impl Entry {
    /// The entry of a request from this client, which has no response yet.
    pub(super) fn new(head: &Parts, time: String, client: Option<IpAddr>) -> Self {
        let target = head.uri.path_and_query().map_or("*", |target| target.as_str());
        Self {
            time,
            client,
            user: None,
            method: head.method.to_string(),
            target: redact(&limited(target)),
            protocol: protocol(head.version),
            status: 0,
            bytes: 0,
            duration: 0.0,
            first_byte: None,
            referer: header(&head.headers, &REFERER).map(|referer| redact(&referer)),
            user_agent: header(&head.headers, &USER_AGENT),
        }
    }

    /// One line in the combined log format of Apache and nginx, followed by the duration and the time to the first byte
    /// in seconds.
    pub(super) fn combined(&self) -> String {
        let quoted = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), escape);
        let client = self.client.map_or_else(|| "unix:".to_owned(), |client| client.to_string());
        let user = self.user.as_deref().filter(|user| !user.is_empty()).map_or_else(|| "-".to_owned(), escape);
        let first_byte = self.first_byte.map_or_else(|| "-".to_owned(), |time| format!("{time:.6}"));
        format!(
            "{client} - {user} [{}] \"{} {} {}\" {} {} \"{}\" \"{}\" {:.6} {first_byte}\n",
            combined_time(&self.time),
            escape(&self.method),
            escape(&self.target),
            self.protocol,
            self.status,
            self.bytes,
            quoted(&self.referer),
            quoted(&self.user_agent),
            self.duration,
        )
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        // The entry has only fields that JSON can represent, so this does not fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Seconds, rounded to microseconds.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(limited(&String::from_utf8_lossy(headers.get(name)?.as_bytes())))
}

fn limited(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Escapes quotes, backslashes and everything that is not printable ASCII, as nginx does.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\x{byte:02X}");
            }
            _ => escaped.push(char::from(byte)),
        }
    }
    escaped
}

/// Converts `2026-11-27T00:41:07.123456Z` to `27/Nov/2026:00:41:07 +0000`.
fn combined_time(time: &str) -> String {
    let part = |range| time.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{}/{}/{}:{} +0000", part(8..10), month.copied().unwrap_or_default(), part(0..4), part(11..19))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_line_has_the_combined_format_and_hides_secrets() {
        let request = Request::get("/video_feed?token=secret&fps=5")
            .header(REFERER, "http://cam.local/?token=secret")
            .header(USER_AGENT, "evil\"\\ \u{e4}")
            .body(())
            .unwrap();
        let time = "2026-11-27T00:41:07.123456Z".to_owned();
        let mut entry = Entry::new(&request.into_parts().0, time, Some(IpAddr::from([192, 0, 2, 7])));
        (entry.status, entry.bytes, entry.duration) = (200, 1234, 12.5);
        assert_eq!(
            entry.combined(),
            "192.0.2.7 - - [27/Nov/2026:00:41:07 +0000] \"GET /video_feed?token=***&fps=5 HTTP/1.1\" 200 1234 \
             \"http://cam.local/?token=***\" \"evil\\x22\\x5C \\xC3\\xA4\" 12.500000 -\n"
        );
        let json: serde_json::Value = serde_json::from_str(&entry.json()).unwrap();
        assert_eq!(json["user_agent"], "evil\"\\ \u{e4}");
        assert_eq!((&json["client"], &json["first_byte"]), (&"192.0.2.7".into(), &serde_json::Value::Null));
    }

    #[test]
    fn long_texts_are_cut() {
        let request = Request::get("/").header(USER_AGENT, "x".repeat(10_000)).body(()).unwrap();
        let entry = Entry::new(&request.into_parts().0, String::new(), None);
        assert_eq!(entry.user_agent.as_ref().unwrap().len(), MAX_TEXT);
        assert!(entry.combined().starts_with("unix: - - ["));
    }
}
