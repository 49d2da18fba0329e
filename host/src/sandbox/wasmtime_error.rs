//! Classifies and formats errors of wasmtime.

/// Whether the operating system caused an error, for example by refusing memory or file descriptors. wasmtime passes on
/// the error of the kernel. No host function returns such an error to a guest.
pub(super) fn is_system_error(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::OutOfMemory>()
        || error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

/// Formats an error with all its causes on one line.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
