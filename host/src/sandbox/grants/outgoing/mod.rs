//! Outgoing HTTP: the requests that guests may send, for `wasi:http/outgoing-handler`.
//!
//! ```text
//! request ── destination: listed? ── limits: a slot ── address: resolve, check ── connection: TCP, TLS
//!         ── exchange: send, wait for the response ── body: limits while the guest reads
//! ```
//!
//! A guest may send requests only to the origins that the operator lists. The host resolves names itself and connects
//! to an address that it has checked, so that a name cannot lead to this machine or a private network unless the
//! operator says so. It follows no redirects and uses no proxy.
//!
//! Each request has a connection of its own, which ends with it. All of this runs on the runtime for requests, also for
//! publishers.

mod address;
mod body;
mod connection;
mod destination;
mod exchange;
mod limits;
mod tls;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tracing::warn;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use self::address::Resolver;
pub use self::destination::Destination;
use self::destination::origin_of;
pub(in crate::sandbox) use self::exchange::Exchange;
pub use self::limits::{MAX_INSTANCE_REQUESTS, MAX_REQUESTS};
use self::limits::{RequestRate, Slots};
use crate::tls_client::{TlsError, connector};

/// What guests may send requests to. Nothing by default. Clones share everything.
#[derive(Clone, Default)]
pub struct Outgoing(Option<Arc<Shared>>);

/// What all requests share.
struct Shared {
    destinations: Vec<Destination>,
    tls: Option<TlsConnector>,
    resolver: Resolver,
    slots: Arc<Semaphore>,
    rate: RequestRate,
    /// The runtime for requests, once it has started.
    runtime: OnceLock<Handle>,
}

/// The outgoing requests of one instance. `None` if none are allowed.
pub(in crate::sandbox) struct InstanceRequests(Option<Allowed>);

struct Allowed {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
}

impl Outgoing {
    /// Lets guests send requests to these destinations. Reads the certificates of the system if one of them uses TLS.
    pub fn new(destinations: Vec<Destination>) -> Result<Self, TlsError> {
        if destinations.is_empty() {
            return Ok(Self::default());
        }
        let destinations = merge(destinations);
        let tls = if destinations.iter().any(Destination::uses_tls) { Some(connector()?) } else { None };
        Ok(Self(Some(Arc::new(Shared {
            destinations,
            tls,
            resolver: Resolver::default(),
            slots: Arc::new(Semaphore::new(MAX_REQUESTS)),
            rate: RequestRate::new(),
            runtime: OnceLock::new(),
        }))))
    }

    /// Sets the runtime that requests run on. Until then, they fail.
    pub fn run_on(&self, runtime: Handle) {
        if let Self(Some(shared)) = self {
            // It is set once, by the server.
            let _ = shared.runtime.set(runtime);
        }
    }

    /// Whether guests may send any request.
    pub(in crate::sandbox) fn is_granted(&self) -> bool {
        self.0.is_some()
    }

    /// The requests of a new instance.
    pub(in crate::sandbox) fn instance(&self) -> InstanceRequests {
        let allow = |shared| Allowed { shared, slots: Arc::new(Semaphore::new(MAX_INSTANCE_REQUESTS)) };
        InstanceRequests(self.0.clone().map(allow))
    }

    /// What to say about it in the log. `None` if there is none.
    pub(super) fn summary(&self) -> Option<String> {
        let destinations: Vec<_> = self.destinations().iter().map(ToString::to_string).collect();
        (!destinations.is_empty()).then(|| format!("outgoing requests to {}", destinations.join(" ")))
    }

    fn destinations(&self) -> &[Destination] {
        self.0.as_ref().map_or(&[], |shared| &shared.destinations)
    }
}

/// Merges the destinations with the same origin, which differ in their networks.
fn merge(destinations: Vec<Destination>) -> Vec<Destination> {
    let mut merged: Vec<Destination> = Vec::new();
    for destination in destinations {
        match merged.iter_mut().find(|earlier| earlier.origin == destination.origin) {
            Some(earlier) => earlier.networks.extend(destination.networks),
            None => merged.push(destination),
        }
    }
    merged
}

impl InstanceRequests {
    /// Starts a request, if it is allowed. It continues only as long as the returned exchange, or what that returns,
    /// exists.
    pub(in crate::sandbox) fn send(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Exchange, Error> {
        let Allowed { shared, slots } = self.0.as_ref().ok_or(Error::HttpRequestDenied)?;
        let Some(origin) = origin_of(request.uri()) else { return Err(Error::HttpRequestUriInvalid) };
        let destination = shared.destinations.iter().find(|destination| destination.origin == origin);
        let Some(destination) = destination else {
            warn!("the guest may not send requests to {origin}; see --allow-outgoing");
            return Err(Error::HttpRequestDenied);
        };
        let slots = Slots::acquire(slots, &shared.slots, &shared.rate).map_err(|limit| {
            warn!("an outgoing request to {origin} was refused: {limit}");
            Error::ConnectionLimitReached
        })?;
        let runtime = shared.runtime.get().ok_or(Error::ConfigurationError)?;
        let connector = connection::Connector {
            destination: destination.clone(),
            tls: shared.tls.clone(),
            resolver: shared.resolver.clone(),
        };
        exchange::start(runtime, connector, request, options.unwrap_or_default(), slots)
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.destinations()).finish()
    }
}

impl Serialize for Outgoing {
    /// Serializes the destinations as in the options.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.destinations().iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_an_origin_that_is_listed_twice_add_up() {
        let parse = |text: &str| text.parse::<Destination>().unwrap();
        let merged = merge(vec![
            parse("http://a.local"),
            parse("https://a.local"),
            parse("http://a.local=10.0.0.0/8"),
            parse("http://a.local=fd00::/8"),
        ]);
        let shown: Vec<_> = merged.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://a.local=10.0.0.0/8=fd00::/8", "https://a.local"]);
        assert!(merged[0].lists("10.1.2.3".parse().unwrap()) && merged[0].lists("fd00::1".parse().unwrap()));
        assert!(!merged[1].lists("10.1.2.3".parse().unwrap()));
        assert!(parse("http://127.0.0.1:80").lists("::ffff:127.0.0.1".parse().unwrap()));
    }
}
