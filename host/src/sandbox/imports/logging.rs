//! The host side of `wasi:logging/logging`: messages go to the log with their level.
//!
//! Like standard output, a message is logged line by line, and the log limits the number of lines of each level
//! ([`crate::logging`]). Only the start of a long message is logged, because nothing can interrupt the call.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker};

use super::stdio::{MAX_LINE_BYTES, MAX_WRITE_BYTES, Printable};
use crate::sandbox::state::ComponentState;

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
pub(in crate::sandbox) fn add_to_linker<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    for interface in INTERFACES {
        linker.instance(interface)?.func_wrap("log", |store, (level, context, message)| {
            log(&store, level, context, message);
            Ok(())
        })?;
    }
    Ok(())
}

fn log<T: ComponentState>(store: &StoreContextMut<'_, T>, level: Level, context: String, message: String) {
    let level = match level {
        Level::Trace => tracing::Level::TRACE,
        Level::Debug => tracing::Level::DEBUG,
        Level::Info => tracing::Level::INFO,
        Level::Warn => tracing::Level::WARN,
        // The log has no higher level.
        Level::Error | Level::Critical => tracing::Level::ERROR,
    };
    let context = context.as_bytes().get(..MAX_CONTEXT_BYTES).unwrap_or(context.as_bytes());
    let (context, separator) = (Printable(context), if context.is_empty() { "" } else { ": " });
    let (message, rest) = message.split_at(message.floor_char_boundary(MAX_WRITE_BYTES));
    if !rest.is_empty() {
        // Before the message, whose last lines may exceed the limit of the log.
        let author = store.data().author();
        author.log(
            level,
            format_args!("log: {context}{separator}a long message; its last {} bytes are left out", rest.len()),
        );
    }
    let lines = message.as_bytes().split(|byte| *byte == b'\n').flat_map(|line| line.chunks(MAX_LINE_BYTES));
    for line in lines.map(Printable) {
        store.data().author().log(level, format_args!("log: {context}{separator}{line}"));
    }
}
