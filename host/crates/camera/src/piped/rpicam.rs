//! The camera modules of a Raspberry Pi, through the program of Raspberry Pi OS for libcamera.
//!
//! libcamera's binary interface changes with every release, and the program's options do not
//! (<https://www.raspberrypi.com/documentation/computers/camera_software.html>).

use super::command_line::CommandLine;
use super::program::Program;
use super::supervision::SupervisorCommand;
use crate::dimensions::Dimensions;
use crate::image_input::InputOptions;

/// The names of the program: since and before Raspberry Pi OS 12.
const PROGRAMS: [&str; 2] = ["rpicam-vid", "libcamera-vid"];

const ADVICE: &str = "install it on Raspberry Pi OS with: sudo apt install rpicam-apps-lite";

/// What to request from a camera module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RpicamOptions {
    /// The number that `rpicam-vid --list-cameras` prints.
    pub camera: u32,
    /// The size of the pictures. `None` leaves the choice to the program, which is 640x480.
    pub size: Option<Dimensions>,
    /// The frame rate in frames per second, greater than 0. `None` leaves the choice to the program, which is 30.
    pub rate: Option<f64>,
    /// The JPEG quality, from 1 to 100. `None` leaves the choice to the program, which is 50.
    pub quality: Option<u8>,
    /// Whether to flip the pictures horizontally and vertically.
    pub flips: (bool, bool),
}

/// Returns the source for a camera module.
pub fn source(options: RpicamOptions, supervisor: SupervisorCommand) -> Program {
    let arguments = arguments(options);
    let command = |program: &str| CommandLine { program: program.to_owned(), arguments: arguments.clone() };
    let description = format!("Raspberry Pi camera module {}", options.camera);
    let input = InputOptions { rate: options.rate, allow_truncated: false };
    Program::preset(PROGRAMS.map(command).to_vec(), description, ADVICE, input, supervisor)
}

fn arguments(options: RpicamOptions) -> Vec<String> {
    // No time limit, no preview window, each image written at once.
    let mut arguments: Vec<String> =
        ["--timeout", "0", "--nopreview", "--codec", "mjpeg", "--flush", "--output", "-"].map(str::to_owned).into();
    arguments.extend(["--camera".to_owned(), options.camera.to_string()]);
    if let Some(Dimensions { width, height }) = options.size {
        arguments.extend(["--width".to_owned(), width.to_string(), "--height".to_owned(), height.to_string()]);
    }
    if let Some(rate) = options.rate {
        arguments.extend(["--framerate".to_owned(), rate.to_string()]);
    }
    if let Some(quality) = options.quality {
        arguments.extend(["--quality".to_owned(), quality.to_string()]);
    }
    let (horizontally, vertically) = options.flips;
    arguments.extend(horizontally.then(|| "--hflip".to_owned()));
    arguments.extend(vertically.then(|| "--vflip".to_owned()));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_arguments() {
        assert_eq!(
            arguments(RpicamOptions::default()).join(" "),
            "--timeout 0 --nopreview --codec mjpeg --flush --output - --camera 0"
        );
        let options = RpicamOptions {
            camera: 1,
            size: Some(Dimensions { width: 1280, height: 720 }),
            rate: Some(29.97),
            quality: Some(90),
            flips: (true, true),
        };
        assert!(
            arguments(options)
                .join(" ")
                .ends_with(" --camera 1 --width 1280 --height 720 --framerate 29.97 --quality 90 --hflip --vflip")
        );
    }
}
