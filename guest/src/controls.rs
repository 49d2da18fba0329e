//! `/controls`: the controls of a camera. GET returns JSON. POST sets the controls of a form, in order:
//! `curl -d brightness=128 -d auto_exposure=1 http://127.0.0.1:5000/controls`.
//!
//! The host provides access to controls only with `--allow-control`, and rejects requests from pages of other sites
//! before they reach the guest.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::controls::{
    Control, ControlFlags, ControlType, ErrorCode, blocking_list_controls, blocking_set_control,
};
use crate::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use crate::feed;
use crate::json;
use crate::request::{self, BodyError};
use crate::response::{self, Head, NO_CACHE};
use crate::route::CameraSelector;

/// The maximum length of a form, in bytes. A camera has about thirty controls, so forms are much shorter.
const MAX_FORM_BYTES: usize = 16 << 10;

/// Responds with all controls of the camera.
pub fn list(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>) {
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    respond(out, head_only, blocking_list_controls(&camera.name));
}

/// Sets controls one after the other and responds with all controls of the camera, or with the first error. Controls
/// that were set before an error stay set, because each one may depend on those before it.
pub fn set(out: ResponseOutparam, request: IncomingRequest, camera: CameraSelector<'_>) {
    let Some((camera, out)) = feed::find_camera(out, false, camera) else { return };
    // Reject what can be rejected before reading the body, which may arrive slowly.
    if !are_allowed() {
        return respond(out, false, Err(ErrorCode::NotAllowed));
    }
    if request::announces_more_than(&request, MAX_FORM_BYTES) {
        return reject(out, 413, "the body is longer than 16 KiB");
    }
    let body = match request::read_body(request, MAX_FORM_BYTES) {
        Ok(body) => body,
        Err(BodyError::TooLong) => return reject(out, 413, "the body is longer than 16 KiB"),
        Err(BodyError::Malformed) => {
            return reject(out, 400, "the body is incomplete or its chunked encoding is invalid");
        }
    };
    let Some(values) = parse_form(&body) else {
        return reject(out, 400, "send names of controls and integers, as in brightness=128&auto_exposure=1");
    };
    for (name, value) in values {
        if let Err(error) = blocking_set_control(&camera.name, name, value) {
            return respond(out, false, Err(error));
        }
    }
    respond(out, false, blocking_list_controls(&camera.name));
}

/// Whether the host allows access to controls. No camera has an empty name, so this does not access any device.
fn are_allowed() -> bool {
    !matches!(blocking_list_controls(""), Err(ErrorCode::NotAllowed))
}

/// Parses a form (URL Standard, application/x-www-form-urlencoded). Returns `None` for anything else. Names of controls
/// and integers never need percent-encoding, so it is not decoded.
fn parse_form(body: &[u8]) -> Option<Vec<(&str, i64)>> {
    let form = core::str::from_utf8(body).ok()?.trim_ascii();
    let pairs = form.split('&').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name, value.parse().ok()?))
    });
    pairs.collect()
}

fn respond(out: ResponseOutparam, head_only: bool, controls: Result<Vec<Control>, ErrorCode>) {
    match controls {
        Ok(controls) => {
            let text = format!("{{\"controls\":{}}}\n", json::list(controls.iter().map(control_json)));
            send(out, head_only, 200, &text);
        }
        Err(error) => {
            let (status, message) = describe(error);
            send(out, head_only, status, &format!("{{\"error\":{}}}\n", json::string(&message)));
        }
    }
}

fn reject(out: ResponseOutparam, status: u16, message: &str) {
    send(out, false, status, &format!("{{\"error\":{}}}\n", json::string(message)));
}

fn send(out: ResponseOutparam, head_only: bool, status: u16, text: &str) {
    response::send(out, head_only, &Head { status, headers: &NO_CACHE }, "application/json", text.as_bytes());
}

/// Returns the HTTP status and the message for an error.
fn describe(error: ErrorCode) -> (u16, String) {
    match error {
        ErrorCode::NotAllowed => {
            (403, "controls are disabled; whoever runs the server can start it with --allow-control".to_string())
        }
        ErrorCode::UnknownCamera => (404, "there is no camera with this name".to_string()),
        ErrorCode::UnknownControl(message) => (404, message),
        ErrorCode::InvalidValue(message) => (400, message),
        ErrorCode::ReadOnly => (409, "this control is read-only".to_string()),
        ErrorCode::Inactive => (409, "an automatic mode overrides this control; turn it off first".to_string()),
        ErrorCode::Unavailable(message) => (503, message),
        ErrorCode::Other(message) => (500, message),
    }
}

fn control_json(control: &Control) -> String {
    let kind = match &control.type_ {
        ControlType::Integer(range) => format!(
            "\"kind\":\"integer\",\"minimum\":{},\"maximum\":{},\"step\":{}",
            range.minimum, range.maximum, range.step
        ),
        ControlType::Boolean => "\"kind\":\"boolean\"".to_string(),
        ControlType::Menu(items) => {
            let items = items
                .iter()
                .map(|item| format!("{{\"value\":{},\"label\":{}}}", item.value, json::string(&item.label)));
            format!("\"kind\":\"menu\",\"items\":{}", json::list(items))
        }
        ControlType::Button => "\"kind\":\"button\"".to_string(),
    };
    let has = |flag| control.flags & flag == flag;
    format!(
        "{{\"name\":{},\"label\":{},{kind},\"value\":{},\"default\":{},\"read_only\":{},\"inactive\":{}}}",
        json::string(&control.name),
        json::string(&control.label),
        json::optional(control.value),
        control.default,
        has(ControlFlags::READ_ONLY),
        has(ControlFlags::INACTIVE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_keep_their_order() {
        assert_eq!(parse_form(b"b=128&a=-1\n"), Some([("b", 128), ("a", -1)].into()));
    }

    #[test]
    fn anything_but_a_form_of_integers_is_rejected() {
        for wrong in
            [&b""[..], b"a", b"a=", b"a=1.5", b"a=b", b"a=1&", b"{\"a\":1}", b"\xff=1", b"a=99999999999999999999"]
        {
            assert_eq!(parse_form(wrong), None, "{wrong:?}");
        }
    }
}
