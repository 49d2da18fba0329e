//! Hotshoe: a camera server whose web side is a sandboxed WebAssembly component, the guest.
//!
//! # Layout
//!
//! Data flow from top to bottom, and modules depend on those above them alone:
//!
//! * [`camera`]: cameras and their frames, each frame shared by all who read it.
//! * [`channels`]: streams that are built once and shared.
//! * [`guest`]: the sandbox, and the host's side of what guests import (`wit/`).
//! * [`swap`]: which guest serves, and how it is replaced.
//! * [`http`]: connections and requests.
//! * [`admin`]: seeing and replacing the guest by HTTP.
//! * [`config`]: the command line, and what it means.
//! * [`runtimes`]: the threads that all of this runs on.
//! * [`heap`]: returning free memory to the system.
//! * [`logging`]: the log. [`supervisor`]: background tasks that must not end.
//! * [`app`]: puts them together.
//!
//! ARCHITECTURE.md tells the way of a frame, and what always holds.

pub use hotshoe_camera as camera;

pub mod admin;
pub mod app;
pub mod channels;
pub mod chunks;
pub mod commands;
pub mod config;
pub mod http;
pub mod logging;
pub mod process;
pub mod sandbox;
pub mod swap;
