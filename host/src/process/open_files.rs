//! How many files the program may have open: each connection is one, and so is each camera.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// What a camera may need: its device, a device that is looked for, the watch on its folder.
const FILES_PER_CAMERA: usize = 4;

/// What anything else may need for a moment: a guest that is read and compiled, a connection that is refused.
const SPARE_FILES: usize = 12;

/// Raise the limit on open files as far as the program may. The usual one is 1024, where far more are allowed.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        debug!("the limit on open files stays: {error}");
    }
}

/// How many more files may be open for connections, when so many cameras and other connections have theirs.
pub fn left_for_connections(cameras: usize, other_connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    // Without /proc there is nothing to count, and the spare files have to do.
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let reserved = open + cameras * FILES_PER_CAMERA + other_connections + SPARE_FILES;
    limit.saturating_sub(reserved)
}
