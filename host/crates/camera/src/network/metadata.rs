//! What headers say about a frame. The same headers are in the parts of streams, and in responses with one image.
//!
//! | header | meaning |
//! | --- | --- |
//! | `X-Sequence` | the number of the frame |
//! | `X-Timestamp` | when it was captured, in seconds since 1970 |
//! | `X-Outage` | the image is a placeholder: the cause of the outage and, after a space, its reason, percent-encoded |
//! | `X-Online`, `X-UStreamer-Online` | `false` if the image is a placeholder |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Response;

use crate::frame::Timestamp;
use crate::status::{Outage, OutageCause};
use crate::text::affects_display;

/// The oldest frame that a timestamp may claim. Older times come from clocks that count from boot or were never set.
const MAX_AGE: Duration = Duration::from_secs(60);

/// How far a timestamp may be in the future, because the clocks of two machines differ a little.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// Frame numbers below this are credible. A camera at 1000 fps reaches it after 285,000 years, and clients in
/// JavaScript cannot represent larger ones.
const MAX_SEQUENCE: u64 = 1 << 53;

/// The longest reason that is passed on, in characters.
const MAX_REASON_LENGTH: usize = 500;

/// The reason that is shown if a server gives none.
const NO_REASON: &str = "the server has no picture from its camera";

/// What the headers of an image say about it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Metadata {
    /// The number of the frame.
    pub(super) sequence: Option<u64>,
    /// The time of capture since 1970, by the clock of the server.
    captured: Option<Duration>,
    /// Why the image is a placeholder. `None` for frames.
    pub(super) outage: Option<Outage>,
}

impl Metadata {
    /// Reads the headers, which `get` returns by name.
    pub(super) fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        let is_offline = ["x-online", "x-ustreamer-online"].into_iter().any(|name| get(name) == Some("false"));
        let unexplained = || Outage { cause: OutageCause::Failed, message: NO_REASON.into() };
        Self {
            sequence: get("x-sequence").and_then(|text| text.parse().ok()).filter(|number| *number < MAX_SEQUENCE),
            captured: get("x-timestamp").and_then(parse_timestamp),
            outage: get("x-outage").map(parse_outage).or_else(|| is_offline.then(unexplained)),
        }
    }

    /// Reads the headers of a response.
    pub(super) fn of_response(response: &Response) -> Self {
        Self::read(|name| response.headers().get(name)?.to_str().ok())
    }

    /// Returns the time of capture of an image that has just arrived: by the clock of the server if that is credible,
    /// else the present.
    pub(super) fn timestamp(&self) -> Timestamp {
        let now = Timestamp::now();
        let Some(wall) = self.captured.and_then(|captured| UNIX_EPOCH.checked_add(captured)) else { return now };
        timestamp_at(wall, now)
    }
}

fn timestamp_at(wall: SystemTime, now: Timestamp) -> Timestamp {
    match now.wall.duration_since(wall) {
        Ok(age) if age <= MAX_AGE => {
            Timestamp { monotonic: now.monotonic.checked_sub(age).unwrap_or(now.monotonic), wall }
        }
        // In the future by the clock of this machine, so no age can be computed.
        Err(ahead) if ahead.duration() <= MAX_CLOCK_DIFFERENCE => Timestamp { monotonic: now.monotonic, wall },
        _ => now,
    }
}

/// Parses seconds with decimals.
fn parse_timestamp(text: &str) -> Option<Duration> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(decimals) {
        return None;
    }
    let nanoseconds = format!("{decimals:0<9}").get(..9)?.parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanoseconds))
}

/// Parses the cause and the reason of an outage. What is unknown or malformed becomes a failure.
fn parse_outage(text: &str) -> Outage {
    let (cause, reason) = text.split_once(' ').unwrap_or((text, ""));
    let reason = sanitize(&percent_decode(reason));
    let message = if reason.is_empty() { NO_REASON.into() } else { reason.into() };
    Outage { cause: OutageCause::from_name(cause).unwrap_or(OutageCause::Failed), message }
}

/// Decodes percent-encoded UTF-8 (RFC 3986, section 2.1).
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let decoded = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns one line of limited length without characters that change the direction of text: it is logged and shown to
/// people, and a stranger may have written it.
pub(super) fn sanitize(text: &str) -> String {
    text.trim().chars().filter(|char| !affects_display(*char)).take(MAX_REASON_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &'static str)]) -> Metadata {
        Metadata::read(|name| headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value))
    }

    #[test]
    fn outages_keep_their_cause_and_reason() {
        let outage = |value| read(&[("x-outage", value)]).outage.unwrap();
        let found = outage("not-found no device at /dev/caf%C3%A9; plug it in, 100%25 sure");
        assert_eq!(found.cause, OutageCause::NotFound);
        assert_eq!(&*found.message, "no device at /dev/caf\u{e9}; plug it in, 100% sure");
        assert_eq!(&*outage("stalled").message, NO_REASON);
        assert_eq!(outage("broken the lens is dirty").cause, OutageCause::Failed);
        assert_eq!(&*outage("failed 5% %zz %").message, "5% %zz %");
        assert_eq!(&*outage("failed a%0D%0Ab%E2%80%AEc%1B[31m%ff").message, "abc[31m\u{fffd}");
        assert_eq!(read(&[("x-online", "false")]).outage.unwrap().cause, OutageCause::Failed);
        assert!(read(&[("x-ustreamer-online", "false")]).outage.is_some());
        assert_eq!(read(&[("x-online", "true")]).outage, None);
    }

    #[test]
    fn long_reasons_are_cut() {
        let long: &'static str = Box::leak(format!("failed {}", "\u{e9}".repeat(2000)).into_boxed_str());
        assert_eq!(read(&[("x-outage", long)]).outage.unwrap().message.chars().count(), MAX_REASON_LENGTH);
    }

    #[test]
    fn credible_timestamps_are_kept() {
        assert_eq!(parse_timestamp("1700000000.004005"), Some(Duration::new(1_700_000_000, 4_005_000)));
        assert_eq!(parse_timestamp("5"), Some(Duration::from_secs(5)));
        for text in ["", ".5", "-1.5", "1e9", "x", "1.5s", "99999999999999999999999"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        let now =
            Timestamp { monotonic: Duration::from_secs(100), wall: UNIX_EPOCH + Duration::from_secs(2_000_000_000) };
        let at = |seconds: f64| UNIX_EPOCH + Duration::from_secs_f64(seconds);
        let early = timestamp_at(at(1_999_999_999.5), now);
        assert_eq!((early.wall, early.monotonic), (at(1_999_999_999.5), Duration::from_secs_f64(99.5)));
        let ahead = timestamp_at(at(2_000_000_001.0), now);
        assert_eq!((ahead.wall, ahead.monotonic), (at(2_000_000_001.0), now.monotonic));
        // The clock counts from boot, or is set to another year.
        for other in [5000.0, 1_900_000_000.0, 2_100_000_000.0] {
            assert_eq!(timestamp_at(at(other), now), now);
        }
    }
}
