//! Middleware that lets only known users pass, by basic authentication (RFC 7617).
//!
//! The environment variable `BASIC_AUTH_USERS` has the users: `NAME:PASSWORD`, one on each line.

use std::hint::black_box;

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::incoming_handler;
use response::http::{IncomingRequest, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/server", "../wit"],
        world: "hotshoe:gallery/middleware",
        with: { "wasi:http/types@0.2.12": response::http },
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let users = std::env::var("BASIC_AUTH_USERS").unwrap_or_default();
        if users.trim().is_empty() {
            eprintln!("BASIC_AUTH_USERS is not set, so no user can log in");
            return refuse(out, 503, "no users are configured\n");
        }
        let headers = request.headers().get("authorization");
        match headers.as_slice() {
            [header] if is_known(header, &users) => incoming_handler::handle(request, out),
            _ => refuse(out, 401, "log in with a user name and a password\n"),
        }
    }
}

/// Whether the value of `Authorization` has the name and password of a user. Takes the same time for every wrong value
/// of the same length.
fn is_known(header: &[u8], users: &str) -> bool {
    let Some((scheme, credentials)) = header.split_at_checked("Basic ".len()) else { return false };
    let matches = users.lines().filter(|line| line.contains(':')).fold(false, |matches, user| {
        // Compare all users, so that the time does not tell which one matches.
        matches | is_equal(credentials, base64(user.trim_end_matches('\r').as_bytes()).as_bytes())
    });
    matches && scheme.eq_ignore_ascii_case(b"Basic ")
}

/// Compares all bytes, wherever the first difference is.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |differences, (one, other)| black_box(differences | (one ^ other)));
    one.len() == other.len() && differences == 0
}

/// Encodes bytes in base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | usize::from(*group.get(index).unwrap_or(&0)));
        for digit in 0..4 {
            let is_padding = digit > group.len();
            text.push(if is_padding { '=' } else { char::from(DIGITS[bits >> (18 - 6 * digit) & 63]) });
        }
    }
    text
}

fn refuse(out: ResponseOutparam, status: u16, text: &str) {
    let challenge = ("www-authenticate", "Basic realm=\"Hotshoe\", charset=\"UTF-8\"");
    let headers = [challenge, ("content-type", "text/plain"), ("cache-control", "no-store")];
    let headers = if status == 401 { &headers[..] } else { &headers[1..] };
    response::send(out, status, headers, |body| body.write(text.as_bytes()));
}
