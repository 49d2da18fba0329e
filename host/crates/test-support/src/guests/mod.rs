//! Guests for tests, most of which misbehave, in WebAssembly text format.
//!
//! Each is a core module for a world in `wit/`. It consists of a prelude, which imports functions and responds to
//! requests, and a function `$misbehave`. It is converted to a component here, so no test needs the target
//! `wasm32-wasip2`. All guests respond properly to `/ok`, which shows that the host has survived, and to `/`, without
//! which they would be refused.
//!
//! * `encode`: from a module to a component. `prelude`: what all guests have in common.
//! * `drivers`: drivers of cameras.
//! * `filters`: filters of cameras.
//! * `misbehaving`, `channels`, `frame_pushing`, `pixels`, `workers`, `results`: what guests do. `components`, `reading`:
//!   guests made of it.

mod channels;
mod components;
mod drivers;
mod encode;
mod filters;
mod frame_pushing;
mod misbehaving;
mod pixels;
mod prelude;
mod reading;
mod results;
mod workers;

use super::server::run;

pub use self::channels::*;
pub use self::components::*;
pub use self::drivers::*;
pub use self::encode::{encode_module, encode_world};
pub use self::filters::*;
pub use self::frame_pushing::*;
pub use self::misbehaving::*;
pub use self::pixels::*;
pub use self::reading::*;
pub use self::results::*;
pub use self::workers::*;

pub(crate) use self::encode::ALLOCATOR;

/// Returns the built-in guest.
pub fn built_in() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    assert!(run(["guest".as_ref(), "save".as_ref(), path.as_os_str()]).status.success());
    std::fs::read(path).unwrap()
}

/// Returns a component that behaves the same but has another digest, because of a custom section with this number.
pub fn variant(component: &[u8], number: u32) -> Vec<u8> {
    // Component Model, Binary.md: the id 0, the length of the section, the length of the name, the name, the contents.
    let mut other = component.to_vec();
    other.extend([0, 6, 1, b'v']);
    other.extend(number.to_be_bytes());
    other
}
