//! Requests to the control endpoint: the stream's negotiation and the camera's controls.

use super::descriptors::{self, CLOCK, interval};
use crate::environment::Settings;
use crate::offer::{Mode, Offer};
use crate::options::Options;

/// Requests of the class (UVC, A.8).
const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_RES: u8 = 0x84;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;

/// A control can be read and set (UVC, 4.1.2).
const READ_AND_WRITE: u8 = 3;

/// The length of the negotiated parameters (UVC 1.1, 4.3.1.1).
const PROBE: usize = 34;

/// The most bytes of a frame in one transfer, its header included.
pub(super) const PAYLOAD: usize = 16_384;

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

/// What a request does beside being answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    None,
    Start,
    Stop,
}

/// The control endpoint.
pub(super) struct Endpoint {
    configuration: Vec<u8>,
    probe: [u8; PROBE],
    controls: [Control; 6],
}

/// A request that is not known (a stall, `-EPIPE`).
pub(super) struct Stall;

impl Endpoint {
    pub(super) fn new(offer: &Offer, options: &Options) -> Self {
        let mut endpoint = Self {
            configuration: descriptors::configuration(offer, options),
            probe: [0; PROBE],
            controls: [
                // Exposure: its mode, which is manual or aperture priority, and its time.
                control(1, 2, 1, [1, 8, 9, 8]),
                control(1, 4, 4, [3, 2047, 1, 250]),
                // Brightness, contrast, saturation, power line frequency.
                control(2, 2, 2, [0, 255, 1, 128]),
                control(2, 3, 2, [0, 64, 1, 32]),
                control(2, 7, 2, [0, 128, 1, 64]),
                control(2, 5, 1, [0, 2, 1, 1]),
            ],
        };
        endpoint.negotiate(offer, options);
        endpoint
    }

    /// What was negotiated.
    pub(super) fn mode(&self, offer: &Offer) -> Option<Mode> {
        let pixels = *offer.formats.get(usize::from(self.probe[2]).checked_sub(1)?)?;
        let sizes = offer.sizes(pixels.code());
        let (width, height) = *sizes.get(usize::from(self.probe[3]).checked_sub(1)?)?;
        Some(Mode { pixels, width, height })
    }

    /// The negotiated frame interval in units of 100 ns.
    pub(super) fn interval(&self) -> u32 {
        self.word(4)
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.probe[at], self.probe[at + 1], self.probe[at + 2], self.probe[at + 3]])
    }

    fn set_word(&mut self, at: usize, value: u32) {
        self.probe[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Makes what the host asked for into something that the camera can do.
    pub(super) fn negotiate(&mut self, offer: &Offer, options: &Options) {
        if self.mode(offer).is_none() {
            self.probe[2..4].fill(1);
        }
        let wanted = self.word(4);
        let intervals = (0..offer.intervals.len()).map(|index| interval(offer, index));
        let nearest = intervals.min_by_key(|interval| interval.abs_diff(wanted));
        let chosen = if wanted == 0 { interval(offer, 0) } else { nearest.unwrap_or(0) };
        let largest = self.mode(offer).map_or(0, |mode| offer.largest_frame(mode, options));
        self.set_word(4, chosen);
        self.set_word(18, largest);
        self.set_word(22, PAYLOAD as u32);
        self.set_word(26, CLOCK);
        self.probe[30] = 3;
    }

    /// Answers a request, given its eight bytes (USB 2.0, 9.3) and the data that came with it.
    pub(super) fn answer(
        &mut self,
        setup: [u8; 8],
        data: &[u8],
        offer: &Offer,
        settings: &Settings,
        options: &Options,
    ) -> Result<(Vec<u8>, Effect), Stall> {
        let [kind, request, index, value, ..] = setup;
        let answer = match (kind, request) {
            // Of the class.
            _ if kind & 0x60 == 0x20 => return self.class_request(setup, data, offer, options),
            // GET_DESCRIPTOR
            (0x80, 6) => match value {
                1 => descriptors::DEVICE.to_vec(),
                2 => self.configuration.clone(),
                3 => descriptors::string(index, &settings.text("CARD").unwrap_or_else(|| "Fakecam USB".to_owned())),
                _ => return Err(Stall),
            },
            // GET_STATUS
            (0x80.., 0) => vec![0, 0],
            // CLEAR_FEATURE of an endpoint: the host stops the stream.
            (0x02, 1) => return Ok((Vec::new(), Effect::Stop)),
            // GET_CONFIGURATION, GET_INTERFACE
            (0x80.., _) => vec![u8::from(request == 8)],
            _ => Vec::new(),
        };
        Ok((answer, Effect::None))
    }

    fn class_request(
        &mut self,
        setup: [u8; 8],
        data: &[u8],
        offer: &Offer,
        options: &Options,
    ) -> Result<(Vec<u8>, Effect), Stall> {
        let [_, request, _, selector, interface, unit, ..] = setup;
        match (interface, selector, unit) {
            // Probe and commit.
            (1, 1 | 2, _) => Ok(self.probe_request(request, selector == 2, data, offer, options)),
            // The error of the last request: none.
            (0, 2, 0) => Ok((vec![0], Effect::None)),
            (0, ..) => {
                let mut controls = self.controls.iter_mut();
                let control = controls.find(|control| (control.unit, control.selector) == (unit, selector));
                Ok((control.ok_or(Stall)?.answer(request, data), Effect::None))
            }
            _ => Err(Stall),
        }
    }

    fn probe_request(
        &mut self,
        request: u8,
        commits: bool,
        data: &[u8],
        offer: &Offer,
        options: &Options,
    ) -> (Vec<u8>, Effect) {
        match request {
            GET_INFO => return (vec![READ_AND_WRITE], Effect::None),
            GET_LEN => return (vec![PROBE as u8, 0], Effect::None),
            SET_CUR => {
                let length = data.len().min(PROBE);
                self.probe[..length].copy_from_slice(&data[..length]);
                self.negotiate(offer, options);
                return (Vec::new(), if commits { Effect::Start } else { Effect::None });
            }
            _ => {}
        }
        let saved = self.probe;
        match request {
            GET_MIN => self.set_word(4, interval(offer, 0)),
            GET_MAX => self.set_word(4, interval(offer, offer.intervals.len().saturating_sub(1))),
            GET_DEF => self.probe.fill(0),
            _ => {}
        }
        self.negotiate(offer, options);
        let answer = self.probe.to_vec();
        self.probe = saved;
        (answer, Effect::None)
    }
}

impl Control {
    fn answer(&mut self, request: u8, data: &[u8]) -> Vec<u8> {
        let value = match request {
            SET_CUR => {
                let mut bytes = [0; 4];
                let length = self.size.min(data.len());
                bytes[..length].copy_from_slice(&data[..length]);
                self.value = i32::from_le_bytes(bytes);
                return Vec::new();
            }
            GET_INFO => return vec![READ_AND_WRITE],
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
