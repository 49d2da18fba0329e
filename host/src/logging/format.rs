//! Formats an event as a line.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::targets::AUDIT_TARGET;

/// The longest text of a line at `info` and above, in bytes. Clients and guests can influence the text.
const MAX_LENGTH: usize = 2048;

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// Time, level and text.
    Text {
        /// Whether levels are coloured.
        is_coloured: bool,
    },
    /// A JSON object for each line.
    Json,
}

/// A log line.
pub(super) struct LogLine {
    time: String,
    level: Level,
    target: &'static str,
    fields: Fields,
}

impl LogLine {
    /// The line for an event that happens now.
    pub(super) fn from_event(event: &Event<'_>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        Self { time: utc_now(), level: *metadata.level(), target: metadata.target(), fields }
    }

    /// A line with the current time and this message.
    pub(super) fn now(level: Level, message: String) -> Self {
        let fields = Fields { message, ..Fields::default() };
        Self { time: utc_now(), level, target: module_path!(), fields }
    }

    /// What the line is about, and the message.
    pub(super) fn text(&self) -> String {
        let audit = if self.target == AUDIT_TARGET { "audit: " } else { "" };
        let Fields { subject, message, others, .. } = &self.fields;
        self.limited(&format!("{audit}{subject}{message}{others}"))
    }

    /// Renders the line with its newline. For the journal, adds the priority (sd-daemon(3)), and leaves out what the
    /// journal has anyway.
    pub(super) fn render(&self, style: Style, is_for_journal: bool) -> String {
        let Self { time, level, .. } = self;
        match style {
            Style::Json if is_for_journal => format!("<{}>{}\n", self.priority(), self.json()),
            Style::Json => self.json() + "\n",
            Style::Text { .. } if is_for_journal => {
                let prefix = format!("<{}>", self.priority());
                // At `debug`, a text may have several lines.
                self.text().lines().map(|line| format!("{prefix}{line}\n")).collect()
            }
            Style::Text { is_coloured: false } => format!("{time} {level:>5} {}\n", self.text()),
            Style::Text { is_coloured: true } => {
                let colour = match *level {
                    Level::ERROR => 31,
                    Level::WARN => 33,
                    Level::INFO => 32,
                    Level::DEBUG => 34,
                    Level::TRACE => 35,
                };
                // ECMA-48, SGR: faint, and foreground colours.
                format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m {}\n", self.text())
            }
        }
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        let mut add = |name: &str, value: &str| object.insert(name.to_owned(), Value::from(value));
        add("time", &self.time);
        add("level", &self.level.to_string().to_ascii_lowercase());
        add("target", self.target);
        add("message", &self.limited(&self.fields.message));
        for (name, value) in &self.fields.all {
            add(name, &self.limited(value));
        }
        Value::from(object).to_string()
    }

    fn limited(&self, text: &str) -> String {
        if self.level <= Level::INFO { one_line(text) } else { text.to_owned() }
    }

    /// The priority of syslog(3).
    fn priority(&self) -> u8 {
        match self.level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        }
    }
}

/// The time of day: `2026-11-27T00:41:07.123456Z`.
pub fn utc_now() -> String {
    let mut time = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
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
    /// All fields but the message.
    all: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // Fields that the `log` crate adds to each record.
            name if name.starts_with("log.") => Ok(()),
            name => {
                self.all.push((name, format!("{value:?}")));
                match name {
                    "camera" | "channel" | "generation" => write!(self.subject, "{name} {value:?}: "),
                    "request" => write!(self.subject, "{value:?}: "),
                    _ => write!(self.others, " {name}={value:?}"),
                }
            }
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

    fn line(level: Level, target: &'static str, message: &str) -> LogLine {
        let fields = Fields {
            subject: "camera front: ".to_owned(),
            message: message.to_owned(),
            others: String::new(),
            all: vec![("camera", "front".to_owned())],
        };
        LogLine { time: "12:00".to_owned(), level, target, fields }
    }

    #[test]
    fn a_line_has_no_line_breaks_and_a_limited_length() {
        assert_eq!(one_line("a\nb\u{1b}[31mc"), "a b [31mc");
        let long = one_line(&"ä".repeat(MAX_LENGTH));
        assert!(long.len() <= MAX_LENGTH + '…'.len_utf8() && long.ends_with("ä…"), "{}", long.len());
    }

    #[test]
    fn levels_are_aligned_and_coloured_only_on_request() {
        let line = line(Level::WARN, "hotshoe", "lost");
        assert_eq!(line.render(Style::Text { is_coloured: false }, false), "12:00  WARN camera front: lost\n");
        let coloured = line.render(Style::Text { is_coloured: true }, false);
        assert!(coloured.contains("\x1b[33m WARN\x1b[0m camera front"));
    }

    #[test]
    fn lines_for_the_journal_have_a_priority_each() {
        let text = Style::Text { is_coloured: false };
        assert_eq!(line(Level::WARN, "hotshoe", "lost").render(text, true), "<4>camera front: lost\n");
        assert_eq!(line(Level::DEBUG, "hotshoe", "a\nb").render(text, true), "<7>camera front: a\n<7>b\n");
        assert!(line(Level::ERROR, "hotshoe", "lost").render(Style::Json, true).starts_with("<3>{"));
    }

    #[test]
    fn a_line_of_json_has_the_fields_of_the_event() {
        let line = line(Level::INFO, AUDIT_TARGET, "a \"b\"\nc").render(Style::Json, false);
        let value: Value = serde_json::from_str(&line).unwrap();
        let expected =
            [("time", "12:00"), ("level", "info"), ("target", "audit"), ("message", "a \"b\" c"), ("camera", "front")];
        assert_eq!(value.as_object().unwrap().len(), expected.len());
        expected.iter().for_each(|(name, text)| assert_eq!(value[name], *text));
    }

    #[test]
    fn lines_of_the_audit_log_are_marked() {
        assert_eq!(line(Level::INFO, AUDIT_TARGET, "set").text(), "audit: camera front: set");
    }
}
