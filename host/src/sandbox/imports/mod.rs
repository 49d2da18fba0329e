//! The host side of the interfaces in `wit/`. The WIT files say what each function promises.

pub(super) mod bindings;
mod cameras;
mod channels;
mod controls;
mod generations;
mod history;
mod instances;
pub(super) mod stdio;
