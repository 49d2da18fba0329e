//! Any path and query that a client can send, through the guest's parsers.
#![no_main]

extern crate alloc;

// The guest is a WebAssembly component whose modules are private, so they are compiled into this target.
#[allow(dead_code, reason = "a target uses a part of the module")]
#[path = "../../../guest/src/query.rs"]
mod query;
#[allow(dead_code, reason = "a target uses a part of the module")]
#[path = "../../../guest/src/route.rs"]
mod route;
// The module itself needs the bindings of the component.
mod part {
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum Boundary {
        Frame,
        DoNotCross,
    }
}

use libfuzzer_sys::fuzz_target;
use query::{Query, percent_decode};
use route::{Which, route};

fuzz_target!(|path: &str| {
    let path = &*percent_decode(path);
    let query = Query::of(path);
    for name in ["", "action", "fps", "key", "t"] {
        if let Some(value) = query.get(name) {
            assert!(path.contains(value));
        }
        query.is_set(name);
    }
    if let Some(rate) = query.rate() {
        assert!(rate.is_finite() && rate > 0.0, "{rate}");
    }
    if let Some(key) = query.key() {
        assert!((1..=40).contains(&key.len()) && key.is_ascii());
    }
    if let Some(request) = route(path)
        && let Which::Named(name) = request.camera
    {
        assert!(path.contains(name));
    }
});
