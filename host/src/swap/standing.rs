//! Which guest serves, which could, and which are on their way out: what is kept under the one lock.

use std::sync::{Arc, Weak};

use super::generation::Generation;
use super::report::Refusal;
use crate::guest::Loaded;

/// The generations at one moment.
pub(super) struct Standing {
    pub(super) current: Arc<Generation>,
    /// The guest before the current one, kept compiled to go back to.
    pub(super) previous: Option<Previous>,
    /// The last guest before the current one that did not fail: what is gone back to without being asked. It is not
    /// the previous one where that had begun to fail as well.
    pub(super) proven: Option<Previous>,
    /// Those that were replaced and may have responses under way.
    replaced: Vec<Weak<Generation>>,
    /// The last that was not let serve, or was taken back.
    pub(super) refused: Option<Refusal>,
}

/// A guest to go back to.
#[derive(Clone)]
pub(super) struct Previous {
    pub(super) guest: Loaded,
    /// The generation that it served as.
    pub(super) number: u64,
}

/// What is left to do when one generation has followed another, without the lock.
pub(super) struct Succession {
    pub(super) before: Arc<Generation>,
    pub(super) begun: Arc<Generation>,
    /// Dropping a guest gives its machine code back to the kernel, which takes a while.
    _dropped: (Option<Previous>, Option<Previous>),
}

impl Standing {
    pub(super) fn begin(current: Arc<Generation>) -> Self {
        Self { current, previous: None, proven: None, replaced: Vec::new(), refused: None }
    }

    /// Let this guest serve in place of the current one.
    pub(super) fn replace(&mut self, guest: Loaded, on_trial: bool) -> Succession {
        let begun = Generation::begin(self.current.term.number + 1, guest, on_trial);
        let before = std::mem::replace(&mut self.current, begun.clone());
        let previous = || Some(Previous { guest: before.guest.clone(), number: before.term.number });
        let unproven = if before.is_proven() { std::mem::replace(&mut self.proven, previous()) } else { None };
        let dropped = (std::mem::replace(&mut self.previous, previous()), unproven);
        self.replaced.retain(|generation| generation.strong_count() > 0);
        self.replaced.push(Arc::downgrade(&before));
        Succession { before, begun, _dropped: dropped }
    }

    /// Those that were replaced and have responses under way.
    pub(super) fn draining(&self) -> Vec<Arc<Generation>> {
        let generations = self.replaced.iter().filter_map(Weak::upgrade);
        generations.filter(|generation| generation.under_way() > 0).collect()
    }
}
