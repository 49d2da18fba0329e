//! The process that supervises a program: its command, and its report on how the program ended.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The command that supervises a program: it runs the program that its further arguments name, and ends the program and
/// all its descendants when standard input, a socket, is closed. When the program ends by itself, it writes a
/// [`ProgramEnd`] to that socket.
///
/// The arguments that follow are the path of the program, its name, and its arguments.
///
/// A separate process, because it must outlive the server when the server is killed.
#[derive(Clone, Debug)]
pub struct SupervisorCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<OsString>,
}

/// How a program ended. Its text form, one line, is what the supervising process sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgramEnd {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
    /// The supervising process ended without a report.
    Unknown,
}

impl ProgramEnd {
    /// Returns the line that reports this end.
    pub fn to_line(self) -> String {
        match self {
            Self::Exited(code) => format!("exited {code}\n"),
            Self::Killed(signal) => format!("killed {signal}\n"),
            Self::Unknown => "unknown 0\n".to_owned(),
        }
    }
}

/// The line is not a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidReport;

impl FromStr for ProgramEnd {
    type Err = InvalidReport;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (how, number) = line.trim_end().split_once(' ').ok_or(InvalidReport)?;
        let number = number.parse().map_err(|_| InvalidReport)?;
        match how {
            "exited" => Ok(Self::Exited(number)),
            "killed" => Ok(Self::Killed(number)),
            "unknown" => Ok(Self::Unknown),
            _ => Err(InvalidReport),
        }
    }
}

/// Formats as `exited with code 1` or `was killed by signal 9`.
impl fmt::Display for ProgramEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::Unknown => f.write_str("was stopped, because the process that supervised it was killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_way_to_the_server() {
        for end in [ProgramEnd::Exited(0), ProgramEnd::Exited(255), ProgramEnd::Killed(9), ProgramEnd::Unknown] {
            assert_eq!(end.to_line().parse(), Ok(end));
        }
        for line in ["", "exited", "exited x", "left 1"] {
            assert_eq!(line.parse::<ProgramEnd>(), Err(InvalidReport));
        }
    }
}
