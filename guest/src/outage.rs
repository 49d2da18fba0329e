//! How outages are named in headers and events.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use crate::bindings::hotshoe::camera::cameras::{CameraState, Outage, OutageCause};

/// Returns the name of a cause as in the WIT.
pub fn cause_name(cause: OutageCause) -> &'static str {
    match cause {
        OutageCause::NotFound => "not-found",
        OutageCause::Busy => "busy",
        OutageCause::AccessDenied => "access-denied",
        OutageCause::Unsupported => "unsupported",
        OutageCause::Stalled => "stalled",
        OutageCause::Failed => "failed",
    }
}

/// Returns the value of the header `X-Outage` for a camera in this state, or `None` if there is no outage: the cause
/// and, after a space, the reason in percent-encoded UTF-8 (RFC 3986, section 2.1), because headers are ASCII.
///
/// Hosts that have this host as their camera read it.
pub fn header_value(state: &CameraState) -> Option<String> {
    let CameraState::Lost(Outage { cause, message }) = state else { return None };
    let mut value = format!("{} ", cause_name(*cause));
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => value.push(byte.into()),
            // Writing to a `String` cannot fail.
            _ => {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_percent_encoded() {
        let outage = Outage { cause: OutageCause::NotFound, message: "no caf\u{e9} at 100%\r\nX: y".into() };
        let value = header_value(&CameraState::Lost(outage));
        assert_eq!(value.as_deref(), Some("not-found no caf%C3%A9 at 100%25%0D%0AX: y"));
        assert_eq!(header_value(&CameraState::Live), None);
    }
}
