//! Requests to the control endpoint: standard requests, stream negotiation and camera controls.

use super::descriptors::{self, CLOCK_FREQUENCY, interval};
use crate::environment::Settings;
use crate::formats::{Mode, SupportedFormats};
use crate::options::Options;

// Class-specific requests (UVC, A.8).
const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_RES: u8 = 0x84;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;

/// The answer to `GET_INFO` for a control that can be read and set (UVC, 4.1.2).
const SUPPORTS_GET_AND_SET: u8 = 3;

/// The length of the probe and commit controls, in bytes (UVC 1.1, 4.3.1.1).
const PROBE_LENGTH: usize = 34;

/// `dwMaxPayloadTransferSize`: the largest payload, including its header, in bytes.
pub(super) const MAX_PAYLOAD_LENGTH: usize = 16_384;

/// A control of the camera terminal (1) or the processing unit (2).
struct Control {
    unit: u8,
    selector: u8,
    size: usize,
    minimum: i32,
    maximum: i32,
    step: i32,
    default: i32,
    value: i32,
}

const fn control(unit: u8, selector: u8, size: usize, [minimum, maximum, step, default]: [i32; 4]) -> Control {
    Control { unit, selector, size, minimum, maximum, step, default, value: default }
}

/// What a request does to the stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum StreamChange {
    None,
    Start,
    Stop,
}

/// The control endpoint.
pub(super) struct ControlEndpoint {
    configuration: Vec<u8>,
    /// The probe and commit controls (UVC 1.1, 4.3.1.1).
    probe: [u8; PROBE_LENGTH],
    controls: [Control; 6],
}

/// An unsupported request, which the endpoint answers with a STALL handshake (USB 2.0, 9.2.7).
pub(super) struct UnsupportedRequest;

impl ControlEndpoint {
    pub(super) fn new(formats: &SupportedFormats, options: &Options) -> Self {
        let mut endpoint = Self {
            configuration: descriptors::configuration(formats, options),
            probe: [0; PROBE_LENGTH],
            controls: [
                // Exposure mode (manual or aperture priority) and exposure time.
                control(1, 2, 1, [1, 8, 9, 8]),
                control(1, 4, 4, [3, 2047, 1, 250]),
                // Brightness, contrast, saturation, power line frequency.
                control(2, 2, 2, [0, 255, 1, 128]),
                control(2, 3, 2, [0, 64, 1, 32]),
                control(2, 7, 2, [0, 128, 1, 64]),
                control(2, 5, 1, [0, 2, 1, 1]),
            ],
        };
        endpoint.negotiate(formats, options);
        endpoint
    }

    /// Returns the negotiated mode.
    pub(super) fn mode(&self, formats: &SupportedFormats) -> Option<Mode> {
        let pixels = *formats.pixel_formats.get(usize::from(self.probe[2]).checked_sub(1)?)?;
        let sizes = formats.sizes(pixels.fourcc());
        let (width, height) = *sizes.get(usize::from(self.probe[3]).checked_sub(1)?)?;
        Some(Mode { pixel_format: pixels, width, height })
    }

