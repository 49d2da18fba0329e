//! The names of pixel formats.

use std::fmt;
use std::str::FromStr;

/// The four-character code of a pixel format, such as `MJPG` or `YUYV` (Video for Linux API, "Image Formats").
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.0).trim_end())
    }
}

/// The text is not one to four ASCII letters and digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a four-character code such as MJPG or YUYV")]
pub struct NotFourCc;

impl FromStr for FourCc {
    type Err = NotFourCc;

    /// Accepts upper and lower case, and short codes without their trailing spaces (`Y16 `).
    fn from_str(text: &str) -> Result<Self, NotFourCc> {
        if !(1..=4).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(NotFourCc);
        }
        let mut code = [b' '; 4];
        for (target, byte) in code.iter_mut().zip(text.bytes()) {
            *target = byte.to_ascii_uppercase();
        }
        Ok(Self(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_parse_from_the_text_that_they_format_to() {
        assert_eq!("mjpg".parse(), Ok(FourCc(*b"MJPG")));
        assert_eq!("Y16".parse(), Ok(FourCc(*b"Y16 ")));
        assert_eq!(FourCc(*b"Y16 ").to_string(), "Y16");
        for wrong in ["", "MJPEG", "Y 16", "\u{fc}"] {
            assert_eq!(wrong.parse::<FourCc>(), Err(NotFourCc), "{wrong}");
        }
    }
}
