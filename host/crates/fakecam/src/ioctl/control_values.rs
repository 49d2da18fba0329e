//! Controls.

use std::mem::offset_of;

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use super::argument::Argument;
use crate::camera::State;
use crate::controls;

/// `VIDIOC_QUERYCTRL`
pub(super) fn query(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    let control = controls::find(argument.u32(offset_of!(sys::v4l2_queryctrl, id))).ok_or(Errno::INVAL)?;
    argument.clear_from(0);
    argument.set_u32(offset_of!(sys::v4l2_queryctrl, id), control.id);
    let mut set = |offset, value: i32| argument.set_u32(offset, value.cast_unsigned());
    set(offset_of!(sys::v4l2_queryctrl, minimum), control.minimum);
    set(offset_of!(sys::v4l2_queryctrl, maximum), control.maximum);
    set(offset_of!(sys::v4l2_queryctrl, step), control.step);
    set(offset_of!(sys::v4l2_queryctrl, default_value), control.default);
    argument.set_u32(offset_of!(sys::v4l2_queryctrl, type_), control.control_type);
    argument.set_u32(offset_of!(sys::v4l2_queryctrl, flags), state.values.flags(control));
    argument.set_text(offset_of!(sys::v4l2_queryctrl, name), 32, control.name);
    Ok(())
}

/// `VIDIOC_QUERY_EXT_CTRL`
pub(super) fn query_extended(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    let control = controls::find(argument.u32(offset_of!(sys::v4l2_query_ext_ctrl, id))).ok_or(Errno::INVAL)?;
    argument.clear_from(0);
    argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, id), control.id);
    let mut set = |offset, value: i32| argument.set_i64(offset, i64::from(value));
    set(offset_of!(sys::v4l2_query_ext_ctrl, minimum), control.minimum);
    set(offset_of!(sys::v4l2_query_ext_ctrl, maximum), control.maximum);
    set(offset_of!(sys::v4l2_query_ext_ctrl, step), control.step);
    set(offset_of!(sys::v4l2_query_ext_ctrl, default_value), control.default);
    argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, type_), control.control_type);
    argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, flags), state.values.flags(control));
    argument.set_text(offset_of!(sys::v4l2_query_ext_ctrl, name), 32, control.name);
    argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, elem_size), if control.step == 0 { 0 } else { 4 });
    argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, elems), 1);
    Ok(())
}

/// `VIDIOC_QUERYMENU`
pub(super) fn query_menu(argument: &mut Argument) -> Result<(), Errno> {
    let id = argument.u32(offset_of!(sys::v4l2_querymenu, id));
    let index = argument.u32(offset_of!(sys::v4l2_querymenu, index));
    let item = controls::menu_item(id, index).ok_or(Errno::INVAL)?;
    argument.set_text(offset_of!(sys::v4l2_querymenu, __bindgen_anon_1), 32, item);
    Ok(())
}

/// `VIDIOC_G_CTRL`
pub(super) fn get(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    let value = state.values.get(argument.u32(offset_of!(sys::v4l2_control, id)))?;
    argument.set_u32(offset_of!(sys::v4l2_control, value), value.cast_unsigned());
    Ok(())
}

/// `VIDIOC_S_CTRL`
pub(super) fn set(state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
    let id = argument.u32(offset_of!(sys::v4l2_control, id));
    let requested = argument.u32(offset_of!(sys::v4l2_control, value)).cast_signed();
    let value = state.values.set(id, requested)?;
    argument.set_u32(offset_of!(sys::v4l2_control, value), value.cast_unsigned());
    Ok(())
}
