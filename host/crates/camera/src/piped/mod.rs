//! Sources that receive a byte stream of JPEG images: programs, standard input and named pipes.
//!
//! The images may follow each other directly or be parts of a `multipart` body.
//!
//! * `error`: why they deliver no pictures. `command_line`: splits a command into words.
//! * `image_stream`: reads images from a file descriptor, the newest first.
//! * `supervision`: the process that supervises a program. `messages`: what it writes to standard error. `search`:
//!   finds it.
//! * `program`: a program as a source; `running`: a running one; `orphans`: what it leaves behind.
//! * `stdin`, `fifo`: standard input and named pipes; `input_capture`: either of them while it is open.
//! * `rpicam`: the program for the camera modules of a Raspberry Pi.

mod command_line;
pub mod error;
mod fifo;
mod image_stream;
mod input_capture;
mod messages;
mod orphans;
mod program;
pub mod rpicam;
mod running;
mod search;
mod stdin;
mod supervision;

pub use crate::image_input::InputOptions;
pub use command_line::{CommandLine, CommandLineError};
pub use error::InputError;
pub use fifo::Fifo;
pub use program::Program;
pub use stdin::StandardInput;
pub use supervision::{ProgramEnd, SupervisorCommand};
