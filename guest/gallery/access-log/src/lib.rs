//! Middleware that prints a line for each request: its method and path.
//!
//! It prints the line before it passes the request on. The instance may end before the guest returns, for example when
//! the viewer of a stream leaves.

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/server", "../wit"],
        world: "hotshoe:gallery/middleware",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        // Queries may contain secrets.
        let path = path.split('?').next().unwrap_or_default();
        println!("{} {}", name(request.method()), path.escape_debug());
        incoming_handler::handle(request, out);
    }
}

/// The method as in a request line.
fn name(method: Method) -> String {
    match method {
        Method::Other(name) => name.escape_debug().to_string(),
        // `Method::Get` in Rust is `GET` in HTTP.
        standard => format!("{standard:?}").trim_start_matches("Method::").to_ascii_uppercase(),
    }
}
