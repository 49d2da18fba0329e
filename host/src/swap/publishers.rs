//! Who publishes each channel: an instance of the current guest, for as long as there are viewers.
//!
//! When the guest is replaced, the new one's publisher is started beside the old one's, and takes the channel over
//! with its first part. So viewers are without a publisher at no moment, even if the new one fails.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::generation::{Generation, InFlightRequest};
use super::generations::Generations;
use crate::channels::{Channel, Channels};
use crate::process::supervisor::{Backoff, restart_on_panic};
use crate::sandbox::{CallError, Phase};

/// How long to wait before a publisher that failed is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Publish each channel that begins, until the future is dropped.
pub async fn publish_all(
    channels: Channels,
    mut beginning: mpsc::UnboundedReceiver<Arc<Channel>>,
    generations: Generations,
) {
    let mut publishing = JoinSet::new();
    loop {
        tokio::select! {
            Some(channel) = beginning.recv() => {
                let (channels, generations) = (channels.clone(), generations.clone());
                publishing.spawn(async move {
                    // The channel goes on with its viewers meanwhile.
                    let name = format!("the publisher of channel {}", channel.name());
                    let publish = || publish(channels.clone(), channel.clone(), generations.clone());
                    restart_on_panic(&name, Backoff::USUAL, publish).await;
                });
            }
            Some(_) = publishing.join_next() => {}
        }
    }
}

/// One publisher at work. It ends when dropped.
struct PublisherRun {
    /// Counts the shifts of one channel: the number by which a publisher takes over.
    number: u64,
    visit: InFlightRequest,
    work: Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>,
}

impl PublisherRun {
    fn begin(channel: &Arc<Channel>, generations: &Generations, number: u64) -> Self {
        let generation = generations.current();
        let visit = InFlightRequest::begin(generation.clone());
        let publisher = channel.publisher(number);
        let generations = generations.clone();
        let work = async move {
            let Generation { guest, lifecycle, .. } = &*generation;
            generations.invoker().publish(guest, lifecycle.clone(), publisher).await
        };
        Self { number, visit, work: Box::pin(work) }
    }

    /// Wait until the generation of its guest has come to this stage.
    fn reaches(&self, phase: Phase) -> impl Future<Output = ()> + use<> {
        self.visit.generation().lifecycle.clone().reaches(phase)
    }
}

/// Publish one channel until nobody watches it, or its guest says that the stream is over.
async fn publish(channels: Channels, channel: Arc<Channel>, generations: Generations) {
    // The publisher before, until the present one has taken over.
    let mut before: Option<PublisherRun> = None;
    // Not 0 where this was restarted: the channel ignores publishers of numbers that are over.
    let mut number = channel.latest_publisher();
    'shifts: loop {
        number += 1;
        let mut present = PublisherRun::begin(&channel, &generations, number);
        let mut has_taken_over = false;
        let can_publish = loop {
            let replaced = present.reaches(Phase::Replaced);
            tokio::select! {
                result = &mut present.work => match result {
                    Ok(()) => return channels.end(&channel),
                    // It would never publish: those who are here are ended with the guest that did.
                    Err(CallError::NoPublisher) if before.is_none() => return channels.end(&channel),
                    Err(CallError::NoPublisher) => break false,
                    Err(error) => {
                        let channel = channel.name();
                        warn!(channel, "its publisher failed, and is started again: {error}");
                        generations.note_failure(&present.visit, &error);
                        break true;
                    }
                },
                () = work_of(&mut before) => before = None,
                () = channel.taken_over(present.number), if !has_taken_over => {
                    has_taken_over = true;
                    before = None;
                }
                () = replaced => {
                    debug!(channel = channel.name(), "another guest takes over");
                    if has_taken_over {
                        before = Some(present);
                    }
                    continue 'shifts;
                }
                () = channel.unwatched() => {
                    if channels.end_unwatched(&channel) {
                        return;
                    }
                }
            }
        };
        // The one before goes on meanwhile, if there is one.
        let replaced = generations.current().lifecycle.clone().reaches(Phase::Replaced);
        tokio::select! {
            () = sleep(RESTART_PAUSE), if can_publish => {}
            () = replaced => {}
            () = work_of(&mut before) => before = None,
            () = channel.unwatched() => if channels.end_unwatched(&channel) {
                return;
            }
        }
    }
}

/// Let a publisher that is being replaced work on, until it ends or its generation does. For ever, if there is none.
async fn work_of(shift: &mut Option<PublisherRun>) {
    match shift {
        Some(shift) => {
            let ended = shift.reaches(Phase::Ended);
            tokio::select! {
                _ = &mut shift.work => {}
                () = ended => {}
            }
        }
        None => std::future::pending().await,
    }
}
