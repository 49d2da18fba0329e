//! The names of cameras. Depends on no other module, because the fuzz target of configuration files includes it.

/// The longest camera name, in characters. Names appear in URLs, on pages and in the log, so they must stay readable.
pub const MAX_NAME_LENGTH: usize = 32;

/// Whether `name` is a valid camera name. The WIT promises guests that names need no escaping in URLs and HTML.
pub fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns a message for a name that is not valid.
pub fn invalid_name(name: &str) -> String {
    format!("`{name}` is not a camera name; use 1 to {MAX_NAME_LENGTH} letters, digits, `-` and `_`")
}
