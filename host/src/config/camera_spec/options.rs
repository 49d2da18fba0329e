//! The values of options.

use std::ops::Bound;
use std::time::Duration;

use super::super::seconds::parse_seconds;
use super::error::CameraSpecError;
use super::limits::{MAX_BUFFERS, MAX_MEMORY, MAX_RATE, MAX_SIDE, MIN_BUFFERS, MIN_RATE};
use crate::camera::{Dimensions, Rectangle, Rotation};

pub(super) fn parse_size(input: &str) -> Result<Dimensions, CameraSpecError> {
    let side = |side: &str| side.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    input
        .split_once(['x', 'X'])
        .and_then(|(width, height)| Some(Dimensions { width: side(width)?, height: side(height)? }))
        .ok_or_else(|| CameraSpecError::InvalidSize(input.to_owned()))
}

pub(super) fn parse_rate(input: &str) -> Result<f64, CameraSpecError> {
    input
        .parse()
        .ok()
        .filter(|rate| (MIN_RATE..=MAX_RATE).contains(rate))
        .ok_or_else(|| CameraSpecError::InvalidRate(input.to_owned()))
}

pub(super) fn parse_quality(input: &str) -> Result<u8, CameraSpecError> {
    let quality = input.parse().ok().filter(|quality| (1..=100).contains(quality));
    quality.ok_or_else(|| CameraSpecError::InvalidQuality(input.to_owned()))
}

pub(super) fn parse_crop(input: &str) -> Result<Rectangle, CameraSpecError> {
    let distance = |distance: &str| distance.parse().ok().filter(|distance| (0..=MAX_SIDE).contains(distance));
    let parse = || {
        let mut parts = input.split('+');
        let (size, left, top) = (parts.next()?, parts.next()?, parts.next()?);
        let area = Rectangle { left: distance(left)?, top: distance(top)?, size: parse_size(size).ok()? };
        parts.next().is_none().then_some(area)
    };
    parse().ok_or_else(|| CameraSpecError::InvalidCrop(input.to_owned()))
}

pub(super) fn parse_rotation(input: &str) -> Result<Rotation, CameraSpecError> {
    let rotation = input.parse().ok().and_then(Rotation::from_degrees);
    rotation.ok_or_else(|| CameraSpecError::InvalidRotation(input.to_owned()))
}

/// Returns whether to flip horizontally and vertically.
pub(super) fn parse_flip(input: &str) -> Result<(bool, bool), CameraSpecError> {
    match input {
        "none" => Ok((false, false)),
        "horizontal" => Ok((true, false)),
        "vertical" => Ok((false, true)),
        "both" => Ok((true, true)),
        _ => Err(CameraSpecError::InvalidFlip(input.to_owned())),
    }
}

pub(super) fn parse_buffers(input: &str) -> Result<u32, CameraSpecError> {
    let count = input.parse().ok().filter(|count| (MIN_BUFFERS..=MAX_BUFFERS).contains(count));
    count.ok_or_else(|| CameraSpecError::InvalidBuffers(input.to_owned()))
}

pub(super) fn parse_memory(input: &str) -> Result<Duration, CameraSpecError> {
    let range = (Bound::Excluded(Duration::ZERO), Bound::Included(MAX_MEMORY));
    parse_seconds(input, range).ok_or_else(|| CameraSpecError::InvalidMemory(input.to_owned()))
}

pub(super) fn parse_name(option: &'static str, input: &str) -> Result<String, CameraSpecError> {
    if input.is_empty() { Err(CameraSpecError::EmptyName(option)) } else { Ok(input.to_owned()) }
}

pub(super) fn parse_control(input: &str) -> Result<(String, i64), CameraSpecError> {
    let control = input.split_once(':').filter(|(name, _)| !name.is_empty());
    control
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .ok_or_else(|| CameraSpecError::InvalidControl(input.to_owned()))
}
