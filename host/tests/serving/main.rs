//! Tests of the server from the outside: started as a user starts it, with requests sent as bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod access_log;
mod access_matrix;
mod addresses;
mod admin;
mod audit;
mod auth;
mod bad_input;
mod cameras;
mod channel_errors;
mod channels;
mod clips;
mod compatibility;
mod compile_cache;
mod compiler;
mod config;
mod confinement;
mod connections;
mod controls;
mod core_instances;
mod cors;
mod csrf;
mod denied_imports;
mod documentation;
mod drivers;
mod events;
mod filters;
mod folders;
mod frame_pushing;
mod generate;
mod ghost_viewers;
mod grants;
mod health;
mod hosts;
mod instances;
mod limits;
mod log;
mod logging;
mod memory;
mod metrics;
mod middleware;
mod misbehaving_guests;
mod modules;
mod network_cameras;
mod network_faults;
mod other_guests;
mod pages;
mod piped_input;
mod pixels;
mod probe;
mod programs;
mod refused_guests;
mod reload;
mod replacement;
mod request_bodies;
mod results;
mod rollback;
mod shutdown;
mod slow_readers;
mod status;
mod streams;
mod systemd;
mod tls;
mod trees;
mod wit;
mod wit_reference;
mod without_publisher;
mod workers;