    /// Returns the negotiated frame interval, in units of 100 ns.
    pub(super) fn interval(&self) -> u32 {
        self.word(4)
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.probe[at], self.probe[at + 1], self.probe[at + 2], self.probe[at + 3]])
    }

    fn set_word(&mut self, at: usize, value: u32) {
        self.probe[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Replaces the requested parameters by the nearest supported ones.
    fn negotiate(&mut self, formats: &SupportedFormats, options: &Options) {
        if self.mode(formats).is_none() {
            self.probe[2..4].fill(1);
        }
        let requested = self.word(4);
        let intervals = (0..formats.intervals.len()).map(|index| interval(formats, index));
        let nearest = intervals.min_by_key(|interval| interval.abs_diff(requested));
        let chosen = if requested == 0 { interval(formats, 0) } else { nearest.unwrap_or(0) };
        let max_frame_length = self.mode(formats).map_or(0, |mode| formats.max_frame_length(mode, options));
        self.set_word(4, chosen);
        self.set_word(18, max_frame_length);
        self.set_word(22, MAX_PAYLOAD_LENGTH as u32);
        self.set_word(26, CLOCK_FREQUENCY);
        self.probe[30] = 3;
    }

    /// Answers a request, given its setup data (USB 2.0, 9.3) and the data that the host sent with it.
    pub(super) fn respond(
        &mut self,
        setup: [u8; 8],
        data: &[u8],
        formats: &SupportedFormats,
        settings: &Settings,
        options: &Options,
    ) -> Result<(Vec<u8>, StreamChange), UnsupportedRequest> {
        let [request_type, request, index, descriptor_type, ..] = setup;
        let response = match (request_type, request) {
            // A class-specific request.
            _ if request_type & 0x60 == 0x20 => return self.class_request(setup, data, formats, options),
            // GET_DESCRIPTOR
            (0x80, 6) => match descriptor_type {
                1 => descriptors::DEVICE.to_vec(),
                2 => self.configuration.clone(),
                3 => descriptors::string(index, &settings.text("CARD").unwrap_or_else(|| "Fakecam USB".to_owned())),
                _ => return Err(UnsupportedRequest),
            },
            // GET_STATUS
            (0x80.., 0) => vec![0, 0],
            // CLEAR_FEATURE for an endpoint, with which the host stops the stream.
            (0x02, 1) => return Ok((Vec::new(), StreamChange::Stop)),
            // GET_CONFIGURATION, GET_INTERFACE
            (0x80.., _) => vec![u8::from(request == 8)],
            _ => Vec::new(),
        };
        Ok((response, StreamChange::None))
    }

    fn class_request(
        &mut self,
        setup: [u8; 8],
        data: &[u8],
        formats: &SupportedFormats,
        options: &Options,
    ) -> Result<(Vec<u8>, StreamChange), UnsupportedRequest> {
        let [_, request, _, selector, interface, unit, ..] = setup;
        match (interface, selector, unit) {
            // VS_PROBE_CONTROL and VS_COMMIT_CONTROL.
            (1, 1 | 2, _) => Ok(self.probe_request(request, selector == 2, data, formats, options)),
            // VC_REQUEST_ERROR_CODE_CONTROL: no error.
            (0, 2, 0) => Ok((vec![0], StreamChange::None)),
            (0, ..) => {
                let mut controls = self.controls.iter_mut();
                let control = controls.find(|control| (control.unit, control.selector) == (unit, selector));
                Ok((control.ok_or(UnsupportedRequest)?.respond(request, data), StreamChange::None))
            }
            _ => Err(UnsupportedRequest),
        }
    }

    fn probe_request(
        &mut self,
        request: u8,
        is_commit: bool,
        data: &[u8],
        formats: &SupportedFormats,
        options: &Options,
    ) -> (Vec<u8>, StreamChange) {
        match request {
            GET_INFO => return (vec![SUPPORTS_GET_AND_SET], StreamChange::None),
            GET_LEN => return (vec![PROBE_LENGTH as u8, 0], StreamChange::None),
            SET_CUR => {
                let length = data.len().min(PROBE_LENGTH);
                self.probe[..length].copy_from_slice(&data[..length]);
                self.negotiate(formats, options);
                return (Vec::new(), if is_commit { StreamChange::Start } else { StreamChange::None });
            }
            _ => {}
        }
        let saved = self.probe;
        match request {
            GET_MIN => self.set_word(4, interval(formats, 0)),
            GET_MAX => self.set_word(4, interval(formats, formats.intervals.len().saturating_sub(1))),
            GET_DEF => self.probe.fill(0),
            _ => {}
        }
        self.negotiate(formats, options);
        let response = self.probe.to_vec();
        self.probe = saved;
        (response, StreamChange::None)
    }
}

impl Control {
    fn respond(&mut self, request: u8, data: &[u8]) -> Vec<u8> {
        let value = match request {
            SET_CUR => {
                let mut bytes = [0; 4];
                let length = self.size.min(data.len());
                bytes[..length].copy_from_slice(&data[..length]);
                self.value = i32::from_le_bytes(bytes);
                return Vec::new();
            }
            GET_INFO => return vec![SUPPORTS_GET_AND_SET],
            GET_LEN => return vec![self.size as u8, 0],
            GET_CUR => self.value,
            GET_MIN => self.minimum,
            GET_MAX => self.maximum,
            GET_RES => self.step,
            GET_DEF => self.default,
            _ => 0,
        };
        value.to_le_bytes()[..self.size].to_vec()
    }
}
