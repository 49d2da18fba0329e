//! What can be set on a device ("User Controls", "Extended Controls API").

use std::io;

use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::{LIST_LIMIT, Node, text, zeroed};
use crate::controls::MenuItem;
use crate::v4l2::device::{OfferedControl, OfferedKind};

/// All controls that are one number.
pub(super) fn all(node: &Node) -> Vec<OfferedControl> {
    let mut controls = Vec::new();
    let mut id = 0;
    for _ in 0..LIST_LIMIT {
        let mut raw: sys::v4l2_query_ext_ctrl = zeroed();
        // The one after this, which may be of any class.
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

/// The control that the driver described; none if it is of a kind that is not one number.
fn offered(node: &Node, raw: &sys::v4l2_query_ext_ctrl) -> Option<OfferedControl> {
    let kind = match raw.type_ {
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER => OfferedKind::Integer,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => OfferedKind::Boolean,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => OfferedKind::Button,
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => OfferedKind::Menu(menu(node, raw, false)),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => OfferedKind::Menu(menu(node, raw, true)),
        _ => return None,
    };
    // Of C's `char`, whose sign depends on the machine.
    let label: Vec<u8> = raw.name.iter().map(|char| char.to_ne_bytes()).map(|[byte]| byte).collect();
    Some(OfferedControl {
        id: raw.id,
        label: text(&label),
        kind,
        minimum: raw.minimum,
        maximum: raw.maximum,
        step: raw.step,
        default: raw.default_value,
        // One that others hold while they stream (GRABBED) is not ours to set either.
        read_only: raw.flags & (sys::V4L2_CTRL_FLAG_READ_ONLY | sys::V4L2_CTRL_FLAG_GRABBED) != 0,
        inactive: raw.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0,
        momentary: raw.type_ == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON
            || raw.flags & (sys::V4L2_CTRL_FLAG_WRITE_ONLY | sys::V4L2_CTRL_FLAG_EXECUTE_ON_WRITE) != 0,
    })
}

/// The items of a menu; the numbers between them that the driver leaves out are none.
fn menu(node: &Node, raw: &sys::v4l2_query_ext_ctrl, of_numbers: bool) -> Vec<MenuItem> {
    let indices = (raw.minimum..=raw.maximum).take(LIST_LIMIT as usize);
    let item = |value: i64| {
        let mut item: sys::v4l2_querymenu = zeroed();
        item.id = raw.id;
        item.index = u32::try_from(value).ok()?;
        node.ioctl(vidioc::VIDIOC_QUERYMENU, &mut item).ok()?;
        let content = item.__bindgen_anon_1;
        // SAFETY: a union of bytes and a number, both valid for any bytes; the control's type tells which it is.
        let label = unsafe { if of_numbers { content.value.to_string() } else { text(&content.name) } };
        Some(MenuItem { value, label })
    };
    indices.filter_map(item).collect()
}

/// What a control is set to.
pub(super) fn get(node: &Node, id: u32) -> io::Result<i64> {
    let mut raw = sys::v4l2_control { id, value: 0 };
    node.ioctl(vidioc::VIDIOC_G_CTRL, &mut raw)?;
    Ok(raw.value.into())
}

/// Set a control. Returns what the driver made of the value.
pub(super) fn set(node: &Node, id: u32, value: i64) -> io::Result<i64> {
    let value = i32::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut raw = sys::v4l2_control { id, value };
    node.ioctl(vidioc::VIDIOC_S_CTRL, &mut raw)?;
    // The driver has put in what it rounded the value to.
    Ok(raw.value.into())
}
