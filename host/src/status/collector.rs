//! Collects the status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::report::{Camera, Component, Filter, FirstByte, Guest, Instances, Outage, Process, Requests, Status, Swaps};
use crate::camera::frame::monotonic_now;
use crate::camera::{self, Cameras, State};
use crate::channels::Channels;
use crate::drivers::{DriverSlot, Drivers};
use crate::filters::{FilterSlot, FilterSlots};
use crate::http::limits::Connections;
use crate::http::observe::{RequestCounts, RequestStats};
use crate::process::figures;
use crate::sandbox::{CallError, UsageReport};
use crate::swap::{ActiveGuest, SlotReport, SwapCounts, SwapError};

/// What the status is collected from. Clones share it.
#[derive(Clone)]
pub struct Collector {
    /// The cameras.
    pub cameras: Cameras,
    /// The channels.
    pub channels: Channels,
    /// The guest.
    pub active_guest: ActiveGuest,
    /// The drivers of cameras.
    pub drivers: Drivers,
    /// The filters of cameras.
    pub filters: FilterSlots,
    /// The connections of viewers.
    pub connections: Arc<Connections>,
    /// The requests of viewers.
    pub requests: Arc<RequestStats>,
}

impl Collector {
    /// Collects the status at this moment. Does not block, apart from short locks.
    pub fn collect(&self) -> Status {
        let results = self.active_guest.results();
        let camera = |camera: &Arc<camera::Camera>| report_camera(camera, results.count_attached(camera.name()));
        let (drivers, filters) = (self.drivers.list(), self.filters.list());
        let drivers = drivers.iter().map(DriverSlot::report);
        let filters = filters.iter().map(FilterSlot::report);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: process(),
            cameras: self.cameras.list().iter().map(camera).collect(),
            channels: self.channels.report(),
            requests: requests(self.connections.count(), self.requests.counts()),
            guest: guest(&self.active_guest),
            components: drivers.chain(filters).map(component).collect(),
            instances: self.active_guest.usage().into_iter().map(instances).collect(),
            events: results.count_events(),
        }
    }
}

fn process() -> Process {
    let figures = figures::read();
    let started = figures.started.and_then(|started| started.duration_since(UNIX_EPOCH).ok());
    Process {
        pid: std::process::id(),
        started: started.map(|started| started.as_secs_f64()),
        cpu_seconds: figures.cpu.map(|time| time.as_secs_f64()),
        resident_bytes: figures.resident_memory,
        virtual_bytes: figures.virtual_memory,
        threads: figures.threads,
        open_files: figures.open_files,
        max_open_files: figures.max_open_files,
    }
}

fn report_camera(camera: &camera::Camera, results: u64) -> Camera {
    let status = camera.status();
    let counts = camera.counts();
    let (state, outage) = match status.state {
        State::Idle => ("idle", None),
        State::Starting => ("starting", None),
        State::Live => ("live", None),
        State::Lost(outage) => ("lost", Some(outage)),
    };
    let age = status.frame.map(|frame| monotonic_now().saturating_sub(frame.timestamp.monotonic));
    let lost = counts.lost;
    let lost = [
        ("dropped", lost.dropped),
        ("late", lost.late),
        ("flagged", lost.flagged),
        ("empty", lost.empty),
        ("malformed", lost.malformed),
        ("corrupt", lost.corrupt),
    ];
    let filters = camera.filters().into_iter().map(|filter| Filter {
        description: filter.description,
        rate: filter.rate,
        cost: filter.cost.as_secs_f64(),
        frames: filter.frames,
        busy: filter.busy.as_secs_f64(),
        failed: filter.failed,
    });
    Camera {
        name: camera.name().to_owned(),
        label: camera.label().to_owned(),
        description: camera.description(),
        state: state.to_owned(),
        outage: outage
            .map(|outage| Outage { cause: outage.cause.name().to_owned(), message: outage.message.to_string() }),
        mode: status.mode.map(|mode| mode.to_string()),
        readers: camera.readers(),
        openings: camera.openings(),
        frames: counts.frames,
        lost: lost.into_iter().map(|(cause, count)| (cause.to_owned(), count)).collect(),
        rate: camera.rate(),
        age: age.map(|age| age.as_secs_f64()),
        filters: filters.collect(),
        results,
    }
}

fn requests(connections: usize, counts: RequestCounts) -> Requests {
    let times = counts.first_bytes;
    Requests {
        connections,
        in_progress: counts.in_progress,
        by_status: counts.by_status,
        bytes: counts.bytes,
        first_byte: FirstByte {
            buckets: times.buckets.into_iter().map(|(limit, count)| (limit.as_secs_f64(), count)).collect(),
            count: times.count,
            sum: times.sum.as_secs_f64(),
        },
    }
}

fn guest(active_guest: &ActiveGuest) -> Guest {
    let report = active_guest.report();
    let current = report.current;
    Guest {
        generation: current.generation,
        from: current.guest.from,
        sha256: current.guest.sha256,
        since: current.since,
        healthy: active_guest.is_healthy(),
        requests: current.requests,
        failures: current.failures,
        draining: report.draining.len(),
        refused: report.refused,
        swaps: swaps(report.swaps),
        failed_calls: with_zeros(&report.failed_calls, &CallError::KINDS),
    }
}

fn component(report: SlotReport) -> Component {
    let (from, generation) = report.current.map(|current| (current.component.from, current.generation)).unzip();
    Component {
        camera: report.camera,
        role: report.role.to_owned(),
        number: report.number,
        from,
        generation,
        refused: report.refused,
        swaps: swaps(report.swaps),
    }
}

fn swaps(counts: SwapCounts) -> Swaps {
    let SwapCounts { replaced, rolled_back, failed_over, refused } = counts;
    Swaps { replaced, rolled_back, failed_over, refused: with_zeros(&refused, &SwapError::KINDS) }
}

/// All counts, also those that are zero: Prometheus cannot see that a count rises that was missing before.
fn with_zeros(counts: &BTreeMap<&'static str, u64>, kinds: &[&str]) -> BTreeMap<String, u64> {
    kinds.iter().map(|kind| ((*kind).to_owned(), counts.get(kind).copied().unwrap_or_default())).collect()
}

fn instances(usage: UsageReport) -> Instances {
    Instances {
        role: usage.role.to_owned(),
        count: usage.instances,
        memory: usage.memory,
        run_seconds: usage.run_time.as_secs_f64(),
    }
}
