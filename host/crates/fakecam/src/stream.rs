//! Streaming: a thread that fills buffers.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::camera::{Camera, Handle, State};
use crate::clock::now;
use crate::frames;
use crate::log::log;
use crate::session::{BufferState, FrameCounts, Session};

impl Handle {
    /// `VIDIOC_STREAMON`.
    pub(crate) fn stream_on(&self, state: &mut State) -> Result<(), Errno> {
        let stream = state.last_stream + 1;
        let session = state.sessions.get_mut(&self.id).ok_or(Errno::NODEV)?;
        if session.buffers.is_empty() {
            return Err(Errno::INVAL);
        }
        if session.stream.is_some() {
            return Ok(());
        }
        let (camera, id) = (self.camera.clone(), self.id);
        // The name lets measurements of CPU time exclude the thread.
        let thread = thread::Builder::new().name(format!("fakecam{}", camera.index()));
        thread.spawn(move || Stream { camera, id, stream }.run()).map_err(|_| Errno::AGAIN)?;
        session.stream = Some(stream);
        session.counts = FrameCounts::default();
        session.stalled_until = None;
        state.last_stream = stream;
        log(1, || format!("video{}: streaming {:?}", self.camera.index(), state.mode));
        Ok(())
    }

    /// `VIDIOC_STREAMOFF`. The thread exits on its own.
    pub(crate) fn stream_off(&self, state: &mut State) {
        let Some(session) = state.sessions.get_mut(&self.id) else { return };
        if session.stream.is_some() {
            log(1, || format!("video{}: stream stopped: {:?}", self.camera.index(), session.counts));
        }
        session.stop();
        self.camera.changed.notify_all();
    }
}

/// A stream, as its thread sees it.
struct Stream {
    camera: Arc<Camera>,
    id: u64,
    stream: u64,
}

impl Stream {
    /// Returns the session while this stream is on.
    fn session<'a>(&self, state: &'a mut State) -> Option<&'a mut Session> {
        let session = state.sessions.get_mut(&self.id)?;
        (session.stream == Some(self.stream) && !session.is_unplugged()).then_some(session)
    }

    fn run(&self) {
        let mut state = self.camera.lock();
        let mut next = now();
        // The state of a linear congruential generator (the example in ISO C).
        let mut random = 12_345_u32;
        let mut is_first = true;
        while self.session(&mut state).is_some() {
            let rate = state.options.rate;
            let seconds = if rate > 0.0 { 1.0 / rate } else { state.interval.seconds() };
            let period = Duration::from_secs_f64(seconds);
            let jitter = state.options.jitter_ms;
            let Some(session) = self.session(&mut state) else { return };
            // If the thread was late, the frames of that time are lost.
            while !is_first && now() >= next + period {
                next += period;
                session.counts.frames += 1;
                session.counts.lost += 1;
            }
            is_first = false;
            next += period;
            random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let delay = jitter.max(0.0) / 1000.0 * f64::from(random >> 16) / 65_536.0;
            let due = next + Duration::from_secs_f64(delay);
            state = self.wait_until(state, due);
            if self.session(&mut state).is_some() {
                state = self.produce_frame(state, due);
            }
        }
    }

    /// Waits until a frame is due or the stream is off.
    fn wait_until<'a>(&self, mut state: MutexGuard<'a, State>, due: Duration) -> MutexGuard<'a, State> {
        while self.session(&mut state).is_some() {
            let left = due.saturating_sub(now());
            if left.is_zero() {
                break;
            }
            state = self.camera.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Fills a buffer with the frame that is due, or applies a fault.
    fn produce_frame<'a>(&'a self, mut state: MutexGuard<'a, State>, due: Duration) -> MutexGuard<'a, State> {
        let is_present = self.camera.refresh(&mut state);
        let (options, mode) = (state.options.clone(), state.mode);
        let (unplugs, stalls) = (state.unplugs, state.stalls);
        let (Some(session), Some(mode), true) = (self.session(&mut state), mode, is_present) else { return state };
        let sequence = session.counts.frames;
        session.counts.frames += 1;
        if options.unplugs_at(sequence, unplugs) {
            self.camera.unplug(&mut state);
            return state;
        }
        let stalls_now = session.stalled_until.is_none() && options.stalls_at(sequence, stalls);
        if stalls_now {
            session.stalled_until = Some(due + Duration::from_secs_f64(options.stall_seconds.max(0.0)));
            log(1, || format!("video{}: stalled", self.camera.index()));
        }
        let is_stalled = session.stalled_until.is_some_and(|until| due < until);
        if is_stalled || options.drops(sequence) {
            state.stalls += u32::from(stalls_now);
            return state;
        }
        let (Some(index), Some(memory)) = (session.queued.pop_front(), session.memory.clone()) else {
            session.counts.lost += 1;
            return state;
        };
        let buffer = &mut session.buffers[index];
        buffer.state = BufferState::Active;
        let (offset, room) = (u64::from(buffer.offset), buffer.length as usize);
        drop(state);

        let captured_at = due.saturating_sub(Duration::from_secs_f64(options.latency_ms.max(0.0) / 1000.0));
        let mut frame = frames::create(self.camera.formats(), &options, mode, sequence, captured_at);
        frame.bytes.truncate(room);
        let written = memory.write_all_at(&frame.bytes, offset);

        let mut state = self.camera.lock();
        if let Some(session) = self.session(&mut state) {
            let buffer = &mut session.buffers[index];
            buffer.bytes_used = frame.bytes.len() as u32;
            buffer.has_error = frame.has_error;
            buffer.sequence = sequence;
            buffer.captured_at = captured_at;
            self.report(written.and_then(|()| session.complete(index)));
            self.camera.changed.notify_all();
        }
        state
    }

    fn report(&self, result: io::Result<()>) {
        if let Err(error) = result {
            log(0, || format!("video{}: cannot deliver a frame: {error}", self.camera.index()));
        }
    }
}
