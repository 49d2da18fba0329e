//! The guest that Hotshoe comes with: the page, snapshots and streams, events, states and logs, controls.
//!
//! It is also the example to start one's own from. Requests come in at `Guest::handle`; `route` and `query` say what
//! each asks for; `page`, `snapshot`, `stream`, `events`, `state`, `log` and `controls` answer. Streams and events are
//! given to channels, which `publish` fills, once for all who watch. `feed` opens cameras and `measure` looks at what
//! they gave; `part` holds the bytes of the multipart format, `request` and `reply` what `wasi:http` needs for requests
//! with a body and for responses; `json` and `date` write what they are named after.
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
mod date;
mod events;
mod feed;
mod json;
mod log;
mod measure;
mod page;
mod part;
mod publish;
mod query;
mod reply;
mod request;
mod route;
mod snapshot;
mod state;
mod stream;

use bindings::exports::wasi::http::incoming_handler;
use bindings::hotshoe::server::instances;
use bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};
use query::Query;
use route::{Request, Route};

struct Guest;

impl incoming_handler::Guest for Guest {
    /// Answer one request. The host calls this in a new instance, or in one that has answered before.
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        // Nothing is kept here from one request to the next but the allocator's memory.
        instances::allow_reuse();
        let path = request.path_with_query().unwrap_or_default();
        let path = query::percent_decode(&path);
        let query = Query::of(&path);
        let Some(Request { route, camera }) = route::route(&path) else {
            let head_only = matches!(request.method(), Method::Head);
            return reply::text(out, head_only, &reply::NOT_FOUND, "404 there is no such page; try /\n");
        };
        let head_only = match (request.method(), route) {
            (Method::Get, _) => false,
            (Method::Head, _) => true,
            (Method::Options, Route::Controls) => return reply::empty(out, &reply::OPTIONS_OF_CONTROLS),
            (Method::Options, _) => return reply::empty(out, &reply::OPTIONS),
            (Method::Post, Route::Controls) => return controls::set(out, request, camera),
            (_, Route::Controls) => {
                let line = "405 controls are read by GET and set by POST\n";
                return reply::text(out, false, &reply::METHOD_NOT_ALLOWED_HERE, line);
            }
            _ => return reply::text(out, false, &reply::METHOD_NOT_ALLOWED, "405 this server answers GET and HEAD\n"),
        };
        match route {
            Route::Index => page::serve(out, head_only),
            Route::Events => events::serve(out, head_only),
            Route::Stream(boundary) => stream::serve(out, head_only, camera, query, boundary),
            Route::Pictures => stream::serve_several(out, head_only, query),
            Route::Snapshot => snapshot::serve(out, head_only, camera),
            Route::State => state::serve(out, head_only, camera),
            Route::Log => log::serve(out, head_only, camera, query, log::Format::Html),
            Route::LogAsCsv => log::serve(out, head_only, camera, query, log::Format::Csv),
            Route::Controls => controls::list(out, head_only, camera),
        }
    }
}

#[cfg(target_family = "wasm")]
mod runtime;
