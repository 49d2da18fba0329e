//! The process as a whole: its threads, memory, open files and background tasks.
//!
//! * [`runtimes`]: the two Tokio runtimes. [`supervisor`]: background tasks that must not end. [`turn`]: work that
//!   may hang.
//! * [`heap`]: returns free memory to the system. [`open_files`]: the limit on open files.
//! * [`confinement`]: takes rights that are not needed. [`service_manager`]: notifications to systemd.
//! * [`regular_file`]: opens and reads files, but no pipes. [`private_file`]: reads files with secrets.
//!   [`file_changes`]: detects changes of a file. [`memory_file`]: creates anonymous files.
//! * [`figures`]: what this process uses.

pub mod confinement;
pub mod figures;
pub mod file_changes;
pub mod heap;
pub mod memory_file;
pub mod open_files;
pub mod private_file;
pub mod regular_file;
pub mod runtimes;
pub mod service_manager;
pub mod supervisor;
pub mod turn;
