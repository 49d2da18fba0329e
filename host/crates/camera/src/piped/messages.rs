//! What a program writes to standard error: each line goes to the log, and the last one explains why the program ended.

use tracing::debug;

use crate::text::affects_display;

/// The longest part of a line that is kept, in bytes. Placeholders and log lines must stay readable.
const MAX_LINE: usize = 300;

/// Collects the lines of a program's standard error.
#[derive(Debug)]
pub(super) struct Messages {
    /// The name of the program.
    program: String,
    /// The line that has not ended, up to [`MAX_LINE`] bytes.
    line: Vec<u8>,
    /// Whether the line was longer.
    is_cut: bool,
    last: Option<String>,
}

impl Messages {
    pub(super) fn new(program: &str) -> Self {
        Self { program: program.to_owned(), line: Vec::new(), is_cut: false, last: None }
    }

    /// Adds bytes from standard error. A carriage return also ends a line, because programs use it to overwrite their
    /// progress.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                byte if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => self.is_cut = true,
            }
        }
    }

    /// Returns the last line that is not blank, even if it has not ended.
    pub(super) fn last_line(&mut self) -> Option<String> {
        self.is_cut |= !self.line.is_empty();
        self.end_line();
        self.last.clone()
    }

    fn end_line(&mut self) {
        let line = clean(&String::from_utf8_lossy(&self.line), std::mem::take(&mut self.is_cut));
        self.line.clear();
        if line.is_empty() {
            return;
        }
        debug!("{}: {line}", self.program);
        self.last = Some(line);
    }
}

/// Removes terminal sequences, characters that affect the display of others, and passwords in URLs: viewers see the last
/// line of a failed program, and a stranger may have written it, such as the server that the program reads.
/// `is_cut` says whether the end of the line is missing.
fn clean(line: &str, is_cut: bool) -> String {
    let mut text = String::new();
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            // A control sequence ends with a character from @ to ~ (ECMA-48, 5.4).
            '\x1B' if chars.next_if_eq(&'[').is_some() => {
                chars.by_ref().find(|char| ('@'..='~').contains(char));
            }
            '\t' => text.push(' '),
            char if affects_display(char) => {}
            char => text.push(char),
        }
    }
    hide_passwords(text.trim(), is_cut)
}

/// Leaves of each URL only the scheme and the host. Passwords are in the user information (RFC 3986, section 3.2.1),
/// but many cameras also take them in the path or the query. They may contain any character, so the user information is
/// assumed to reach to the last `@`. Of a URL whose end is missing, only the scheme is left.
fn hide_passwords(text: &str, is_cut: bool) -> String {
    let mut hidden = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        hidden.push_str(before);
        hidden.push_str("://");
        let url = after.split(char::is_whitespace).next().unwrap_or_default();
        rest = after.get(url.len()..).unwrap_or_default();
        if is_cut && rest.is_empty() {
            hidden.push_str("***");
            continue;
        }
        let host = url.rfind('@').map_or(0, |at| at + 1);
        let kept = url.get(host..).unwrap_or_default().split(['/', '?', '#', '\'', '"']).next().unwrap_or_default();
        if host > 0 {
            hidden.push_str("***@");
        }
        hidden.push_str(kept);
        if host + kept.len() < url.len() {
            hidden.push_str("/***");
        }
    }
    hidden + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &[u8]) -> Option<String> {
        let mut messages = Messages::new("test");
        for portion in text.chunks(3) {
            messages.push(portion);
        }
        messages.last_line()
    }

    #[test]
    fn the_last_line_with_text_counts() {
        assert_eq!(last(b""), None);
        assert_eq!(last(b"\n \n"), None);
        assert_eq!(last(b"first\nsecond\n\n").as_deref(), Some("second"));
        assert_eq!(last(b"first\nframe=1\rframe=2\r").as_deref(), Some("frame=2"));
        assert_eq!(last(b"first\nunfinished").as_deref(), Some("unfinished"));
    }

    #[test]
    fn lines_are_short_and_printable() {
        assert_eq!(last(b"\x1B[31mERROR\x1B[0m:\ta\x07\xFFb").as_deref(), Some("ERROR: a\u{FFFD}b"));
        assert_eq!(last(&[b'x'; 100_000]).map(|line| line.len()), Some(MAX_LINE));
    }

    #[test]
    fn a_last_line_cannot_change_the_direction_or_the_lines_of_the_text_around_it() {
        let line = "a\u{202E}b\u{2028}c\u{2029}d\u{2066}e\u{200F}f\u{85}g h\u{e9}\n";
        assert_eq!(last(line.as_bytes()).as_deref(), Some("abcdefg h\u{e9}"));
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (line, shown) in [
            ("rtsp://user:p@ss@10.0.0.2/s: Connection refused\n", "rtsp://***@10.0.0.2/*** Connection refused"),
            ("rtsp://10.0.0.9:554/user=admin&password=secret: refused\n", "rtsp://10.0.0.9:554/*** refused"),
            ("rtsp://user:a/b?c#d@10.0.0.2/s failed\n", "rtsp://***@10.0.0.2/*** failed"),
            ("from 'http://a:b@c' to https://d\n", "from 'http://***@c/*** to https://d"),
            ("cannot open rtsp://user:secr", "cannot open rtsp://***"),
            ("no://password here@\n", "no://password here@"),
        ] {
            assert_eq!(last(line.as_bytes()).as_deref(), Some(shown));
        }
    }
}
