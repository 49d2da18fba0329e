//! How many connections, requests and guest instances there can be at once.

use tracing::warn;

use crate::channels::Channels;
use crate::config::admin_address::AdminAddress;
use crate::config::camera_spec::{CameraSpec, SourceSpec};
use crate::config::serve_args::ServeArgs;
use crate::drivers::MAX_DRIVER_INSTANCES;
use crate::filters::MAX_FILTER_INSTANCES;
use crate::http::limits::{Admission, Limits};
use crate::process::open_files;
use crate::sandbox::{MAX_IDLE_INSTANCES, MAX_OUTGOING_REQUESTS};
use crate::swap::workers::MAX_WORKERS;

/// The most connections to the admin listener. Enough for a few uploads and some clients that read the report.
pub(super) const ADMIN_CONNECTIONS: usize = 8;

/// The most connections to the listener for metrics. Enough for two servers of Prometheus, health checks and a person.
pub(super) const METRICS_CONNECTIONS: usize = 16;

/// The default number of connections without a request, which browsers keep open.
const IDLE_CONNECTIONS: usize = 1000;

/// The number of connections when too few files are left. With fewer, the server would be useless.
const MIN_CONNECTIONS: usize = 4;

/// The number of guest instances: one per request and one per stream that a guest writes itself; one for a candidate's
/// test request; idle ones of the current and the previous guest; their workers and those of their middleware; and two
/// publishers per channel, while one takes over from the other. Cameras with a driver need up to three each, and two for
/// each filter.
pub(super) fn instances(args: &ServeArgs) -> u32 {
    let is_component = |camera: &&CameraSpec| matches!(camera.source, SourceSpec::Component(_));
    let drivers = args.cameras.iter().filter(is_component).count() as u32;
    let filters = args.cameras.iter().map(|camera| camera.filters.len() as u32).sum::<u32>() * MAX_FILTER_INSTANCES;
    let publishers = 2 * Channels::limit(args.cameras.len());
    2 * args.max_requests
        + 1
        + 2 * MAX_IDLE_INSTANCES
        + MAX_WORKERS * (1 + args.middleware.len() as u32)
        + publishers
        + drivers * MAX_DRIVER_INSTANCES
        + filters
}

/// The limits on connections: what the options ask for, as far as the limit on open files allows.
pub(super) fn connection_limits(args: &ServeArgs, cameras: usize) -> Limits {
    let requested = match args.max_connections {
        Some(count) => count as usize,
        None => 2 * args.max_requests as usize + IDLE_CONNECTIONS,
    };
    let outgoing = if args.grants.allow_outgoing.is_empty() { 0 } else { MAX_OUTGOING_REQUESTS };
    let metrics = if matches!(args.metrics, Some(AdminAddress::Listen(_))) { METRICS_CONNECTIONS } else { 0 };
    let guest_files = if args.grants.guest_dir.is_some() { open_files::for_guests() } else { 0 };
    let left = open_files::left_for_connections(cameras, ADMIN_CONNECTIONS + metrics + outgoing + guest_files);
    if left < requested {
        let advice = "raise the limit on open files (`ulimit -n`, or LimitNOFILE= in a systemd unit)";
        warn!("at most {left} connections instead of {requested}; {advice}");
    }
    let total = requested.min(left).max(MIN_CONNECTIONS);
    Limits { total, per_address: args.max_connections_per_address as usize }
}

/// The limits on requests. Streams leave a quarter of the connections to other requests.
pub(super) fn admission(args: &ServeArgs, limits: Limits) -> Admission {
    let requests = args.max_requests as usize;
    let streams = requests.min(limits.total - limits.total.div_ceil(4));
    Admission::new(streams, requests, limits.per_address)
}
