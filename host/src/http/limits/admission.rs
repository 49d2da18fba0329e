//! How many requests are in progress at once.
//!
//! A stream may go on for days, and everything else is over in a moment. So each has a capacity of its own: however many
//! viewers there are, pages, snapshots and states are still answered. Whether a request is for a stream shows when its
//! response begins; until then it counts among the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AdmissionError {
    /// There are as many requests of its kind in progress as there may be.
    #[error("server at capacity (--max-requests)")]
    AtCapacity,
    /// Its client has as many in progress as one client may have.
    #[error("too many requests at once from this address (--max-connections-per-address)")]
    TooManyFromClient,
}

impl AdmissionError {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::AtCapacity => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyFromClient => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// Hands out permits for requests.
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

/// The right of one request to be in progress, until this is dropped.
pub struct Permit {
    _capacity: OwnedSemaphorePermit,
    client: Option<ClientPermit>,
}

impl Admission {
    /// Permit so many streams at once, beside them so many other requests, and so many of both for each client whose address
    /// is known.
    pub fn new(streams: usize, requests: usize, per_client: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let clients = Clients { limit: per_client, counts: Mutex::default() };
        Self { requests: semaphore(requests), streams: semaphore(streams), clients: Arc::new(clients) }
    }

    /// Admit a request that has come. `client` is the address under which its client counts, if it is to be counted.
    pub fn admit(&self, client: Option<IpAddr>) -> Result<Permit, AdmissionError> {
        let client = client.map(|client| self.clients.clone().admit(client)).transpose()?;
        let capacity = self.requests.clone().try_acquire_owned().map_err(|_| AdmissionError::AtCapacity)?;
        Ok(Permit { _capacity: capacity, client })
    }

    /// Admit a request as a stream, since that is what its response has turned out to be. Its permit among the others becomes
    /// free.
    pub fn admit_stream(&self, permit: Permit) -> Result<Permit, AdmissionError> {
        let capacity = self.streams.clone().try_acquire_owned().map_err(|_| AdmissionError::AtCapacity)?;
        Ok(Permit { _capacity: capacity, client: permit.client })
    }
}

/// One request of a client.
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
        // Nothing that is done under the lock can leave it half done.
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
    #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

    use super::*;

    #[test]
    fn streams_take_nothing_from_other_requests() {
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
    fn a_client_has_a_limit_of_its_own() {
        let admission = Admission::new(10, 10, 2);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
        let first = admission.admit(one).unwrap();
        let stream = admission.admit_stream(admission.admit(one).unwrap()).ok().unwrap();
        assert_eq!(admission.admit(one).err(), Some(AdmissionError::TooManyFromClient));
        assert!(admission.admit(other).is_ok());
        assert!(admission.admit(None).is_ok());
        drop(stream);
        assert!(admission.admit(one).is_ok());
        drop(first);
        assert!(admission.clients.counts().is_empty());
    }
}
