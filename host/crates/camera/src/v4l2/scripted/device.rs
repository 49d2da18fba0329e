//! A scripted device.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::machine::{Handle, Machine, PluggedCamera};
use super::script::{AUTO_EXPOSURE, BRIGHTNESS, EXPOSURE_TIME, Operation, PAN_RESET, ScriptedCamera};
use super::stream::ScriptedStream;
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::raw::MAX_PLANES;
use crate::rectangle::Rectangle;
use crate::v4l2::device::{
    Capabilities, ControlType, Device, DeviceCaps, Format, OfferedControl, OfferedFormat, OfferedSize, Stream,
};

/// An open device.
pub(super) struct ScriptedDevice {
    handle: Handle,
    format: Mutex<Format>,
}

impl ScriptedDevice {
    /// Opens a device.
    pub(super) fn open(machine: &Machine, node: &Path) -> io::Result<Self> {
        let format = Format {
            code: FourCc(*b"YUYV"),
            dimensions: Dimensions { width: 640, height: 480 },
            strides: [0; MAX_PLANES],
            full_range: false,
        };
        Ok(Self { handle: Handle::open(machine, node)?, format: Mutex::new(format) })
    }

    fn note_selected(&self, name: Option<&String>) -> io::Result<()> {
        let name = name.ok_or(Errno::INVAL)?.clone();
        self.handle.machine.lock().selected.push(name);
        Ok(())
    }

    fn for_format<T>(&self, code: FourCc, pick: impl Fn(&(FourCc, Vec<Dimensions>, Vec<f64>)) -> Vec<T>) -> Vec<T> {
        let picked = self.handle.with(|plugged| {
            Ok(plugged.camera.formats.iter().filter(|format| format.0 == code).flat_map(&pick).collect())
        });
        picked.unwrap_or_default()
    }
}

impl Device for ScriptedDevice {
    fn capabilities(&self) -> io::Result<Capabilities> {
        self.handle.with(|plugged| {
            let ScriptedCamera { card, bus, caps, .. } = plugged.camera.clone();
            Ok(Capabilities { card, bus, index: None, caps: DeviceCaps(caps) })
        })
    }

    fn has_input(&self) -> bool {
        self.handle.with(|plugged| Ok(plugged.camera.has_input)).unwrap_or_default()
    }

    fn inputs(&self) -> Vec<String> {
        self.handle.with(|plugged| Ok(plugged.camera.inputs.clone())).unwrap_or_default()
    }

    fn select_input(&self, number: u32) -> io::Result<()> {
        self.note_selected(self.inputs().get(number as usize))
    }

    fn standards(&self) -> Vec<String> {
        self.handle.with(|plugged| Ok(plugged.camera.standards.clone())).unwrap_or_default()
    }

    fn select_standard(&self, number: u32) -> io::Result<()> {
        self.note_selected(self.standards().get(number as usize))
    }

    fn adopt_timings(&self) -> io::Result<()> {
        self.handle.machine.check(&self.handle.node, Operation::AdoptTimings)
    }

    fn formats(&self) -> Vec<OfferedFormat> {
        let name = |format: &(FourCc, _, _)| OfferedFormat { code: format.0, name: format.0.to_string() };
        self.handle.with(|plugged| Ok(plugged.camera.formats.iter().map(name).collect())).unwrap_or_default()
    }

    fn sizes(&self, code: FourCc) -> Vec<OfferedSize> {
        self.for_format(code, |format| format.1.iter().copied().map(OfferedSize::Discrete).collect())
    }

    fn frame_rates(&self, code: FourCc, _: Dimensions) -> Vec<f64> {
        self.for_format(code, |format| format.2.clone())
    }

    /// Moves and shrinks the area until it fits, as drivers do.
    fn set_crop(&self, area: &Rectangle) -> io::Result<bool> {
        self.handle.with(|plugged| {
            let Some(bounds) = plugged.camera.crop_bounds else { return Ok(false) };
            let width = area.size.width.min(bounds.width);
            let height = area.size.height.min(bounds.height);
            let (left, top) = (area.left.min(bounds.width - width), area.top.min(bounds.height - height));
            plugged.crop = Some(Rectangle { left, top, size: Dimensions { width, height } });
            Ok(true)
        })
    }

    fn crop(&self) -> io::Result<Rectangle> {
        self.handle.with(|plugged| plugged.crop.ok_or_else(|| Errno::INVAL.into()))
    }

    fn format(&self) -> io::Result<Format> {
        self.handle.with(|_| Ok(*self.format.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format> {
        self.handle.machine.check(&self.handle.node, Operation::SetFormat)?;
        let mut sizes = self.for_format(code, |format| format.1.clone());
        // Pictures are as large as the area that they are cropped to, or scaled.
        sizes.extend(self.crop().map(|crop| crop.size));
        let chosen = sizes.iter().find(|chosen| **chosen == size).or(sizes.first()).copied().ok_or(Errno::INVAL)?;
        let mut format = self.format.lock().unwrap_or_else(PoisonError::into_inner);
        *format = Format { code, dimensions: chosen, strides: [0; MAX_PLANES], full_range: false };
        Ok(*format)
    }

    fn frame_rate(&self) -> Option<f64> {
        let code = self.format().ok()?.code;
        self.for_format(code, |format| format.2.clone()).first().copied()
    }

    fn set_frame_rate(&self, rate: f64) -> Option<f64> {
        let code = self.format().ok()?.code;
        let rates = self.for_format(code, |format| format.2.clone());
        rates.iter().find(|chosen| **chosen == rate).or(rates.first()).copied()
    }

    fn controls(&self) -> Vec<OfferedControl> {
        let control = |id, label: &str, control_type, maximum| OfferedControl {
            id,
            label: label.to_owned(),
            minimum: 0,
            maximum,
            step: 1,
            default: 0,
            read_only: false,
            inactive: false,
            momentary: matches!(control_type, ControlType::Button),
            control_type,
        };
        let mut offered = vec![
            control(BRIGHTNESS, "Brightness", ControlType::Integer, 255),
            control(EXPOSURE_TIME, "Exposure Time, Absolute", ControlType::Integer, 2047),
            control(AUTO_EXPOSURE, "Auto Exposure", ControlType::Boolean, 1),
            control(PAN_RESET, "Pan, Reset", ControlType::Button, 0),
        ];
        let more = |plugged: &mut PluggedCamera| {
            let more = plugged.camera.more_controls.iter();
            offered.extend(more.map(|(id, maximum)| control(*id, "", ControlType::Integer, *maximum)));
            Ok(offered)
        };
        self.handle.with(more).unwrap_or_default()
    }

    fn control(&self, id: u32) -> io::Result<i64> {
        self.handle.with(|plugged| plugged.controls.get(&id).copied().ok_or_else(|| Errno::INVAL.into()))
    }

    fn set_control(&self, id: u32, value: i64) -> io::Result<i64> {
        self.handle.with(|plugged| {
            if id == EXPOSURE_TIME && plugged.controls.get(&AUTO_EXPOSURE) == Some(&1) {
                return Err(Errno::ACCESS.into());
            }
            plugged.controls.insert(id, value);
            Ok(())
        })?;
        self.handle.machine.lock().controls_set.push((id, value));
        Ok(value)
    }

    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>> {
        self.handle.machine.check(&self.handle.node, Operation::Start)?;
        self.handle.with(|_| Ok(()))?;
        self.handle.machine.lock().stream_starts += 1;
        Ok(Box::new(ScriptedStream::new(self.handle, count)))
    }
}
