//! `/controls`: what can be set on a camera. GET answers with JSON; POST sets what a form names, in its order, as in
//! `curl -d brightness=128 -d auto_exposure=1 http://127.0.0.1:5000/controls`.
//!
//! The host allows this only where its owner said so, and refuses requests of other sites' pages before they come here.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::controls::{
    Control, ControlFlags, ControlType, ErrorCode, blocking_list_controls, blocking_set_control,
};
use crate::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use crate::feed;
use crate::json;
use crate::reply::{self, FRESH, Head};
use crate::request::{self, BodyError};
use crate::route::Which;

/// No form that sets controls is longer; a camera has some thirty of them.
const BODY_LIMIT: usize = 16 << 10;

/// Answer with all controls of this camera.
pub fn list(out: ResponseOutparam, head_only: bool, camera: Which<'_>) {
    let Some((camera, out)) = feed::find(out, head_only, camera) else { return };
    answer(out, head_only, blocking_list_controls(&camera.name));
}

/// Set controls of this camera one after the other, and answer with all of them; or with the first that is refused.
/// Those before it stay set, as each depends on those before it.
pub fn set(out: ResponseOutparam, request: IncomingRequest, camera: Which<'_>) {
    let Some((camera, out)) = feed::find(out, false, camera) else { return };
    // All that can be refused without the body is refused before it is read: a client may take its time to send it.
    if !are_allowed() {
        return answer(out, false, Err(ErrorCode::NotAllowed));
    }
    if request::is_longer(&request, BODY_LIMIT) {
        return refuse(out, 413, "the body is longer than 16 KiB");
    }
    let body = match request::body(request, BODY_LIMIT) {
        Ok(body) => body,
        Err(BodyError::TooLong) => return refuse(out, 413, "the body is longer than 16 KiB"),
        Err(BodyError::Malformed) => return refuse(out, 400, "the body broke off or is not chunked correctly"),
    };
    let Some(values) = parse(&body) else {
        return refuse(out, 400, "send controls and whole numbers, as in brightness=128&auto_exposure=1");
    };
    for (name, value) in values {
        if let Err(error) = blocking_set_control(&camera.name, name, value) {
            return answer(out, false, Err(error));
        }
    }
    answer(out, false, blocking_list_controls(&camera.name));
}

/// Whether the host's owner allows controls. No camera has an empty name, so the host does not ask any device.
fn are_allowed() -> bool {
    !matches!(blocking_list_controls(""), Err(ErrorCode::NotAllowed))
}

/// Names and values of a form (URL Standard, application/x-www-form-urlencoded); none if it is anything else. Names
/// of controls and numbers need no escaping, so none is undone.
fn parse(body: &[u8]) -> Option<Vec<(&str, i64)>> {
    let form = core::str::from_utf8(body).ok()?.trim_ascii();
    let pairs = form.split('&').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name, value.parse().ok()?))
    });
    pairs.collect()
}

fn answer(out: ResponseOutparam, head_only: bool, controls: Result<Vec<Control>, ErrorCode>) {
    match controls {
        Ok(controls) => {
            let text = format!("{{\"controls\":{}}}\n", json::list(controls.iter().map(shown)));
            send(out, head_only, 200, &text);
        }
        Err(error) => {
            let (status, message) = said(error);
            send(out, head_only, status, &format!("{{\"error\":{}}}\n", json::text(&message)));
        }
    }
}

fn refuse(out: ResponseOutparam, status: u16, message: &str) {
    send(out, false, status, &format!("{{\"error\":{}}}\n", json::text(message)));
}

fn send(out: ResponseOutparam, head_only: bool, status: u16, text: &str) {
    reply::whole(out, head_only, &Head { status, headers: &FRESH }, "application/json", text.as_bytes());
}

fn said(error: ErrorCode) -> (u16, String) {
    match error {
        ErrorCode::NotAllowed => {
            (403, "controls are off; who runs the server can start it with --allow-control".to_string())
        }
        ErrorCode::UnknownCamera => (404, "there is no camera of that name".to_string()),
        ErrorCode::UnknownControl(message) => (404, message),
        ErrorCode::InvalidValue(message) => (400, message),
        ErrorCode::ReadOnly => (409, "that can only be read".to_string()),
        ErrorCode::Inactive => (409, "an automatic does its work; turn that off first".to_string()),
        ErrorCode::Unavailable(message) => (503, message),
        ErrorCode::Other(message) => (500, message),
    }
}

/// One control, as JSON.
fn shown(control: &Control) -> String {
    let kind = match &control.type_ {
        ControlType::Integer(range) => format!(
            "\"kind\":\"integer\",\"minimum\":{},\"maximum\":{},\"step\":{}",
            range.minimum, range.maximum, range.step
        ),
        ControlType::Boolean => "\"kind\":\"boolean\"".to_string(),
        ControlType::Menu(items) => {
            let items =
                items.iter().map(|item| format!("{{\"value\":{},\"label\":{}}}", item.value, json::text(&item.label)));
            format!("\"kind\":\"menu\",\"items\":{}", json::list(items))
        }
        ControlType::Button => "\"kind\":\"button\"".to_string(),
    };
    let has = |flag| control.flags & flag == flag;
    format!(
        "{{\"name\":{},\"label\":{},{kind},\"value\":{},\"default\":{},\"read_only\":{},\"inactive\":{}}}",
        json::text(&control.name),
        json::text(&control.label),
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
    fn a_form_is_understood_in_its_order() {
        assert_eq!(parse(b"b=128&a=-1\n"), Some([("b", 128), ("a", -1)].into()));
    }

    #[test]
    fn everything_else_is_not() {
        for wrong in
            [&b""[..], b"a", b"a=", b"a=1.5", b"a=b", b"a=1&", b"{\"a\":1}", b"\xff=1", b"a=99999999999999999999"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
