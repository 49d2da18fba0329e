//! What the instances of components use: how many there are, their memory, and how long they have run.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What all instances of one role use together.
#[derive(Debug, Default)]
pub(super) struct Usage {
    instances: AtomicUsize,
    memory: AtomicUsize,
    /// In nanoseconds, enough for 500 years.
    run_time: AtomicU64,
}

impl Usage {
    pub(super) fn add_instance(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an instance with this much linear memory no longer.
    pub(super) fn remove_instance(&self, memory: usize) {
        self.instances.fetch_sub(1, Ordering::Relaxed);
        self.memory.fetch_sub(memory, Ordering::Relaxed);
    }

    /// Counts linear memory that an instance has gained, in bytes.
    pub(super) fn add_memory(&self, bytes: usize) {
        self.memory.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_run_time(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.run_time.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Runs a future, and counts for how long it is polled.
    pub(super) async fn measure<T>(self: Arc<Self>, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            let started = Instant::now();
            let polled = future.as_mut().poll(context);
            self.add_run_time(started.elapsed());
            polled
        })
        .await
    }

    fn report(&self, role: &'static str) -> UsageReport {
        UsageReport {
            role,
            instances: self.instances.load(Ordering::Relaxed),
            memory: self.memory.load(Ordering::Relaxed),
            run_time: Duration::from_nanos(self.run_time.load(Ordering::Relaxed)),
        }
    }
}

/// What the instances use, by the role of the component.
#[derive(Debug, Default)]
pub(super) struct UsageByRole {
    pub(super) guests: Arc<Usage>,
    pub(super) drivers: Arc<Usage>,
    pub(super) filters: Arc<Usage>,
}

impl UsageByRole {
    pub(super) fn report(&self) -> [UsageReport; 3] {
        [self.guests.report("guest"), self.drivers.report("driver"), self.filters.report("filter")]
    }
}

/// What the instances of one role use at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageReport {
    /// `guest`, which includes publishers and workers, `driver` or `filter`.
    pub role: &'static str,
    /// The number of instances.
    pub instances: usize,
    /// Their linear memory, in bytes. Pages that an instance has never written take no memory of the system.
    pub memory: usize,
    /// How long components have run since the server started. Includes what the host does for them meanwhile, and the
    /// time for which the system lets other threads run.
    pub run_time: Duration,
}
