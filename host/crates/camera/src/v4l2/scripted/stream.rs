//! A scripted stream.

use std::io;
use std::time::Instant;

use rustix::io::Errno;

use super::machine::Handle;
use super::script::{Operation, Step};
use crate::raw::MAX_PLANES;
use crate::v4l2::device::{DequeuedBuffer, Stream};

/// A running stream.
pub(super) struct ScriptedStream {
    handle: Handle,
    /// The contents of dequeued buffers. `None` for buffers that the driver has.
    buffers: Vec<Option<[Vec<u8>; MAX_PLANES]>>,
    /// The sequence number of the next frame.
    next_sequence: u32,
}

impl ScriptedStream {
    /// Starts a stream with `count` buffers.
    pub(super) fn new(handle: Handle, count: u32) -> Self {
        Self { handle, buffers: vec![None; count as usize], next_sequence: 0 }
    }
}

impl Stream for ScriptedStream {
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        Ok(self.handle.wait(deadline))
    }

    fn has_signal_changed(&mut self) -> bool {
        let changed = self.handle.with(|plugged| match plugged.steps.front() {
            Some(Step::SignalChange) => Ok(plugged.steps.pop_front().is_some()),
            _ => Ok(false),
        });
        changed.unwrap_or_default()
    }

    fn dequeue(&mut self) -> io::Result<Option<DequeuedBuffer>> {
        let Some(index) = self.buffers.iter().position(Option::is_none) else { return Ok(None) };
        // A change of the signal is an event and not a buffer.
        let step =
            self.handle.with(|plugged| Ok(plugged.steps.pop_front_if(|step| !matches!(step, Step::SignalChange))))?;
        match step {
            None | Some(Step::Nothing | Step::SignalChange) => Ok(None),
            Some(Step::Error(error)) => Err(io::Error::from_raw_os_error(error)),
            Some(Step::Buffer { planes, is_flagged, dropped }) => {
                let sequence = self.next_sequence.wrapping_add(dropped);
                self.next_sequence = sequence.wrapping_add(1);
                let payloads = planes.each_ref().map(|plane| 0..plane.len());
                if let Some(buffer) = self.buffers.get_mut(index) {
                    *buffer = Some(planes);
                }
                Ok(Some(DequeuedBuffer { index: index as u32, payloads, is_flagged, sequence, timestamp: None }))
            }
        }
    }

    fn planes<'a>(&'a self, buffer: &'a DequeuedBuffer) -> [&'a [u8]; MAX_PLANES] {
        let planes = self.buffers.get(buffer.index as usize).and_then(Option::as_ref);
        planes.map(|planes| planes.each_ref().map(Vec::as_slice)).unwrap_or_default()
    }

    fn queue(&mut self, buffer: DequeuedBuffer) -> io::Result<()> {
        self.handle.machine.check(&self.handle.node, Operation::Queue)?;
        match self.buffers.get_mut(buffer.index as usize).map(Option::take) {
            Some(Some(_)) => self.handle.with(|_| Ok(())),
            // Queued twice, or never dequeued.
            _ => Err(Errno::INVAL.into()),
        }
    }
}
