//! The host side of `wasi:logging/logging`: messages go to the log with their level.
//!
//! Like standard output, a message is logged line by line, and the log limits the number of lines of each level
//! ([`crate::logging`]).

use tracing::{debug, error, info, trace, warn};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use super::stdio::{MAX_LINE_BYTES, Printable};
use crate::logging::GUEST_TARGET;
use crate::sandbox::state::GuestState;

/// The names of the interface: that of its only draft, and that which components have from before WIT had versions.
pub(in crate::sandbox) const INTERFACES: [&str; 2] = ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"];

/// How much of a context is logged, in bytes: more than any name of a module.
const MAX_CONTEXT_BYTES: usize = 128;

/// The levels of `wasi:logging`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "wasmtime makes the variants from their numbers")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

/// Adds the interface to a linker.
pub(in crate::sandbox) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    for interface in INTERFACES {
        linker.instance(interface)?.func_wrap("log", |store, (level, context, message)| {
            log(&store, level, context, message);
            Ok(())
        })?;
    }
    Ok(())
}

fn log(store: &StoreContextMut<'_, GuestState>, level: Level, context: String, message: String) {
    let generation = store.data().lifecycle.number;
    let context = context.as_bytes().get(..MAX_CONTEXT_BYTES).unwrap_or(context.as_bytes());
    let (context, separator) = (Printable(context), if context.is_empty() { "" } else { ": " });
    let lines = message.as_bytes().split(|byte| *byte == b'\n').flat_map(|line| line.chunks(MAX_LINE_BYTES));
    for line in lines.map(Printable) {
        match level {
            Level::Trace => trace!(target: GUEST_TARGET, generation, "guest log: {context}{separator}{line}"),
            Level::Debug => debug!(target: GUEST_TARGET, generation, "guest log: {context}{separator}{line}"),
            Level::Info => info!(target: GUEST_TARGET, generation, "guest log: {context}{separator}{line}"),
            Level::Warn => warn!(target: GUEST_TARGET, generation, "guest log: {context}{separator}{line}"),
            // The log has no higher level.
            Level::Error | Level::Critical => {
                error!(target: GUEST_TARGET, generation, "guest log: {context}{separator}{line}");
            }
        }
    }
}
