//! The guest's parsers of paths and queries, with any value.
#![no_main]

extern crate alloc;

// Includes single modules, because those of the guest are private.
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../../guest/src/query.rs"]
mod query;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../../guest/src/route.rs"]
mod route;
// Replaces a module that needs the component's bindings.
mod multipart {
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum Boundary {
        Frame,
        DoNotCross,
    }
}

use libfuzzer_sys::fuzz_target;
use query::{Query, percent_decode};
use route::{CameraSelector, parse};

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
    if let Some(request) = parse(path)
        && let CameraSelector::Name(name) = request.camera
    {
        assert!(path.contains(name));
    }
});
