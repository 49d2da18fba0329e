//! How many connections, requests and guest instances there can be at once.

use tracing::warn;

use super::component_needs::ComponentNeeds;
use crate::channels::Channels;
use crate::config::serve_args::ServeArgs;
use crate::config::side_address::SideAddress;
use crate::drivers::MAX_DRIVER_INSTANCES;
use crate::filters::MAX_FILTER_INSTANCES;
use crate::http::limits::{Limits, RequestLimits};
use crate::process::open_files;
use crate::sandbox::{MAX_IDLE_INSTANCES, MAX_OUTGOING_REQUESTS};
use crate::swap::workers::MAX_WORKERS;

/// The most connections to the admin listener. Enough for a few uploads and some clients that read the report.
pub(super) const ADMIN_CONNECTIONS: usize = 8;

/// The most connections to the listener for metrics. Enough for two servers of Prometheus, health checks and a person.
pub(super) const METRICS_CONNECTIONS: usize = 16;

/// The default number of connections without a request, which browsers keep open.
const IDLE_CONNECTIONS: usize = 1000;

/// How many cameras a new configuration can add to a running server. Each reserves address space for its publishers.
const SPARE_CAMERAS: usize = 8;

/// How many instances of components these cameras can have together: each a driver and a filter. They reserve address
/// space.
const SPARE_COMPONENT_INSTANCES: u32 = SPARE_CAMERAS as u32 * (MAX_DRIVER_INSTANCES + MAX_FILTER_INSTANCES);

/// The number of connections when too few files are left. With fewer, the server would be useless.
const MIN_CONNECTIONS: usize = 4;

/// The options that limit connections and requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LimitOptions {
    pub(super) max_requests: u32,
    pub(super) max_connections: Option<u32>,
    pub(super) max_connections_per_address: u32,
}

impl LimitOptions {
    /// The names of the options in a configuration file.
    pub(super) const MAX_REQUESTS: &str = "max_requests";
    pub(super) const MAX_CONNECTIONS: &str = "max_connections";
    pub(super) const MAX_CONNECTIONS_PER_ADDRESS: &str = "max_connections_per_address";

    /// The names of the options with other values.
    pub(super) fn differences(self, other: Self) -> Vec<&'static str> {
        let is_different = [
            (Self::MAX_REQUESTS, self.max_requests != other.max_requests),
            (Self::MAX_CONNECTIONS, self.max_connections != other.max_connections),
            (Self::MAX_CONNECTIONS_PER_ADDRESS, self.max_connections_per_address != other.max_connections_per_address),
        ];
        is_different.into_iter().filter(|(_, is_different)| *is_different).map(|(name, _)| name).collect()
    }
}

impl From<&ServeArgs> for LimitOptions {
    fn from(args: &ServeArgs) -> Self {
        let ServeArgs { max_requests, max_connections, max_connections_per_address, .. } = *args;
        Self { max_requests, max_connections, max_connections_per_address }
    }
}

/// How many cameras there can be until the next start.
pub(super) fn most_cameras(args: &ServeArgs) -> usize {
    // Without a file, the cameras cannot change.
    args.cameras.len() + if args.config.is_some() { SPARE_CAMERAS } else { 0 }
}

/// The number of guest instances: one per request and one per stream that a guest writes itself; one for a candidate's
/// test request; idle ones of the current and the previous guest; their workers and those of their middleware; two
/// publishers per channel, since one takes over from the other; and the instances of the components of cameras.
/// `most_cameras` is how many cameras there can be.
pub(super) fn instances(args: &ServeArgs, most_cameras: usize) -> u32 {
    let publishers = 2 * Channels::limit(most_cameras);
    2 * args.max_requests
        + 1
        + 2 * MAX_IDLE_INSTANCES
        + MAX_WORKERS * (1 + args.middleware.len() as u32)
        + publishers
        + component_instances(args)
}

/// The number of instances that the components of all cameras can have together until the next start.
pub(super) fn component_instances(args: &ServeArgs) -> u32 {
    // Without a file, the cameras cannot change.
    let spare = if args.config.is_some() { SPARE_COMPONENT_INSTANCES } else { 0 };
    ComponentNeeds::of_all(&args.cameras).instances + spare
}

/// How many connections, and files of components of cameras, the limit on open files allows together. `cameras` is how
/// many cameras there can be.
pub(super) fn most_files(args: &ServeArgs, cameras: usize) -> usize {
    let outgoing = if args.grants.allow_outgoing.is_empty() { 0 } else { MAX_OUTGOING_REQUESTS };
    let metrics = if matches!(args.metrics, Some(SideAddress::Listen(_))) { METRICS_CONNECTIONS } else { 0 };
    let guest_files = if args.grants.guest_dir.is_some() { open_files::for_guests() } else { 0 };
    open_files::left_for_connections(cameras, ADMIN_CONNECTIONS + metrics + outgoing + guest_files)
}

/// How many of [`most_files`] the components of cameras can have, so that there are connections.
pub(super) fn most_component_files(most_files: usize) -> usize {
    most_files.saturating_sub(MIN_CONNECTIONS)
}

/// The limits on connections: what the options ask for, but at most `most`.
pub(super) fn connection_limits(options: LimitOptions, most: usize) -> Limits {
    let requested = match options.max_connections {
        Some(count) => count as usize,
        None => 2 * options.max_requests as usize + IDLE_CONNECTIONS,
    };
    if most < requested {
        let advice = "raise the limit on open files (`ulimit -n`, or LimitNOFILE= in a systemd unit)";
        warn!("at most {most} connections instead of {requested}; {advice}");
    }
    let total = requested.min(most).max(MIN_CONNECTIONS);
    Limits { total, per_address: options.max_connections_per_address as usize }
}

/// The limits on requests. Streams leave a quarter of the connections to other requests.
pub(super) fn request_limits(options: LimitOptions, connections: Limits) -> RequestLimits {
    let requests = options.max_requests as usize;
    let streams = requests.min(connections.total - connections.total.div_ceil(4));
    RequestLimits { streams, requests, per_client: connections.per_address }
}
