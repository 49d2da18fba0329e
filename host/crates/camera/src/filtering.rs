//! The filter thread, which runs alongside the capture thread of a camera with filters.
//!
//! A filter may be slow, and must not delay capturing. So frames pass through a [`Mailbox`]: while the filters work on
//! one, newer ones replace each other. Only this thread publishes frames of such a camera, and only those that all
//! filters have returned. So whatever goes wrong, no reader gets an unfiltered frame.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::filter::{Filter, FilterMeter, FilterReport, FilterTotals};
use super::frame::Frame;
use super::mailbox::Mailbox;
use super::status::Outage;
use super::stream_mode::StreamMode;

/// The filters of a camera, in the order in which frames pass them.
#[derive(Default)]
pub(super) struct Filters(Vec<(Arc<dyn Filter>, FilterMeter)>);

impl Filters {
    pub(super) fn new(filters: Vec<Arc<dyn Filter>>) -> Self {
        Self(filters.into_iter().map(|filter| (filter, FilterMeter::default())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the filters are.
    pub(super) fn descriptions(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(filter, _)| filter.description())
    }

    /// What the filters do and cost.
    pub(super) fn reports(&self) -> Vec<FilterReport> {
        let now = Instant::now();
        let report = |(filter, meter): &(Arc<dyn Filter>, FilterMeter)| {
            let (rate, cost) = meter.report(now);
            let FilterTotals { frames, busy, failed } = meter.total();
            FilterReport { description: filter.description(), rate, cost, frames, busy, failed }
        };
        self.0.iter().map(report).collect()
    }
}

/// A frame on its way to the filters.
pub(super) struct WaitingFrame {
    pub(super) frame: Frame,
    pub(super) mode: Option<StreamMode>,
    /// The number of frames lost before it.
    pub(super) lost_before: u64,
}

/// What the filters made of a frame.
pub(super) enum Filtered {
    /// A frame for readers.
    Frame(WaitingFrame),
    /// A filter has failed, for the frame with this number.
    Failed { sequence: u64, mode: Option<StreamMode>, outage: Outage },
}

/// A running filter thread. Dropping it waits for the thread to end, which takes at most as long as one frame.
pub(super) struct FilterThread {
    waiting: Arc<Mailbox<WaitingFrame>>,
    thread: Option<JoinHandle<()>>,
}

impl FilterThread {
    /// Starts the thread. It calls `on_result` for each frame that the filters return, and for each of their failures.
    pub(super) fn start(
        name: String,
        filters: Arc<Filters>,
        on_result: impl Fn(Filtered) + Send + 'static,
    ) -> std::io::Result<Self> {
        let waiting = Arc::new(Mailbox::default());
        let receiver = waiting.clone();
        let thread = thread::Builder::new().name(name).spawn(move || filter_all(&receiver, &filters, &on_result))?;
        Ok(Self { waiting, thread: Some(thread) })
    }

    /// Where to put frames.
    pub(super) fn input(&self) -> FilterInput {
        FilterInput(self.waiting.clone())
    }

    /// Whether the thread has ended, which it does only by a panic.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for FilterThread {
    fn drop(&mut self) {
        self.waiting.clear();
        self.waiting.close();
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}

/// The entrance to the filters.
#[derive(Clone)]
pub(super) struct FilterInput(Arc<Mailbox<WaitingFrame>>);

impl FilterInput {
    /// Hands over a frame. Returns whether it replaced one that was still waiting and is now lost.
    pub(super) fn put(&self, frame: WaitingFrame) -> bool {
        self.0.put(frame, |new, lost| new.lost_before += lost.lost_before + 1)
    }

    /// Discards the waiting frame.
    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

/// The body of the thread. Ends when the mailbox is closed.
fn filter_all(waiting: &Mailbox<WaitingFrame>, filters: &Filters, on_result: &dyn Fn(Filtered)) {
    let mut open: Vec<_> = filters.0.iter().map(|(filter, meter)| (filter.open(), meter)).collect();
    // Frames that the filters kept from readers since the last one that they returned.
    let mut kept = 0;
    'frames: while let Some(WaitingFrame { mut frame, mode, lost_before }) = waiting.receive() {
        kept += lost_before;
        for (filter, meter) in &mut open {
            let started = Instant::now();
            let applied = filter.apply(&frame);
            match &applied {
                Ok(_) => meter.add(started, Instant::now()),
                Err(_) => meter.add_failure(),
            }
            match applied {
                Ok(Some(image)) => frame.image = image,
                Ok(None) => {
                    kept += 1;
                    continue 'frames;
                }
                Err(outage) => {
                    kept += 1;
                    on_result(Filtered::Failed { sequence: frame.sequence, mode, outage });
                    continue 'frames;
                }
            }
        }
        on_result(Filtered::Frame(WaitingFrame { frame, mode, lost_before: kept }));
        kept = 0;
    }
}
