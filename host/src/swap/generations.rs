//! The generations: the guest that serves, the one before it, and going from one to the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tracing::{info, warn};
use wasmtime_wasi_http::Error as HttpError;

use super::check::{self, SwapError};
use super::generation::{Generation, Visit};
use super::report::{self, Refusal, Report};
use super::response::{Served, ServedBody};
use super::trial::Trial;
use crate::guest::{Answered, CallError, Caller, Candidate, LoadError, Loaded, Stage};

/// The guest that serves, and how it came to that. Clones are the same.
#[derive(Clone)]
pub struct Generations {
    shared: Arc<Shared>,
}

struct Shared {
    caller: Arc<Caller>,
    /// How long responses of a generation may go on after it was replaced.
    drain: Duration,
    /// Held while a candidate is checked, so that they serve in the order in which they were offered, and no more
    /// than one is compiled at a time.
    turn: tokio::sync::Mutex<()>,
    /// Locked to look at it or to change it, and never while anything is waited for.
    state: Mutex<State>,
}

struct State {
    current: Arc<Generation>,
    /// The guest before the current one, kept compiled to go back to.
    previous: Option<Previous>,
    /// Those that were replaced and may have responses under way.
    replaced: Vec<Weak<Generation>>,
    /// The last that was not let serve, or was taken back.
    refused: Option<Refusal>,
}

/// A guest to go back to.
#[derive(Clone)]
pub(super) struct Previous {
    pub(super) guest: Loaded,
    /// The generation that it served as.
    pub(super) number: u64,
}

/// What came of a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Swapped {
    /// It serves, as the generation of this number.
    Replaced(u64),
    /// It was the current guest already, of the generation of this number; nothing has changed.
    Unchanged(u64),
}

/// There is no guest to go back to: the current one is the first, or the one before it was taken back.
#[derive(Debug, thiserror::Error)]
#[error("there is no guest before this one to go back to")]
pub struct NothingBefore;

impl Generations {
    /// Begin to serve by this candidate, which is checked as all are. `drain` is how long responses of a
    /// generation may go on after it was replaced.
    pub async fn start(caller: Caller, candidate: Candidate, drain: Duration) -> Result<Self, SwapError> {
        const FIRST: u64 = 1;
        let caller = Arc::new(caller);
        let guest = check::compile(caller.clone(), candidate).await?;
        check::try_out(&caller, &guest, FIRST).await?;
        let current = Generation::begin(FIRST, guest, true);
        log_beginning(&current);
        let state = State { current, previous: None, replaced: Vec::new(), refused: None };
        let turn = tokio::sync::Mutex::new(());
        Ok(Self { shared: Arc::new(Shared { caller, drain, turn, state: Mutex::new(state) }) })
    }

    /// Have one request answered by the current guest.
    ///
    /// Returns when the guest has begun its answer. The body of the response runs it on; see [`Served`].
    /// `label` names the request in the log.
    pub async fn answer<B>(&self, request: Request<B>, label: &str) -> Result<Response<Served>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<HttpError>,
    {
        let generation = self.current();
        let visit = Visit::begin(generation.clone());
        let Generation { guest, term, .. } = &*generation;
        let answered = tokio::select! {
            answered = self.shared.caller.answer(guest, term.clone(), request) => answered,
            () = term.clone().reaches(Stage::Ended) => Err(CallError::Replaced),
        };
        match answered {
            Ok(response) => Ok(response.map(|body| match body {
                Answered::Own(body) => {
                    Served::Own(Box::new(ServedBody::new(body, visit, self.clone(), label.to_owned())))
                }
                Answered::Shared(viewer) => Served::Shared(viewer),
            })),
            Err(error) => {
                self.note_failure(&visit, &error);
                Err(error)
            }
        }
    }

