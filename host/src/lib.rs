//! Hotshoe: a camera server whose web interface is a sandboxed WebAssembly component, the guest.
//!
//! # Modules
//!
//! From the bottom up. Each module uses only those above it, which the test `modules` enforces:
//!
//! * [`camera`]: cameras and their frames, in a separate crate.
//! * [`logging`]: the log. [`process`]: threads, memory, open files and background tasks.
//! * [`buf_list`]: a list of byte strings as one buffer. [`origin`]: web origins.
//!   [`tls_client`]: TLS for requests of this program.
//! * [`channels`]: streams that are built once and sent to many viewers.
//! * [`results`]: what guests have found in frames, and the events that follow from it.
//! * [`sandbox`]: runs guests, and drivers and filters of cameras, and implements the WIT interfaces that they import.
//! * [`swap`]: decides which guest serves and which driver runs, and replaces them while streams run.
//! * [`drivers`]: cameras whose driver is a component.
//! * [`filters`]: components between a camera and its viewers.
//! * [`http`]: connections and requests.
//! * [`status`]: what the server does at one moment, for people, programs and Prometheus.
//! * [`admin`]: shows and replaces the guest and the drivers of cameras over HTTP.
//! * [`config`]: the command line and what it means.
//! * [`commands`]: the commands other than serving. [`app`]: the server, put together.
//!
//! ARCHITECTURE.md follows a frame and a request through these modules.

pub use hotshoe_camera as camera;

pub mod admin;
pub mod app;
pub mod buf_list;
pub mod channels;
pub mod commands;
pub mod config;
pub mod drivers;
pub mod filters;
pub mod http;
pub mod logging;
pub mod origin;
pub mod process;
pub mod results;
pub mod sandbox;
pub mod status;
pub mod swap;
pub mod tls_client;
