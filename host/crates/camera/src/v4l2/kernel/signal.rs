//! Inputs, video standards and DV timings ("Video Inputs and Outputs", "Video Standards", "Digital Video (DV)
//! Timings"), and the event that a signal has changed ("Event Interface").

use std::io;
use std::os::raw::c_int;

use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::node::{Node, READ, WRITE, request, text, zeroed};

/// Requests that the `v4l` crate lacks.
const QUERY_DV_TIMINGS: vidioc::_IOC_TYPE = request::<sys::v4l2_dv_timings>(READ, 99);
const S_DV_TIMINGS: vidioc::_IOC_TYPE = request::<sys::v4l2_dv_timings>(READ | WRITE, 87);
const DQEVENT: vidioc::_IOC_TYPE = request::<sys::v4l2_event>(READ, 89);
const SUBSCRIBE_EVENT: vidioc::_IOC_TYPE = request::<sys::v4l2_event_subscription>(WRITE, 90);

/// Lists the names of the inputs.
pub(super) fn inputs(node: &Node) -> Vec<String> {
    node.list(|index| {
        let mut raw: sys::v4l2_input = zeroed();
        raw.index = index;
        node.ioctl(vidioc::VIDIOC_ENUMINPUT, &mut raw).ok()?;
        Some(text(&raw.name))
    })
}

/// Selects an input.
pub(super) fn select_input(node: &Node, number: u32) -> io::Result<()> {
    node.ioctl(vidioc::VIDIOC_S_INPUT, &mut (number as c_int))
}

fn standard(node: &Node, index: u32) -> io::Result<sys::v4l2_standard> {
    let mut raw: sys::v4l2_standard = zeroed();
    raw.index = index;
    node.ioctl(vidioc::VIDIOC_ENUMSTD, &mut raw)?;
    Ok(raw)
}

/// Lists the names of the standards that the present input supports.
pub(super) fn standards(node: &Node) -> Vec<String> {
    node.list(|index| Some(text(&standard(node, index).ok()?.name)))
}

/// Selects a standard.
pub(super) fn select_standard(node: &Node, number: u32) -> io::Result<()> {
    let mut id: sys::v4l2_std_id = standard(node, number)?.id;
    node.ioctl(vidioc::VIDIOC_S_STD, &mut id)
}

/// Detects the timings of the signal and sets them, unless the input has none: it is not digital (ENODATA), or the
/// driver lacks the call.
pub(super) fn adopt_timings(node: &Node) -> io::Result<()> {
    let mut timings: sys::v4l2_dv_timings = zeroed();
    match node.ioctl(QUERY_DV_TIMINGS, &mut timings) {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTTY | Errno::NODATA | Errno::INVAL)) => {
            return Ok(());
        }
        result => result?,
    }
    node.ioctl(S_DV_TIMINGS, &mut timings)
}

/// Subscribes to changes of the signal. Returns whether the driver reports them.
///
/// The ID of such an event is the number of the input ("VIDIOC_SUBSCRIBE_EVENT"). Some drivers leave it at 0.
pub(super) fn subscribe_to_changes(node: &Node) -> bool {
    let mut input: c_int = 0;
    // Drivers without inputs report changes of the first.
    let input = node.ioctl(vidioc::VIDIOC_G_INPUT, &mut input).map_or(0, |()| input.cast_unsigned());
    let subscribe = |id| {
        let mut subscription: sys::v4l2_event_subscription = zeroed();
        subscription.type_ = sys::V4L2_EVENT_SOURCE_CHANGE;
        subscription.id = id;
        node.ioctl(SUBSCRIBE_EVENT, &mut subscription).is_ok()
    };
    let is_subscribed = subscribe(input);
    is_subscribed | (input != 0 && subscribe(0))
}

/// Dequeues an event, which can only be a change of the signal. Returns `false` if there is none.
pub(super) fn dequeue_change(node: &Node) -> bool {
    let mut event: sys::v4l2_event = zeroed();
    node.ioctl(DQEVENT, &mut event).is_ok()
}