    /// Check a candidate and, if it passes, serve by it from then on. Waits for those offered before it.
    ///
    /// Where it does not pass, the current guest goes on; the log says so. Dropping the future before it is done
    /// leaves everything as it was.
    pub async fn offer(&self, candidate: Result<Candidate, LoadError>) -> Result<Swapped, SwapError> {
        let _turn = self.shared.turn.lock().await;
        let result = match candidate {
            Ok(candidate) => self.check_and_install(candidate).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result {
            let mut state = self.state();
            warn!("not replaced, generation {} goes on: {error}", state.current.term.number);
            state.refused = Some(Refusal { reason: error.to_string(), at: report::unix_time(SystemTime::now()) });
        }
        result
    }

    async fn check_and_install(&self, candidate: Candidate) -> Result<Swapped, SwapError> {
        let current = self.current();
        let number = current.term.number;
        if candidate.digest == current.guest.digest {
            info!("not replaced, generation {number} is of the same component");
            return Ok(Swapped::Unchanged(number));
        }
        drop(current);
        let guest = check::compile(self.shared.caller.clone(), candidate).await?;
        check::try_out(&self.shared.caller, &guest, number + 1).await?;
        Ok(Swapped::Replaced(self.replace(&mut self.state(), guest, true)))
    }

    /// Go back to the guest before the current one, at once: it is still compiled. Going back again then returns
    /// to where one was. Returns the number of the new generation.
    pub fn roll_back(&self) -> Result<u64, NothingBefore> {
        let mut state = self.state();
        let previous = state.previous.clone().ok_or(NothingBefore)?;
        info!(
            "going back from generation {} to the guest of generation {}",
            state.current.term.number, previous.number
        );
        Ok(self.replace(&mut state, previous.guest, false))
    }

    /// The generation that answers requests.
    pub(super) fn current(&self) -> Arc<Generation> {
        self.state().current.clone()
    }

    /// What calls guests.
    pub(super) fn caller(&self) -> &Caller {
        &self.shared.caller
    }

    /// Everything at this moment.
    pub fn report(&self) -> Report {
        let mut state = self.state();
        forget_gone(&mut state);
        let draining = state.replaced.iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        Report::new(&state.current, state.previous.as_ref(), &draining, state.refused.clone())
    }

    /// Let this guest begin to serve in place of the current one. Returns the number of its generation.
    fn replace(&self, state: &mut State, guest: Loaded, on_trial: bool) -> u64 {
        let number = state.current.term.number + 1;
        let generation = Generation::begin(number, guest, on_trial);
        log_beginning(&generation);
        let before = std::mem::replace(&mut state.current, generation);
        state.previous = Some(Previous { guest: before.guest.clone(), number: before.term.number });
        forget_gone(state);
        state.replaced.push(Arc::downgrade(&before));
        before.enter(Stage::Replaced);
        // Its responses alone keep it from here on: without any, there is nothing left to end.
        let ending = Arc::downgrade(&before);
        let drain = self.shared.drain;
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            if let Some(generation) = ending.upgrade() {
                let under_way = generation.under_way();
                info!("generation {}: its last {under_way} responses are ended", generation.term.number);
                generation.enter(Stage::Ended);
            }
        });
        number
    }

    /// The guest may have failed on a request. Where that is one too many of its first, the one before it
    /// serves again.
    pub(super) fn note_failure(&self, visit: &Visit, error: &CallError) {
        if !error.is_the_guests() || !visit.failed() {
            return;
        }
        let number = visit.generation().term.number;
        let mut state = self.state();
        // Somebody may have replaced it meanwhile.
        if state.current.term.number != number {
            return;
        }
        let verdict = format!("{} {}, at last: {error}", state.current.guest.origin, Trial::verdict());
        let Some(previous) = state.previous.clone() else {
            warn!("generation {number}: {verdict}. There is no guest before it to go back to");
            return;
        };
        warn!("generation {number}: {verdict}. Going back to the guest of generation {}", previous.number);
        self.replace(&mut state, previous.guest, false);
        // It is no guest to go back to.
        state.previous = None;
        state.refused = Some(Refusal { reason: verdict, at: report::unix_time(SystemTime::now()) });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_beginning(generation: &Generation) {
    let Generation { guest, term, .. } = generation;
    info!("generation {}: {}, sha256 {}", term.number, guest.origin, guest.digest);
}

fn forget_gone(state: &mut State) {
    state.replaced.retain(|generation| generation.strong_count() > 0);
}
