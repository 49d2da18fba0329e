//! The camera's controls: integers, booleans and menus. Two of them are inactive while the camera sets them
//! automatically.

use rustix::io::Errno;
use v4l2_sys_mit::{
    V4L2_CTRL_FLAG_INACTIVE, V4L2_CTRL_FLAG_NEXT_COMPOUND, V4L2_CTRL_FLAG_NEXT_CTRL, V4L2_CTRL_FLAG_READ_ONLY,
    V4L2_CTRL_FLAG_WRITE_ONLY, v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN as BOOLEAN,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_CTRL_CLASS as CTRL_CLASS, v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER as INTEGER,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU as MENU,
};

/// A control, which is the same for all cameras.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) id: u32,
    /// `V4L2_CTRL_TYPE_*`.
    pub(crate) control_type: u32,
    pub(crate) name: &'static str,
    pub(crate) minimum: i32,
    pub(crate) maximum: i32,
    pub(crate) step: i32,
    pub(crate) default: i32,
}

// Control ids, from `linux/v4l2-controls.h`.
const AUTO_WHITE_BALANCE: u32 = 0x0098_090C;
const POWER_LINE_FREQUENCY: u32 = 0x0098_0918;
const WHITE_BALANCE_TEMPERATURE: u32 = 0x0098_091A;
const EXPOSURE_AUTO: u32 = 0x009A_0901;
const EXPOSURE_ABSOLUTE: u32 = 0x009A_0902;

const CONTROLS: [Control; 10] = [
    control(0x0098_0001, CTRL_CLASS, "User Controls", [0, 0, 0, 0]),
    control(0x0098_0900, INTEGER, "Brightness", [0, 255, 1, 128]),
    control(0x0098_0901, INTEGER, "Contrast", [0, 64, 1, 32]),
    control(0x0098_0902, INTEGER, "Saturation", [0, 128, 1, 64]),
    control(AUTO_WHITE_BALANCE, BOOLEAN, "White Balance, Automatic", [0, 1, 1, 1]),
    control(POWER_LINE_FREQUENCY, MENU, "Power Line Frequency", [0, 2, 1, 1]),
    control(WHITE_BALANCE_TEMPERATURE, INTEGER, "White Balance Temperature", [2800, 6500, 1, 4000]),
    control(0x009A_0001, CTRL_CLASS, "Camera Controls", [0, 0, 0, 0]),
    control(EXPOSURE_AUTO, MENU, "Auto Exposure", [0, 3, 1, 3]),
    control(EXPOSURE_ABSOLUTE, INTEGER, "Exposure Time, Absolute", [3, 2047, 1, 250]),
];

const fn control(
    id: u32,
    control_type: u32,
    name: &'static str,
    [minimum, maximum, step, default]: [i32; 4],
) -> Control {
    Control { id, control_type, name, minimum, maximum, step, default }
}

/// Returns the name of a menu item. Menus have gaps, like those of real cameras.
pub(crate) fn menu_item(id: u32, index: u32) -> Option<&'static str> {
    Some(match (id, index) {
        (POWER_LINE_FREQUENCY, 0) => "Disabled",
        (POWER_LINE_FREQUENCY, 1) => "50 Hz",
        (POWER_LINE_FREQUENCY, 2) => "60 Hz",
        (EXPOSURE_AUTO, 1) => "Manual Mode",
        (EXPOSURE_AUTO, 3) => "Aperture Priority Mode",
        _ => return None,
    })
}

/// Finds a control by its id, or the next one if the id contains `V4L2_CTRL_FLAG_NEXT_CTRL`.
pub(crate) fn find(id: u32) -> Option<&'static Control> {
    let next = id & (V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND);
    let id = id & !next;
    if next == V4L2_CTRL_FLAG_NEXT_COMPOUND {
        // The camera has no compound controls.
        return None;
    }
    CONTROLS.iter().find(|control| if next == 0 { control.id == id } else { control.id > id })
}

/// The current values of a camera's controls.
#[derive(Debug)]
pub(crate) struct ControlValues([i32; CONTROLS.len()]);

impl ControlValues {
    pub(crate) fn defaults() -> Self {
        Self(CONTROLS.each_ref().map(|control| control.default))
    }

    fn index(id: u32) -> Option<usize> {
        CONTROLS.iter().position(|control| control.id == id)
    }

    fn value(&self, id: u32) -> i32 {
        Self::index(id).map_or(0, |index| self.0[index])
    }

    pub(crate) fn flags(&self, control: &Control) -> u32 {
        let is_inactive = match control.id {
            EXPOSURE_ABSOLUTE => self.value(EXPOSURE_AUTO) == 3,
            WHITE_BALANCE_TEMPERATURE => self.value(AUTO_WHITE_BALANCE) != 0,
            _ => false,
        };
        match control.control_type {
            CTRL_CLASS => V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY,
            _ if is_inactive => V4L2_CTRL_FLAG_INACTIVE,
            _ => 0,
        }
    }

    pub(crate) fn get(&self, id: u32) -> Result<i32, Errno> {
        let index = Self::index(id).ok_or(Errno::INVAL)?;
        if CONTROLS[index].control_type == CTRL_CLASS { Err(Errno::ACCESS) } else { Ok(self.0[index]) }
    }

    /// Sets a control, and returns the actual value. Clamps integers to their range.
    pub(crate) fn set(&mut self, id: u32, value: i32) -> Result<i32, Errno> {
        let index = Self::index(id).ok_or(Errno::INVAL)?;
        let control = &CONTROLS[index];
        if self.flags(control) != 0 {
            return Err(Errno::ACCESS);
        }
        let range = control.minimum..=control.maximum;
        if control.control_type == MENU {
            if !range.contains(&value) {
                return Err(Errno::RANGE);
            }
            menu_item(id, value.cast_unsigned()).ok_or(Errno::INVAL)?;
        }
        self.0[index] = value.clamp(control.minimum, control.maximum);
        Ok(self.0[index])
    }
}
