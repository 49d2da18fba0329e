//! What concerns the process as a whole: its threads, memory and descriptors, and background tasks.

pub mod heap;
pub mod open_files;
pub mod runtimes;
pub mod supervisor;
