//! Limits on requests in progress.
//!
//! A stream may last for days; every other request ends within moments. Each kind therefore has its own capacity:
//! however many streams there are, the server still answers requests for pages, snapshots and states. Only the response
//! shows whether a request is for a stream. Until then it counts against the capacity for other requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

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

/// How many requests may be in progress.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestLimits {
    /// Streams.
    pub streams: usize,
    /// Other requests.
    pub requests: usize,
    /// Both, from one client with a known address.
    pub per_client: usize,
}

/// Issues permits for requests. Clones share the limits.
#[derive(Clone)]
pub struct Admission {
    in_progress: Arc<Mutex<InProgress>>,
}

/// The requests in progress, and how many there may be.
struct InProgress {
    limits: RequestLimits,
    streams: usize,
    requests: usize,
    /// Of each client.
    clients: HashMap<IpAddr, usize>,
}

/// The permit of one request in progress. Dropping it releases the capacity.
pub struct Permit {
    admission: Admission,
    is_stream: bool,
    client: Option<IpAddr>,
}

impl Admission {
    /// Permits requests within these limits.
    pub fn new(limits: RequestLimits) -> Self {
        let in_progress = InProgress { limits, streams: 0, requests: 0, clients: HashMap::new() };
        Self { in_progress: Arc::new(Mutex::new(in_progress)) }
    }

    /// Replaces the limits. Requests in progress continue, even if there are more than the new limits allow.
    pub fn set_limits(&self, limits: RequestLimits) {
        self.lock().limits = limits;
    }

    /// Admits a request. `client` is its [`client_network`](super::client_network()), or `None` to apply no limit per
    /// client.
    pub fn admit(&self, client: Option<IpAddr>) -> Result<Permit, AdmissionError> {
        let mut in_progress = self.lock();
        let InProgress { limits, requests, clients, .. } = &mut *in_progress;
        let of_client = client.and_then(|client| clients.get(&client)).copied().unwrap_or_default();
        if client.is_some() && of_client >= limits.per_client {
            return Err(AdmissionError::TooManyFromClient);
        }
        if *requests >= limits.requests {
            return Err(AdmissionError::AtCapacity);
        }
        *requests += 1;
        if let Some(client) = client {
            clients.insert(client, of_client + 1);
        }
        Ok(Permit { admission: self.clone(), is_stream: false, client })
    }

    /// Exchanges the permit of a request for that of a stream, once its response turns out to be one.
    pub fn admit_stream(&self, mut permit: Permit) -> Result<Permit, AdmissionError> {
        let mut in_progress = self.lock();
        if in_progress.streams >= in_progress.limits.streams {
            // Dropping the permit takes the lock.
            drop(in_progress);
            return Err(AdmissionError::AtCapacity);
        }
        in_progress.streams += 1;
        in_progress.requests -= 1;
        permit.is_stream = true;
        drop(in_progress);
        Ok(permit)
    }

    fn lock(&self) -> MutexGuard<'_, InProgress> {
        // No operation under the lock leaves the counts inconsistent if it panics.
        self.in_progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut in_progress = self.admission.lock();
        let kind = if self.is_stream { &mut in_progress.streams } else { &mut in_progress.requests };
        *kind -= 1;
        let Some(client) = self.client else { return };
        if let Some(count) = in_progress.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                in_progress.clients.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(streams: usize, requests: usize, per_client: usize) -> Admission {
        Admission::new(RequestLimits { streams, requests, per_client })
    }

    #[test]
    fn streams_use_no_capacity_of_other_requests() {
        let admission = admission(2, 1, 10);
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
        let admission = admission(10, 10, 2);
        let [client, other] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
        let request = admission.admit(client).unwrap();
        let stream = admission.admit_stream(admission.admit(client).unwrap()).ok().unwrap();
        assert_eq!(admission.admit(client).err(), Some(AdmissionError::TooManyFromClient));
        assert!(admission.admit(other).is_ok());
        assert!(admission.admit(None).is_ok());
        drop(stream);
        assert!(admission.admit(client).is_ok());
        drop(request);
        assert!(admission.lock().clients.is_empty());
    }

    #[test]
    fn new_limits_apply_to_new_requests() {
        let admission = admission(2, 2, 10);
        let mut streams: Vec<_> =
            (0..2).map(|_| admission.admit_stream(admission.admit(None).unwrap()).ok().unwrap()).collect();
        admission.set_limits(RequestLimits { streams: 1, requests: 1, per_client: 10 });
        let _request = admission.admit(None).unwrap();
        assert_eq!(admission.admit(None).err(), Some(AdmissionError::AtCapacity));
        admission.set_limits(RequestLimits { streams: 2, requests: 3, per_client: 10 });
        streams.pop();
        assert!(admission.admit_stream(admission.admit(None).unwrap()).is_ok());
    }
}
