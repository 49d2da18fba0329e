//! The emulation's own log, enabled by `FAKECAM_LOG`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;

use crate::clock;

struct Log {
    level: u32,
    /// `None` is standard error.
    file: Option<File>,
}

fn get() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| Log {
        level: std::env::var("FAKECAM_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(0),
        file: std::env::var_os("FAKECAM_LOG_FILE")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok()),
    })
}

/// Logs an event if `FAKECAM_LOG` is at least `level`.
pub(crate) fn log(level: u32, event: impl FnOnce() -> String) {
    let log = get();
    if level > log.level {
        return;
    }
    let line = format!("[{:.3}] fakecam: {}\n", clock::now().as_secs_f64(), event());
    // A log that cannot be written cannot be reported either.
    let _ = match &log.file {
        Some(file) => (&*file).write_all(line.as_bytes()),
        None => std::io::stderr().write_all(line.as_bytes()),
    };
}
