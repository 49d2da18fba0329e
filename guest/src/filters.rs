//! What the filters of a camera do and cost.

use alloc::format;
use alloc::string::String;

use crate::bindings::hotshoe::camera::cameras::{FilterInfo, list_filters};
use crate::json;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// Returns the filters of a camera as JSON, in the order in which frames pass them.
pub fn filters_json(camera: &str) -> String {
    // A camera that was just removed has no filters.
    json::list(list_filters(camera).unwrap_or_default().iter().map(filter_json))
}

fn filter_json(filter: &FilterInfo) -> String {
    format!(
        "{{\"description\":{},\"fps\":{},\"ms\":{},\"frames\":{},\"failed\":{}}}",
        json::string(&filter.description),
        json::two_decimals(filter.frame_rate),
        json::two_decimals(filter.frame_time as f64 / NANOSECONDS_PER_MILLISECOND),
        filter.frames,
        filter.failed,
    )
}
