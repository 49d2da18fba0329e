//! Counts of requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The status codes that HTTP has (RFC 9110, section 15). Guests may use any of them.
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// The upper limits of the buckets for the time to the first byte, in milliseconds: from a response of the host to
/// `--answer-timeout`.
const BUCKETS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/// Counts requests since the server started.
#[derive(Debug)]
pub struct RequestStats {
    by_status: [AtomicU64; STATUSES],
    in_progress: AtomicUsize,
    bytes: AtomicU64,
    /// The times to the first byte, by bucket. The last one has those above all limits.
    first_bytes: [AtomicU64; BUCKETS.len() + 1],
    /// The sum of these times, in nanoseconds.
    first_byte_time: AtomicU64,
}

impl Default for RequestStats {
    fn default() -> Self {
        Self {
            by_status: [const { AtomicU64::new(0) }; STATUSES],
            in_progress: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            first_bytes: [const { AtomicU64::new(0) }; BUCKETS.len() + 1],
            first_byte_time: AtomicU64::new(0),
        }
    }
}

impl RequestStats {
    pub(super) fn begin(&self) {
        self.in_progress.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_progress.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a response with this status.
    pub(super) fn add_response(&self, status: u16) {
        let index = status.checked_sub(FIRST_STATUS).map(usize::from);
        if let Some(count) = index.and_then(|index| self.by_status.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts bytes of the body of a response.
    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a response that has started after this time.
    pub(super) fn add_first_byte(&self, time: Duration) {
        let bucket = BUCKETS.partition_point(|limit| Duration::from_millis(*limit) < time);
        if let Some(count) = self.first_bytes.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.first_byte_time.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> RequestCounts {
        let by_status = (FIRST_STATUS..).zip(&self.by_status).map(|(status, count)| (status, load(count)));
        let mut count = 0;
        let buckets = BUCKETS.iter().zip(&self.first_bytes).map(|(limit, bucket)| {
            count += load(bucket);
            (Duration::from_millis(*limit), count)
        });
        let buckets = buckets.collect();
        RequestCounts {
            by_status: by_status.filter(|(_, count)| *count > 0).collect(),
            in_progress: self.in_progress.load(Ordering::Relaxed),
            bytes: load(&self.bytes),
            first_bytes: Histogram {
                buckets,
                count: count + self.first_bytes.last().map(load).unwrap_or_default(),
                sum: Duration::from_nanos(load(&self.first_byte_time)),
            },
        }
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Counts of requests at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestCounts {
    /// The responses that have started, by status. Clients that left before are counted as 499, as nginx does.
    pub by_status: BTreeMap<u16, u64>,
    /// The requests whose responses have not ended.
    pub in_progress: usize,
    /// The bytes of the bodies of responses, except for the parts of channels.
    pub bytes: u64,
    /// The times from the head of a request to the first byte of the response's body, or to its head if there is no
    /// body.
    pub first_bytes: Histogram,
}

/// How many times are at most as long as certain limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// For each limit, the number of times that do not exceed it.
    pub buckets: Vec<(Duration, u64)>,
    /// The number of all times.
    pub count: u64,
    /// The sum of all times.
    pub sum: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_counted_by_status_and_time() {
        let stats = RequestStats::default();
        for status in [200, 404, 200, 599, 600, 0] {
            stats.add_response(status);
        }
        for milliseconds in [1, 3, 20_000] {
            stats.add_first_byte(Duration::from_millis(milliseconds));
        }
        let counts = stats.counts();
        assert_eq!(counts.by_status, BTreeMap::from([(200, 2), (404, 1), (599, 1)]));
        let Histogram { buckets, count, sum } = counts.first_bytes;
        let first: Vec<_> = buckets.iter().take(3).map(|(_, count)| *count).collect();
        assert_eq!((first, buckets.last().unwrap().1, count), (vec![1, 1, 2], 2, 3));
        assert_eq!(sum, Duration::from_millis(20_004));
    }
}
