//! Why a byte stream delivers no pictures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::supervision::ProgramEnd;

/// Why a program, standard input or a named pipe delivers no pictures. Each message is a single line that says what to
/// do.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// There is no such program.
    #[error("there is no program {program}; {advice}")]
    ProgramNotFound {
        /// The name or path.
        program: String,
        /// What to do.
        advice: &'static str,
    },
    /// The user of this process may not run the program.
    #[error("no permission to run {}; make the file executable (chmod +x)", path.display())]
    ProgramDenied {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to create a process.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The name of the program.
        program: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The program has ended.
    #[error("{program} {end}{}", last_line_text(last_line))]
    ProgramEnded {
        /// The name of the program.
        program: String,
        /// How it ended.
        end: ProgramEnd,
        /// The last line that it wrote to standard error.
        last_line: Option<String>,
    },
    /// The input was closed.
    #[error("{input} has ended; {advice}")]
    Ended {
        /// The name of the input.
        input: String,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing usable arrived for too long.
    #[error("no picture from {input} for {} seconds: {}{}", after.as_secs(), received_text(*received, *damaged), last_line_text(last_line))]
    Silent {
        /// The name of the input.
        input: String,
        /// How long no whole image arrived.
        after: Duration,
        /// How many bytes arrived meanwhile.
        received: u64,
        /// How many damaged images arrived meanwhile.
        damaged: u64,
        /// The last line that the program wrote to standard error.
        last_line: Option<String>,
    },
    /// Much arrived, but no image.
    #[error("{input} sent {} MB without a whole JPEG image; make it write JPEG images (for ffmpeg: -f mjpeg)", received / 1_000_000)]
    NoImages {
        /// The name of the input.
        input: String,
        /// How many bytes arrived.
        received: u64,
    },
    /// There is nothing at the path of a named pipe.
    #[error("there is no named pipe at {}; create it with: mkfifo {}", path.display(), path.display())]
    PipeNotFound {
        /// The path.
        path: PathBuf,
    },
    /// The path is not a named pipe.
    #[error("{} is not a named pipe; create one with mkfifo, or use emulated:DIR for files", path.display())]
    NotPipe {
        /// The path.
        path: PathBuf,
    },
    /// Standard input is a terminal.
    #[error("standard input is a terminal; write JPEG images to it, as in: PROGRAM | hotshoe --camera stdin")]
    Terminal,
    /// The operating system refused an operation.
    #[error("cannot read {input}: {source}")]
    Read {
        /// The name of the input.
        input: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

fn last_line_text(last_line: &Option<String>) -> String {
    last_line.as_ref().map_or(String::new(), |line| format!(": {line}"))
}

fn received_text(received: u64, damaged: u64) -> String {
    match (received, damaged) {
        (0, _) => "it sent nothing".to_owned(),
        (received, 0) => format!("it sent {received} bytes without a whole JPEG image"),
        (_, 1) => "it sent one damaged image".to_owned(),
        (_, damaged) => format!("it sent {damaged} damaged images"),
    }
}
