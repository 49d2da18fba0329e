//! An event as a line of the log.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// The longest text of a line at `info` and above, in bytes. Requests and guests have a say in what is in it.
const LENGTH: usize = 2048;

/// A line that can be written.
pub(super) struct Line {
    time: String,
    level: Level,
    /// What it is about, and the message.
    pub(super) text: String,
}

impl Line {
    /// The line of an event that has just happened.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let mut text = fields.subject + &fields.message + &fields.others;
        if level <= Level::INFO {
            text = one_line(&text);
        }
        Self::now(level, text)
    }

    /// A line of this text that has just happened.
    pub(super) fn now(level: Level, text: String) -> Self {
        let mut time = String::new();
        // Writing to a string can't fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        Self { time, level, text }
    }

    /// As it is written, with its newline.
    pub(super) fn render(&self, is_coloured: bool) -> String {
        let Self { time, level, text } = self;
        if !is_coloured {
            return format!("{time} {level:>5} {text}\n");
        }
        let colour = match *level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        };
        // ECMA-48, "SGR": faint, and colours.
        format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m {text}\n")
    }
}

/// Cut what is too long, and replace what would start another line or control a terminal.
fn one_line(text: &str) -> String {
    let cut = text.floor_char_boundary(LENGTH);
    let (kept, rest) = text.split_at(cut);
    let mut line: String = kept.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if !rest.is_empty() {
        line.push('…');
    }
    line
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    /// What the event is about: `camera front: `.
    subject: String,
    message: String,
    /// ` name=value`, for each other field.
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name @ ("camera" | "channel" | "generation") => write!(self.subject, "{name} {value:?}: "),
            "request" => write!(self.subject, "{value:?}: "),
            // What the `log` crate adds to each record.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.others, " {name}={value:?}"),
        };
        // Fails where the value's own implementation does.
        let _ = result;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\u{1b}[31mc"), "a b [31mc");
        let long = one_line(&"ä".repeat(LENGTH));
        assert!(long.len() <= LENGTH + '…'.len_utf8() && long.ends_with("ä…"), "{}", long.len());
    }

    #[test]
    fn a_line_has_its_level_in_a_column_and_no_colours_unless_wanted() {
        let line = Line { time: "12:00".to_owned(), level: Level::WARN, text: "camera front: lost".to_owned() };
        assert_eq!(line.render(false), "12:00  WARN camera front: lost\n");
        assert!(line.render(true).contains("\x1b[33m WARN\x1b[0m camera front"));
    }
}
