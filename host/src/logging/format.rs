//! Formats an event as a line of text.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// The longest text of a line at `info` and above, in bytes. Clients and guests can influence the text.
const MAX_LENGTH: usize = 2048;

/// A log line.
pub(super) struct LogLine {
    time: String,
    level: Level,
    /// What the line is about, and the message.
    pub(super) text: String,
}

impl LogLine {
    /// The line for an event that happens now.
    pub(super) fn from_event(event: &Event<'_>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let mut text = fields.subject + &fields.message + &fields.others;
        if level <= Level::INFO {
            text = one_line(&text);
        }
        Self::now(level, text)
    }

    /// A line with the current time and this text.
    pub(super) fn now(level: Level, text: String) -> Self {
        let mut time = String::new();
        // Writing to a string cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        Self { time, level, text }
    }

    /// Renders the line with its newline.
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
        // ECMA-48, SGR: faint, and foreground colours.
        format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m {text}\n")
    }
}

/// Truncates a text, and replaces characters that would start another line or control a terminal.
fn one_line(text: &str) -> String {
    let (start, rest) = text.split_at(text.floor_char_boundary(MAX_LENGTH));
    let mut line: String = start.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
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
    /// ` name=value` for each other field.
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name @ ("camera" | "channel" | "generation") => write!(self.subject, "{name} {value:?}: "),
            "request" => write!(self.subject, "{value:?}: "),
            // Fields that the `log` crate adds to each record.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.others, " {name}={value:?}"),
        };
        // Fails only if the value's `Debug` implementation does.
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
    fn a_line_has_no_line_breaks_and_a_limited_length() {
        assert_eq!(one_line("a\nb\u{1b}[31mc"), "a b [31mc");
        let long = one_line(&"ä".repeat(MAX_LENGTH));
        assert!(long.len() <= MAX_LENGTH + '…'.len_utf8() && long.ends_with("ä…"), "{}", long.len());
    }

    #[test]
    fn levels_are_aligned_and_coloured_only_on_request() {
        let line = LogLine { time: "12:00".to_owned(), level: Level::WARN, text: "camera front: lost".to_owned() };
        assert_eq!(line.render(false), "12:00  WARN camera front: lost\n");
        assert!(line.render(true).contains("\x1b[33m WARN\x1b[0m camera front"));
    }
}
