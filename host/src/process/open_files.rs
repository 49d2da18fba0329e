//! The limit on open files. Each connection needs one file descriptor, and each camera a few.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// File descriptors that a camera can need: its device, another device while searching, and the watch on its folder; or
/// the pipes and the socket of its program, and their other ends while it is started.
const FILES_PER_CAMERA: usize = 8;

/// File descriptors for everything short-lived, such as reading and compiling a guest or refusing a connection.
const SPARE_FILES: usize = 12;

/// The most files that guests may have open together, with `--guest-dir`: one for each request of the default
/// `--max-requests`.
const GUEST_FILES: usize = 1000;

/// The share of the limit on open files that guests get if it is low: one in this many.
const GUEST_SHARE: usize = 4;

/// Raises the soft limit on open files to the hard limit. The soft limit is often 1024 where the hard limit is far
/// higher.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        debug!("cannot raise the limit on open files: {error}");
    }
}

/// The number of files that guests may have open together.
pub fn for_guests() -> usize {
    GUEST_FILES.min(limit() / GUEST_SHARE)
}

/// The number of file descriptors left for connections, after those of `cameras` cameras and `others` other
/// connections and files.
pub fn left_for_connections(cameras: usize, others: usize) -> usize {
    // Without /proc, the spare files must cover the ones already open.
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let reserved = open + cameras * FILES_PER_CAMERA + others + SPARE_FILES;
    limit().saturating_sub(reserved)
}

fn limit() -> usize {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}
