//! Opens files that others may have replaced by something else, and reads them within a limit.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading. Does not block on a named pipe without a writer.
///
/// # Errors
///
/// Fails if the file cannot be opened, or is not a regular one.
pub fn open_regular_file(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Reads a text of at most `limit` bytes. Returns `None` if there is more. Blocks while it reads.
///
/// # Errors
///
/// Fails if the file cannot be read, or is not UTF-8.
pub fn read_text(file: &File, limit: u64) -> io::Result<Option<String>> {
    let mut text = String::new();
    // One byte beyond the limit shows that there is more, even if the file is still growing.
    let length = file.take(limit + 1).read_to_string(&mut text)?;
    Ok((length as u64 <= limit).then_some(text))
}
