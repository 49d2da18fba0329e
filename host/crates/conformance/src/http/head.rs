//! Status line and headers.

/// The longest line accepted in a head, in bytes. Servers limit a whole head to about as much.
pub(crate) const MAX_LINE_LENGTH: usize = 16 * 1024;

/// The head of a response.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The minor version of HTTP/1: 0 or 1.
    pub minor_version: u8,
    /// The status code.
    pub status: u16,
    /// Names and values in the order and the spelling of the wire.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the value of the first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Returns the value of the first header with this name. Names are case-insensitive (RFC 9110, section 5.1).
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Splits a header line into its name and value.
///
/// # Errors
///
/// If the line has no colon, or the name contains a space.
pub fn parse_header(line: &str) -> Result<(String, String), String> {
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((name.to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{line:?} is not a header")),
    }
}
