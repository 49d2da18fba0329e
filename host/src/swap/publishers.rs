//! Publishers: for each channel, an instance of the current guest publishes parts while the channel has viewers.
//!
//! When the guest is replaced, the new guest's publisher starts beside the old one and takes over the channel with its
//! first part. So viewers always have a publisher, even if the new one fails.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::active_guest::ActiveGuest;
use super::generation::{Generation, InFlightRequest};
use crate::channels::{Channel, Channels};
use crate::process::supervisor::{Backoff, restart_on_panic};
use crate::sandbox::{CallError, Phase};

/// The pause before a failed publisher is restarted.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Publishes every new channel, until the future is dropped.
pub async fn publish_all(
    channels: Channels,
    mut new_channels: mpsc::UnboundedReceiver<Arc<Channel>>,
    active_guest: ActiveGuest,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            Some(channel) = new_channels.recv() => {
                let (channels, active_guest) = (channels.clone(), active_guest.clone());
                tasks.spawn(async move {
                    // If the task panics, the channel keeps its viewers until the restart.
                    let name = format!("the publisher of channel {}", channel.name());
                    let publish = || publish(channels.clone(), channel.clone(), active_guest.clone());
                    restart_on_panic(&name, Backoff::DEFAULT, publish).await;
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// A publisher at work. Dropping it ends its instance.
struct PublisherRun {
    /// Counts the publishers of one channel. The channel accepts parts only from the highest number so far.
    number: u64,
    request: InFlightRequest,
    work: Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>,
}

impl PublisherRun {
    fn start(channel: &Arc<Channel>, active_guest: &ActiveGuest, number: u64) -> Self {
        let generation = active_guest.current();
        let request = InFlightRequest::start(generation.clone());
        let publisher = channel.publisher(number);
        let active_guest = active_guest.clone();
        let work = async move {
            let Generation { guest, lifecycle, .. } = &*generation;
            active_guest.invoker().publish(guest, lifecycle.clone(), publisher).await
        };
        Self { number, request, work: Box::pin(work) }
    }

    /// Waits until the publisher's generation reaches a phase.
    fn reaches(&self, phase: Phase) -> impl Future<Output = ()> + use<> {
        self.request.generation().lifecycle.clone().reaches(phase)
    }
}

/// Publishes one channel until it has no viewers, or the guest ends the stream.
async fn publish(channels: Channels, channel: Arc<Channel>, active_guest: ActiveGuest) {
    // The previous publisher, until the current one has taken over.
    let mut previous: Option<PublisherRun> = None;
    // Not 0 after a restart: the channel ignores numbers that it has seen before.
    let mut number = channel.latest_publisher();
    'runs: loop {
        number += 1;
        let mut current = PublisherRun::start(&channel, &active_guest, number);
        let mut has_taken_over = false;
        let can_publish = loop {
            let replaced = current.reaches(Phase::Replaced);
            tokio::select! {
                result = &mut current.work => match result {
                    Ok(()) => return channels.end(&channel),
                    // The guest never publishes. Without a previous publisher, nobody does.
                    Err(CallError::NoPublisher) if previous.is_none() => return channels.end(&channel),
                    Err(CallError::NoPublisher) => break false,
                    Err(error) => {
                        let channel = channel.name();
                        warn!(channel, "its publisher failed and will be restarted: {error}");
                        active_guest.record_failure(&current.request, &error);
                        break true;
                    }
                },
                () = run_to_end(&mut previous) => previous = None,
                () = channel.taken_over(current.number), if !has_taken_over => {
                    has_taken_over = true;
                    previous = None;
                }
                () = replaced => {
                    if active_guest.is_last(current.request.generation().lifecycle.number) {
                        return channels.end(&channel);
                    }
                    debug!(channel = channel.name(), "starting the new guest's publisher");
                    if has_taken_over {
                        previous = Some(current);
                    }
                    continue 'runs;
                }
                () = channel.unwatched() => {
                    if channels.end_unwatched(&channel) {
                        return;
                    }
                }
            }
        };
        // Until the restart, or the next guest, a previous publisher continues.
        let replaced = active_guest.current().lifecycle.clone().reaches(Phase::Replaced);
        tokio::select! {
            () = sleep(RESTART_DELAY), if can_publish => {}
            () = replaced => {}
            () = run_to_end(&mut previous) => previous = None,
            () = channel.unwatched() => if channels.end_unwatched(&channel) {
                return;
            }
        }
    }
}

/// Runs a publisher until it or its generation ends. Without a publisher, never returns.
async fn run_to_end(run: &mut Option<PublisherRun>) {
    match run {
        Some(run) => {
            let generation_end = run.reaches(Phase::Ended);
            tokio::select! {
                _ = &mut run.work => {}
                () = generation_end => {}
            }
        }
        None => std::future::pending().await,
    }
}
