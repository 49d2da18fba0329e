//! The default directory for compiled guests.

use std::env;
use std::path::PathBuf;

/// Returns the default directory for compiled guests: that of the service manager (`CacheDirectory=`, systemd.exec(5)),
/// or `hotshoe` in the user's cache directory (XDG Base Directory Specification). Returns `None` if the environment
/// names neither.
pub fn default_cache_dir() -> Option<PathBuf> {
    let directory = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    directory("CACHE_DIRECTORY").or_else(|| {
        let cache = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("hotshoe"))
    })
}
