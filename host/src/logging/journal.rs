//! Whether standard error is connected to the journal of systemd.

use std::env;
use std::io;

use rustix::fs::fstat;

/// Whether standard error is the stream to the journal that `JOURNAL_STREAM` names, as `DEVICE:INODE` (systemd.exec(5)).
/// A program whose standard error was redirected inherits the variable, too.
pub(super) fn is_stderr() -> bool {
    let Some(stream) = env::var("JOURNAL_STREAM").ok() else { return false };
    let Ok(stat) = fstat(io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}
