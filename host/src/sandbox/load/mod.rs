//! From the bytes of a component to a guest that can be called.
//!
//! ```text
//! Candidate ── middleware ── interfaces, compatibility ──► compile_cache or compiler ── artifact ──► linker ──► LoadedGuest
//! ```
//!
//! * `candidate`: the bytes, with their `origin` and `digest`; `error`: why they cannot be the guest.
//! * `loader`: all steps in order.
//! * `middleware`: puts middleware in front of a guest; `compose`: makes one component of them.
//! * `interfaces`: what the component imports and exports; `compatibility`: whether the host matches; `description`: the
//!   same for people.
//! * `compiler`: runs the compiler process; `compiler_process`: the inside of that process.
//! * `artifact`: compiled code with a checksum; `compile_cache`: artifacts on disk; `function_cache`: their functions on
//!   disk, for the next compilation; `cache_folder`: what both have in common.
//! * `linker`: the imports that the host provides.
//! * `camera_component`: what components that belong to a camera have in common; `driver`, `filter`: load them.

mod artifact;
pub(super) mod cache_folder;
pub(super) mod camera_component;
pub(super) mod candidate;
mod compatibility;
pub(super) mod compile_cache;
pub(super) mod compiler;
pub mod compiler_process;
mod compose;
pub(super) mod description;
mod digest;
pub(super) mod driver;
pub(super) mod error;
pub(super) mod filter;
mod function_cache;
mod interfaces;
mod linker;
pub(super) mod loader;
pub(super) mod middleware;
pub(super) mod origin;
