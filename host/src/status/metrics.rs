//! The status as metrics for Prometheus.
//!
//! The labels are the names of cameras, of channels (whose number is limited), and words from fixed lists. So a server
//! has a fixed number of series.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Kind};
use super::report::{Camera, Guest, Instances, Process, Requests, Status, Swaps};
use crate::channels::ChannelReport;

/// The states of a camera.
const CAMERA_STATES: [&str; 4] = ["idle", "starting", "live", "lost"];

/// The status in Prometheus' text format.
pub fn render(status: &Status) -> String {
    let mut out = Exposition::default();
    out.metric("hotshoe_build_info", Kind::Gauge, "Always 1, with the version of Hotshoe.")
        .sample(&[("version", &status.version)], 1.0);
    process(&mut out, &status.process);
    cameras(&mut out, &status.cameras);
    filters(&mut out, &status.cameras);
    out.metric("hotshoe_events_total", Kind::Counter, "Events that have begun in the results of cameras.")
        .sample(&[], status.events as f64);
    channels(&mut out, &status.channels);
    requests(&mut out, &status.requests);
    guest(&mut out, &status.guest);
    swaps(&mut out, status);
    instances(&mut out, &status.instances);
    out.into_text()
}

fn process(out: &mut Exposition, process: &Process) {
    let integer = |value: Option<u64>| value.map(|value| value as f64);
    let figures = [
        ("process_cpu_seconds_total", Kind::Counter, "User and system CPU time in seconds.", process.cpu_seconds),
        ("process_resident_memory_bytes", Kind::Gauge, "Resident memory in bytes.", integer(process.resident_bytes)),
        ("process_virtual_memory_bytes", Kind::Gauge, "Address space in bytes.", integer(process.virtual_bytes)),
        ("process_threads", Kind::Gauge, "Threads.", integer(process.threads)),
        ("process_open_fds", Kind::Gauge, "Open file descriptors.", integer(process.open_files)),
        ("process_max_fds", Kind::Gauge, "Limit on open file descriptors.", integer(process.max_open_files)),
        ("process_start_time_seconds", Kind::Gauge, "Start of the process, in seconds since 1970.", process.started),
    ];
    for (name, kind, help, value) in figures {
        if let Some(value) = value {
            out.metric(name, kind, help).sample(&[], value);
        }
    }
}

fn cameras(out: &mut Exposition, cameras: &[Camera]) {
    let mut figure = |name, kind, help: &str, value: &dyn Fn(&Camera) -> Option<f64>| {
        out.metric(name, kind, help);
        for camera in cameras {
            if let Some(value) = value(camera) {
                out.sample(&[("camera", &camera.name)], value);
            }
        }
    };
    figure(
        "hotshoe_camera_up",
        Kind::Gauge,
        "0 while the camera has an outage, else 1, also while it is closed.",
        &|camera| Some(if camera.outage.is_some() { 0.0 } else { 1.0 }),
    );
    figure("hotshoe_camera_readers", Kind::Gauge, "Readers of the camera, such as publishers.", &|camera| {
        Some(camera.readers as f64)
    });
    figure("hotshoe_camera_openings_total", Kind::Counter, "How many times the camera was opened.", &|camera| {
        Some(camera.openings as f64)
    });
    figure("hotshoe_camera_frames_total", Kind::Counter, "Frames that the camera delivered.", &|camera| {
        Some(camera.frames as f64)
    });
    figure("hotshoe_camera_frames_per_second", Kind::Gauge, "Frames per second in the last five seconds.", &|camera| {
        Some(camera.rate)
    });
    figure(
        "hotshoe_camera_frame_age_seconds",
        Kind::Gauge,
        "Age of the newest frame, while there is one.",
        &|camera| camera.age,
    );
    figure(
        "hotshoe_camera_results_total",
        Kind::Counter,
        "How many times results were attached to frames.",
        &|camera| Some(camera.results as f64),
    );
    out.metric("hotshoe_camera_state", Kind::Gauge, "1 for the state that the camera is in, 0 for the others.");
    for camera in cameras {
        for state in CAMERA_STATES {
            let value = if camera.state == state { 1.0 } else { 0.0 };
            out.sample(&[("camera", &camera.name), ("state", state)], value);
        }
    }
    out.metric("hotshoe_camera_lost_frames_total", Kind::Counter, "Frames that no reader could get, by cause.");
    for camera in cameras {
        for (cause, count) in &camera.lost {
            out.sample(&[("camera", &camera.name), ("cause", cause)], *count as f64);
        }
    }
}

fn filters(out: &mut Exposition, cameras: &[Camera]) {
    let filters = || {
        cameras.iter().flat_map(|camera| {
            // Numbered, because a filter may be replaced by another.
            (1..).zip(&camera.filters).map(move |(number, filter): (usize, _)| (camera, number.to_string(), filter))
        })
    };
    out.metric("hotshoe_filter_frames_total", Kind::Counter, "Frames that the filter has filtered.");
    for (camera, number, filter) in filters() {
        out.sample(&[("camera", &camera.name), ("filter", &number)], filter.frames as f64);
    }
    out.metric("hotshoe_filter_seconds_total", Kind::Counter, "Time that the filter took for its frames.");
    for (camera, number, filter) in filters() {
        out.sample(&[("camera", &camera.name), ("filter", &number)], filter.busy);
    }
    let help = "Frames that viewers did not get because the filter failed.";
    out.metric("hotshoe_filter_failed_frames_total", Kind::Counter, help);
    for (camera, number, filter) in filters() {
        out.sample(&[("camera", &camera.name), ("filter", &number)], filter.failed as f64);
    }
}

