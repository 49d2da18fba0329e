//! The built-in guest of Hotshoe: the page, snapshots, streams, results, events, clips,
//! the state, the log and controls.
//!
//! It also serves as the example for other guests; `hotshoe guest new --full` copies it. Requests arrive at
//! `Component::handle`, and `route` and `query` parse them. `page`, `snapshot`, `stream`, `results`, `events`, `clip`,
//! `minute`, `state`, `log` and `controls` respond. Streams, results and events are channels, which `viewer` joins and
//! `publish` publishes. `feed` opens cameras, `outage` and `filters` describe them, `measurement` computes their frame
//! rates, `recent` reads their history, `multipart` and `matroska` write these formats, `request` and `response` wrap
//! `wasi:http`, `json` and `date` format values.
//!
//! The guest does not use the Rust standard library, because that imports an environment, standard streams and an exit
//! function even if a program does not use them. So its list of imports, which `hotshoe guest imports` prints, is as
//! short as possible. Other guests can use `std`: the host provides what it imports.
//!
//! For targets other than WebAssembly, the crate only contains the unit tests.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod clip;
mod component;
mod controls;
mod date;
mod events;
mod feed;
mod filters;
mod json;
mod log;
mod matroska;
mod measurement;
mod minute;
mod multipart;
mod outage;
mod page;
mod publish;
mod query;
mod recent;
mod request;
mod response;
mod results;
mod route;
mod snapshot;
mod state;
mod stream;
mod viewer;

use bindings::exports::wasi::http::incoming_handler;
use bindings::hotshoe::server::instances;
use bindings::wasi::http::types::{IncomingRequest, Method, ResponseOutparam};
use component::Component;
use query::Query;
use route::{Request, Route};

impl incoming_handler::Guest for Component {
    /// Responds to a request.
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        // The guest keeps no state between requests except for the memory of the allocator.
        instances::allow_reuse();
        let path = request.path_with_query().unwrap_or_default();
        let path = query::percent_decode(&path);
        let query = Query::of(&path);
        let Some(Request { route, camera }) = route::parse(&path) else {
            let head_only = matches!(request.method(), Method::Head);
            return response::send_line(out, head_only, &response::NOT_FOUND, "404 there is no such page; try /\n");
        };
        let head_only = match (request.method(), route) {
            (Method::Get, _) => false,
            (Method::Head, _) => true,
            (Method::Options, Route::Controls) => return response::send_empty(out, &response::CONTROLS_OPTIONS),
            (Method::Options, _) => return response::send_empty(out, &response::OPTIONS),
            (Method::Post, Route::Controls) => return controls::set(out, request, camera),
            (_, Route::Controls) => {
                let line = "405 GET reads controls, POST sets them\n";
                return response::send_line(out, false, &response::CONTROLS_METHOD_NOT_ALLOWED, line);
            }
            _ => {
                let line = "405 only GET and HEAD are supported here\n";
                return response::send_line(out, false, &response::METHOD_NOT_ALLOWED, line);
            }
        };
        match route {
            Route::Index => page::serve(out, head_only),
            Route::Events => events::serve(out, head_only),
            Route::EventImage(id) => events::serve_image(out, head_only, id),
            Route::Results => results::serve(out, head_only, camera, query, &request),
            Route::Clip => clip::serve(out, head_only, camera, query),
            Route::Minute => minute::serve(out, head_only, camera),
            Route::Stream(boundary) => stream::serve(out, head_only, camera, query, boundary),
            Route::Pictures => stream::serve_several(out, head_only, query),
            Route::Snapshot => snapshot::serve(out, head_only, camera, query),
            Route::State => state::serve(out, head_only, camera),
            Route::Log => log::serve(out, head_only, camera, query, log::Format::Html),
            Route::LogCsv => log::serve(out, head_only, camera, query, log::Format::Csv),
            Route::Controls => controls::list(out, head_only, camera),
        }
    }
}

#[cfg(target_family = "wasm")]
mod runtime;
