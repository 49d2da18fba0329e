//! The host side of the interfaces in `wit/`, one module for each. The WIT states what each function promises; these
//! modules only contain what the host does to keep the promise.

pub(super) mod bindings;
mod cameras;
mod channels;
mod controls;
mod events;
pub(super) mod files;
mod frame_parts;
mod frame_pump;
pub(super) mod frames;
mod generations;
mod history;
mod instances;
pub(super) mod keyvalue;
pub(super) mod logging;
mod pixels;
pub(super) mod request_texts;
mod resources;
mod results;
pub(super) mod stdio;
pub(super) mod timers;
pub(super) mod wasi_0_3;
