//! Faults on request: a script of steps, separated by spaces, such as `pictures:20 silence:4 vanish`.

use std::str::FromStr;
use std::time::Duration;

/// A step of a script.
pub enum Step {
    /// `pictures:COUNT`: this many pictures.
    Pictures(u64),
    /// `truncated:COUNT`: this many pictures of which half is missing.
    Truncated(u64),
    /// `garbage:COUNT`: this many times something other than a picture.
    Garbage(u64),
    /// `sizes:COUNT`: this many pictures, each with another size.
    Sizes(u64),
    /// `silence:SECONDS`: nothing for this long.
    Silence(Duration),
    /// `interval:SECONDS`: from here on, this long from one picture to the next.
    Interval(Duration),
    /// `vanish`: the camera disappears. It is back when the host tries it again.
    Vanish,
    /// `trap`: a bug in the driver.
    Trap,
}

/// The steps in order. When they are done, the camera works.
#[derive(Default)]
pub struct Script(Vec<Step>);

impl Script {
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let invalid = || format!("`{text}` needs a number");
        let count = || value.parse().map_err(|_| invalid());
        let time = || {
            let seconds = value.parse().map_err(|_| invalid())?;
            Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
        };
        match name {
            "pictures" => Ok(Self::Pictures(count()?)),
            "truncated" => Ok(Self::Truncated(count()?)),
            "garbage" => Ok(Self::Garbage(count()?)),
            "sizes" => Ok(Self::Sizes(count()?)),
            "silence" => Ok(Self::Silence(time()?)),
            "interval" => Ok(Self::Interval(time()?)),
            "vanish" => Ok(Self::Vanish),
            "trap" => Ok(Self::Trap),
            _ => Err(format!(
                "unknown step `{text}`; use pictures, truncated, garbage or sizes with a count, silence or interval \
                 with seconds, vanish or trap"
            )),
        }
    }
}