fn channels(out: &mut Exposition, channels: &[ChannelReport]) {
    let mut figure = |name, kind, help: &str, value: &dyn Fn(&ChannelReport) -> u64| {
        out.metric(name, kind, help);
        for channel in channels {
            out.sample(&[("channel", &channel.name)], value(channel) as f64);
        }
    };
    figure("hotshoe_channel_viewers", Kind::Gauge, "Viewers of the channel.", &|channel| channel.viewers as u64);
    figure("hotshoe_channel_pushed_parts_total", Kind::Counter, "Parts that publishers pushed.", &|channel| {
        channel.pushed
    });
    figure("hotshoe_channel_sent_parts_total", Kind::Counter, "Parts that viewers were sent.", &|channel| channel.sent);
    figure("hotshoe_channel_skipped_parts_total", Kind::Counter, "Parts that slow viewers missed.", &|channel| {
        channel.skipped
    });
    figure("hotshoe_channel_sent_bytes_total", Kind::Counter, "Bytes that viewers were sent.", &|channel| {
        channel.bytes
    });
}

fn requests(out: &mut Exposition, requests: &Requests) {
    out.metric("hotshoe_http_connections", Kind::Gauge, "Open connections of viewers.")
        .sample(&[], requests.connections as f64);
    out.metric("hotshoe_http_requests_in_progress", Kind::Gauge, "Requests whose responses have not ended.")
        .sample(&[], requests.in_progress as f64);
    out.metric("hotshoe_http_requests_total", Kind::Counter, "Requests by the status of the response.");
    for (status, count) in &requests.by_status {
        out.sample(&[("code", &status.to_string())], *count as f64);
    }
    let help = "Bytes of the bodies of responses, except for the parts of channels.";
    out.metric("hotshoe_http_response_bytes_total", Kind::Counter, help).sample(&[], requests.bytes as f64);
    let times = &requests.first_byte;
    let help = "Time from the head of a request to the first byte of the body of the response.";
    out.metric("hotshoe_http_time_to_first_byte_seconds", Kind::Histogram, help);
    for (limit, count) in &times.buckets {
        out.sample_with_suffix("_bucket", &[("le", &limit.to_string())], *count as f64);
    }
    out.sample_with_suffix("_bucket", &[("le", "+Inf")], times.count as f64)
        .sample_with_suffix("_sum", &[], times.sum)
        .sample_with_suffix("_count", &[], times.count as f64);
}

fn guest(out: &mut Exposition, guest: &Guest) {
    out.metric("hotshoe_guest_generation", Kind::Gauge, "Number of the generation that answers requests.")
        .sample(&[], guest.generation as f64);
    out.metric("hotshoe_guest_healthy", Kind::Gauge, "0 if the guest has failed its probation, else 1.")
        .sample(&[], if guest.healthy { 1.0 } else { 0.0 });
    out.metric("hotshoe_guest_draining_generations", Kind::Gauge, "Replaced generations with responses in progress.")
        .sample(&[], guest.draining as f64);
    out.metric("hotshoe_guest_failed_calls_total", Kind::Counter, "Calls to guests that failed, by reason.");
    for (reason, count) in &guest.failed_calls {
        out.sample(&[("reason", reason)], *count as f64);
    }
}

/// How often components were replaced. Several filters of one camera count together.
fn swaps(out: &mut Exposition, status: &Status) {
    let components = status
        .components
        .iter()
        .map(|component| (component.role.as_str(), component.camera.as_str(), &component.swaps));
    let components: Vec<_> = [("guest", "", &status.guest.swaps)].into_iter().chain(components).collect();
    let mut figure = |name, help, label: &str, values: &dyn Fn(&Swaps) -> Vec<(String, u64)>| {
        let mut sums = BTreeMap::new();
        for (role, camera, swaps) in &components {
            for (value, count) in values(swaps) {
                *sums.entry((*role, *camera, value)).or_insert(0) += count;
            }
        }
        out.metric(name, Kind::Counter, help);
        for ((role, camera, value), count) in sums {
            let labels = [("role", role), ("camera", camera), (label, value.as_str())];
            let labels = if label.is_empty() { labels.get(..2) } else { labels.get(..) };
            out.sample(labels.unwrap_or_default(), count as f64);
        }
    };
    figure("hotshoe_component_replacements_total", "Components replaced by a candidate.", "", &|swaps| {
        vec![(String::new(), swaps.replaced)]
    });
    figure("hotshoe_component_rollbacks_total", "Rollbacks to an earlier component, by cause.", "cause", &|swaps| {
        vec![("operator".to_owned(), swaps.rolled_back), ("probation".to_owned(), swaps.failed_over)]
    });
    figure("hotshoe_component_refusals_total", "Candidates that were refused, by reason.", "reason", &|swaps| {
        swaps.refused.clone().into_iter().collect()
    });
}

fn instances(out: &mut Exposition, instances: &[Instances]) {
    let mut figure = |name, kind, help: &str, value: &dyn Fn(&Instances) -> f64| {
        out.metric(name, kind, help);
        for usage in instances {
            out.sample(&[("role", &usage.role)], value(usage));
        }
    };
    figure("hotshoe_instances", Kind::Gauge, "Instances of components.", &|usage| usage.count as f64);
    figure("hotshoe_instance_memory_bytes", Kind::Gauge, "Linear memory of instances.", &|usage| usage.memory as f64);
    figure("hotshoe_instance_run_seconds_total", Kind::Counter, "Time for which components have run.", &|usage| {
        usage.run_seconds
    });
}
