//! A camera without hardware, as a driver: `--camera component:emulated.wasm`.
//!
//! * `pictures`: what it delivers. `pattern`: draws the test pattern; `digits`: the font. `script`: faults on request.

mod digits;
mod pattern;
mod pictures;
mod script;

use std::time::Duration;

use bindings::exports::hotshoe::camera::source::{Guest, Settings};
use bindings::hotshoe::camera::capture::{ErrorCode, push, subscribe_closing};
use bindings::wasi::clocks::monotonic_clock::{now, subscribe_instant};
use bindings::wasi::io::poll::{Pollable, poll};
use pattern::Size;
use pictures::Pictures;
use script::{Script, Step};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/camera",
        world: "driver",
        generate_all,
    });
}

struct Driver;

bindings::export!(Driver with_types_in bindings);

/// The highest frame rate. A higher one would only use up the processor.
const MAX_RATE: f64 = 1000.0;

impl Guest for Driver {
    fn run(settings: Settings) -> Result<(), String> {
        let (pictures, script) = configure(&settings)?;
        let rate = settings.frame_rate.unwrap_or(pictures.default_rate()).min(MAX_RATE);
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        Camera { pictures, interval, number: 0, due: now(), closing: subscribe_closing() }.run(&script)
    }
}

/// Reads the options of the camera.
fn configure(settings: &Settings) -> Result<(Pictures, Script), String> {
    let size = settings.dimensions.map(|size| Size { width: size.width, height: size.height });
    let (mut pictures, mut script) = (None, Script::default());
    for (name, value) in &settings.options {
        match (name.as_str(), value.as_str()) {
            ("pictures", "built-in") => pictures = Some(Pictures::built_in()),
            ("pictures", "directory") => pictures = Some(Pictures::in_directory()?),
            ("pictures", "pattern") => pictures = Some(Pictures::pattern(size)?),
            ("script", text) => script = text.parse()?,
            ("pictures", value) => {
                return Err(format!("unknown pictures={value}; use built-in, directory or pattern"));
            }
            (name, _) => return Err(format!("unknown option {name}; use pictures= and script=")),
        }
    }
    Ok((pictures.unwrap_or_else(Pictures::built_in), script))
}

/// The camera has no more readers, or this driver is replaced.
struct Closing;

struct Camera {
    pictures: Pictures,
    interval: Duration,
    /// The number of the next picture.
    number: u64,
    /// When the next step is due, by the monotonic clock.
    due: u64,
    closing: Pollable,
}

impl Camera {
    /// Follows the script, and then delivers pictures until the camera closes.
    fn run(&mut self, script: &Script) -> Result<(), String> {
        for step in script.steps() {
            match self.execute(step)? {
                Ok(()) => {}
                Err(Closing) => return Ok(()),
            }
        }
        loop {
            match self.execute(&Step::Pictures(u64::MAX))? {
                Ok(()) => {}
                Err(Closing) => return Ok(()),
            }
        }
    }

    /// Executes a step. The outer error is the reason of an outage.
    fn execute(&mut self, step: &Step) -> Result<Result<(), Closing>, String> {
        match *step {
            Step::Pictures(count) => self.deliver(count, |camera| camera.pictures.get(camera.number)),
            Step::Truncated(count) => self.deliver(count, |camera| {
                let mut picture = camera.pictures.get(camera.number)?;
                picture.truncate(picture.len() / 2);
                Ok(picture)
            }),
            Step::Garbage(count) => self.deliver(count, |_| Ok(b"this is not a picture".to_vec())),
            Step::Sizes(count) => self.deliver(count, |camera| {
                let factor = 1 + u32::try_from(camera.number % 4).unwrap_or_default();
                pattern::draw(Size { width: 80 * factor, height: 60 * factor }, camera.number)
            }),
            Step::Silence(time) => Ok(self.pause(time)),
            Step::Interval(time) => {
                self.interval = time;
                Ok(Ok(()))
            }
            Step::Vanish => Err("the emulated camera was unplugged; its script says so".to_owned()),
            Step::Trap => panic!("the script says so"),
        }
    }

    /// Delivers this many images, one after each interval.
    fn deliver(
        &mut self,
        count: u64,
        mut image: impl FnMut(&Self) -> Result<Vec<u8>, String>,
    ) -> Result<Result<(), Closing>, String> {
        for _ in 0..count {
            match push(&image(self)?, None) {
                // The host has counted it.
                Ok(()) | Err(ErrorCode::NotJpeg(_)) => {}
                Err(error) => return Err(format!("the host refuses a picture: {error:?}")),
            }
            self.number += 1;
            if let Err(Closing) = self.pause(self.interval) {
                return Ok(Err(Closing));
            }
        }
        Ok(Ok(()))
    }

    /// Waits until this long after the last wait, unless the camera closes. Does not catch up if that has passed.
    fn pause(&mut self, time: Duration) -> Result<(), Closing> {
        self.due = self.due.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).max(now());
        let timer = subscribe_instant(self.due);
        // Indices into the list.
        if poll(&[&self.closing, &timer]).contains(&0) { Err(Closing) } else { Ok(()) }
    }
}
