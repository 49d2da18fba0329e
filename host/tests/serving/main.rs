//! The server, tested from the outside: started as a user would, spoken to in bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod addresses;
mod admin;
mod bad_input;
mod bounds;
mod cameras;
mod channels;
mod compile_cache;
mod compiler;
mod connections;
mod controls;
mod cors;
mod cross_origin;
mod dialects;
mod events;
mod folders;
mod generations;
mod ghost_viewers;
mod hosts;
mod instances;
mod log;
mod logging;
mod memory;
mod misbehaving_guests;
mod other_guests;
mod pages;
mod refused_guests;
mod request_bodies;
mod rollback;
mod shutdown;
mod slow_readers;
mod streams;
mod wit;
