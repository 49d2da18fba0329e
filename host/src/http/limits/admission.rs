//! Limits on requests in progress.
//!
//! A stream may last for days; every other request ends within moments. Each kind therefore has its own capacity:
//! however many streams there are, the server still answers requests for pages, snapshots and states. Only the response
//! shows whether a request is for a stream. Until then it counts against the capacity for other requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AdmissionError {
    /// The server has reached its limit on requests of this kind.
    #[error("server at capacity (--max-requests)")]
    AtCapacity,
    /// The client has reached its limit on requests.
    #[error("too many requests at once from this address (--max-connections-per-address)")]
    TooManyFromClient,
}

impl AdmissionError {
    /// Returns the status of the response that reports the error.
    pub fn status(self) -> StatusCode {
        match self {
            Self::AtCapacity => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyFromClient => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// Issues permits for requests.
pub struct Admission {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    clients: Arc<Clients>,
}

/// How many requests each client has in progress.
struct Clients {
    limit: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// The permit of one request in progress. Dropping it releases the capacity.
pub struct Permit {
    _capacity: OwnedSemaphorePermit,
    client: Option<ClientPermit>,
}

impl Admission {
    /// Permits `streams` streams and `requests` other requests at once, and `per_client` of both for each client with a
    /// known address.
    pub fn new(streams: usize, requests: usize, per_client: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let clients = Clients { limit: per_client, counts: Mutex::default() };
        Self { requests: semaphore(requests), streams: semaphore(streams), clients: Arc::new(clients) }
    }

    /// Admits a request. `client` is its [`client_network`](super::client_network()), or `None` to apply no limit per
    /// client.
    pub fn admit(&self, client: Option<IpAddr>) -> Result<Permit, AdmissionError> {
        let client = client.map(|client| self.clients.clone().admit(client)).transpose()?;
        let capacity = self.requests.clone().try_acquire_owned().map_err(|_| AdmissionError::AtCapacity)?;
        Ok(Permit { _capacity: capacity, client })
    }

    /// Exchanges the permit of a request for that of a stream, once its response turns out to be one.
    pub fn admit_stream(&self, permit: Permit) -> Result<Permit, AdmissionError> {
        let capacity = self.streams.clone().try_acquire_owned().map_err(|_| AdmissionError::AtCapacity)?;
        Ok(Permit { _capacity: capacity, client: permit.client })
    }
}

/// Counts one request of a client.
struct ClientPermit {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    fn admit(self: Arc<Self>, client: IpAddr) -> Result<ClientPermit, AdmissionError> {
        let mut counts = self.counts();
        let count = counts.entry(client).or_default();
        if *count >= self.limit {
            return Err(AdmissionError::TooManyFromClient);
        }
        *count += 1;
        drop(counts);
        Ok(ClientPermit { clients: self, client })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // No operation under the lock leaves the map inconsistent if it panics.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut counts = self.clients.counts();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_use_no_capacity_of_other_requests() {
        let admission = Admission::new(2, 1, 10);
        let streams: Vec<_> =
            (0..2).map(|_| admission.admit_stream(admission.admit(None).unwrap()).ok().unwrap()).collect();
        let request = admission.admit(None).unwrap();
        assert_eq!(admission.admit(None).err(), Some(AdmissionError::AtCapacity));
        assert_eq!(admission.admit_stream(request).err(), Some(AdmissionError::AtCapacity));
        drop(streams);
        assert!(admission.admit_stream(admission.admit(None).unwrap()).is_ok());
    }

    #[test]
    fn each_client_has_its_own_limit() {
        let admission = Admission::new(10, 10, 2);
        let [client, other] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
        let request = admission.admit(client).unwrap();
        let stream = admission.admit_stream(admission.admit(client).unwrap()).ok().unwrap();
        assert_eq!(admission.admit(client).err(), Some(AdmissionError::TooManyFromClient));
        assert!(admission.admit(other).is_ok());
        assert!(admission.admit(None).is_ok());
        drop(stream);
        assert!(admission.admit(client).is_ok());
        drop(request);
        assert!(admission.clients.counts().is_empty());
    }
}
