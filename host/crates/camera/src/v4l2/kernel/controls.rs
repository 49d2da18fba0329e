//! The controls of a device ("User Controls", "Extended Controls API").

use std::io;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::node::{LIST_LIMIT, Node, text, zeroed};
use crate::controls::MenuItem;
use crate::v4l2::device::{ControlType, OfferedControl};

/// Lists the controls whose value is a single number.
pub(super) fn all(node: &Node) -> Vec<OfferedControl> {
    let mut controls = Vec::new();
    let mut id = 0;
    for _ in 0..LIST_LIMIT {
        let mut raw: sys::v4l2_query_ext_ctrl = zeroed();
        // Requests the next control, of any class.
        raw.id = id | sys::V4L2_CTRL_FLAG_NEXT_CTRL;
        if node.ioctl(vidioc::VIDIOC_QUERY_EXT_CTRL, &mut raw).is_err() || raw.id <= id {
            break;
        }
        id = raw.id;
        if raw.flags & (sys::V4L2_CTRL_FLAG_DISABLED | sys::V4L2_CTRL_FLAG_HAS_PAYLOAD) == 0 {
            controls.extend(offered(node, &raw));
        }
    }
    controls
}

/// Converts the driver's description. Returns `None` if the value is not a single number.
fn offered(node: &Node, raw: &sys::v4l2_query_ext_ctrl) -> Option<OfferedControl> {
    let control_type = match raw.type_ {
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER => ControlType::Integer,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => ControlType::Boolean,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => ControlType::Button,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => ControlType::Menu(menu(node, raw, false)),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => ControlType::Menu(menu(node, raw, true)),
        _ => return None,
    };
    // The signedness of C's `char` depends on the machine.
    let label: Vec<u8> = raw.name.iter().map(|char| char.to_ne_bytes()).map(|[byte]| byte).collect();
    Some(OfferedControl {
        id: raw.id,
        label: text(&label),
        control_type,
        minimum: raw.minimum,
        maximum: raw.maximum,
        step: raw.step,
        default: raw.default_value,
        // GRABBED: locked by another program while it streams.
        read_only: raw.flags & (sys::V4L2_CTRL_FLAG_READ_ONLY | sys::V4L2_CTRL_FLAG_GRABBED) != 0,
        inactive: raw.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0,
        momentary: raw.type_ == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON
            || raw.flags & (sys::V4L2_CTRL_FLAG_WRITE_ONLY | sys::V4L2_CTRL_FLAG_EXECUTE_ON_WRITE) != 0,
    })
}

/// Lists the items of a menu. The driver may skip numbers.
fn menu(node: &Node, raw: &sys::v4l2_query_ext_ctrl, is_integer_menu: bool) -> Vec<MenuItem> {
    let indices = (raw.minimum..=raw.maximum).take(LIST_LIMIT as usize);
    let item = |value: i64| {
        let mut item: sys::v4l2_querymenu = zeroed();
        item.id = raw.id;
        item.index = u32::try_from(value).ok()?;
        node.ioctl(vidioc::VIDIOC_QUERYMENU, &mut item).ok()?;
        let content = item.__bindgen_anon_1;
        // SAFETY: a union of bytes and a number, for both of which any bytes are valid. The control's type says which.
        let label = unsafe { if is_integer_menu { content.value.to_string() } else { text(&content.name) } };
        Some(MenuItem { value, label })
    };
    indices.filter_map(item).collect()
}

/// Reads a control.
pub(super) fn get(node: &Node, id: u32) -> io::Result<i64> {
    let mut raw = sys::v4l2_control { id, value: 0 };
    node.ioctl(vidioc::VIDIOC_G_CTRL, &mut raw)?;
    Ok(raw.value.into())
}

/// Sets a control. Returns the value that the driver accepted.
pub(super) fn set(node: &Node, id: u32, value: i64) -> io::Result<i64> {
    let value = i32::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut raw = sys::v4l2_control { id, value };
    node.ioctl(vidioc::VIDIOC_S_CTRL, &mut raw)?;
    // The driver has replaced the value with the rounded one.
    Ok(raw.value.into())
}
