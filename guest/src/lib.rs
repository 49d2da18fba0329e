//! The guest that Hotshoe comes with: the index page, snapshots, and the multipart stream.
//!
//! It is also the example to start one's own from. Requests come in at `Guest::handle`; `route` says what
//! each asks for; `page`, `snapshot`, `stream`, `events` and `controls` answer. A stream is given to its camera's
//! channel, which `publish` builds, once for all viewers. `feed` opens cameras, `part` holds the bytes of the multipart
//! format, `request` and `reply` what `wasi:http` needs for requests with a body and for responses, and `json` writes JSON.
//!
//! It is built without Rust's standard library, which imports an environment, standard streams and a way to
//! exit whether they are used or not. So the list of what this guest can reach is as short as it can be:
//! `hotshoe guest imports` prints it. A guest may use `std` all the same; the host offers what it imports.
//!
//! On other targets than WebAssembly the crate only serves its own unit tests.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod controls;
mod events;
mod feed;
mod json;
mod page;
mod part;
mod publish;
mod reply;
mod request;
mod route;
mod snapshot;
mod stream;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};
use route::{Request, Route};

struct Guest;

impl incoming_handler::Guest for Guest {
    /// Answer one request. The host calls this in a new instance each time.
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let route = route::route(&path);
        let head_only = match (request.method(), route) {
            (Method::Get, _) => false,
            (Method::Head, _) => true,
            (Method::Post, Some(Request { route: Route::Controls, camera })) => {
                return controls::set(out, request, camera);
            }
            (_, Some(Request { route: Route::Controls, .. })) => {
                let line = "405 controls are read by GET and set by POST\n";
                return reply::text(out, false, &reply::METHOD_NOT_ALLOWED_HERE, line);
            }
            _ => return reply::text(out, false, &reply::METHOD_NOT_ALLOWED, "405 this server answers GET and HEAD\n"),
        };
        match route {
            Some(Request { route: Route::Index, .. }) => page::serve(out, head_only),
            Some(Request { route: Route::Events, .. }) => events::serve(out, head_only),
            Some(Request { route: Route::Stream, camera }) => stream::serve(out, head_only, camera, route::rate(&path)),
            Some(Request { route: Route::Snapshot, camera }) => snapshot::serve(out, head_only, camera),
            Some(Request { route: Route::Controls, camera }) => controls::list(out, head_only, camera),
            None => reply::text(out, head_only, &reply::NOT_FOUND, "404 there is no such page; try /\n"),
        }
    }
}

#[cfg(target_family = "wasm")]
mod runtime;
