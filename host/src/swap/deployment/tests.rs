//! What becomes of guests in every order in which they can be uploaded, asked, fail, and be gone back to.

use super::*;
use crate::swap::fallbacks::Health;
use crate::swap::generation::InFlightRequest;

/// How a guest answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behaviour {
    /// Every request successfully.
    Good,
    /// None: each fails.
    Broken,
    /// Every second request.
    Flaky,
    /// All with 500, which neither proves it nor counts as a failure.
    Unhelpful,
}
use Behaviour::{Broken, Flaky, Good, Unhelpful};

/// A server: its guests are numbers, and a guest's digest is its number.
struct Server {
    deployment: Deployment<usize>,
    behaviours: Vec<Behaviour>,
    asked: usize,
    /// The last guest that was healthy when it was replaced, and has not failed since. The invariant is about this one.
    established: Option<usize>,
    initial_is_established: bool,
    initial_has_failed: bool,
}

fn digest(guest: usize) -> Arc<str> {
    guest.to_string().into()
}

impl Server {
    fn start(initial: Behaviour) -> Self {
        let deployment = Deployment::begin(Generation::begin(1, 0, digest(0), false));
        Self {
            deployment,
            behaviours: vec![initial],
            asked: 0,
            established: None,
            initial_is_established: false,
            initial_has_failed: false,
        }
    }

    fn serving(&self) -> usize {
        self.deployment.current.guest
    }

    fn previous(&self) -> Option<usize> {
        self.deployment.fallbacks.previous().map(|previous| previous.guest)
    }

    fn establish(&mut self) {
        if self.deployment.current.health() == Health::Healthy {
            self.established = Some(self.serving());
            self.initial_is_established |= self.serving() == 0;
        }
    }

    /// Upload a guest that was never seen before.
    fn upload(&mut self, behaviour: Behaviour) {
        self.behaviours.push(behaviour);
        self.upload_again(self.behaviours.len() - 1);
    }

    fn upload_again(&mut self, guest: usize) {
        if guest != self.serving() {
            self.establish();
            self.deployment.replace(guest, digest(guest));
        }
    }

    fn roll_back(&mut self) {
        if self.deployment.fallbacks.previous().is_some() {
            self.establish();
            assert!(self.deployment.roll_back().is_some());
        }
    }

    fn begin(&self) -> InFlightRequest<usize> {
        InFlightRequest::begin(self.deployment.current.clone())
    }

    fn end(&mut self, visit: &InFlightRequest<usize>) {
        self.asked += 1;
        let guest = visit.generation().guest;
        let fails = match self.behaviours[guest] {
            Good => false,
            Broken => true,
            Flaky => self.asked.is_multiple_of(2),
            Unhelpful => return,
        };
        if !fails {
            return visit.succeeded();
        }
        if visit.failed() {
            let number = visit.generation().lifecycle.number;
            let counts = number == self.deployment.current.lifecycle.number || guest != self.serving();
            self.deployment.fail_over(number, &digest(guest));
            if counts {
                self.initial_has_failed |= guest == 0;
                let initial = (self.initial_is_established && !self.initial_has_failed).then_some(0);
                self.established = self.established.filter(|established| *established != guest).or(initial);
            }
        }
    }

    fn ask(&mut self, times: usize) {
        for _ in 0..times {
            let visit = self.begin();
            self.end(&visit);
        }
    }

    /// Whether a guest that has answered serves, or is one rollback away.
    fn known_good_is_reachable(&self) -> bool {
        self.deployment.current.health() > Health::Untested
            || self.deployment.fallbacks.previous().is_some_and(Retired::has_answered)
    }
}

#[test]
fn a_broken_guest_after_an_idle_one_goes_back_to_the_one_that_has_answered() {
    let mut server = Server::start(Good);
    server.ask(1);
    server.upload(Broken);
    server.upload(Broken);
    assert_eq!(server.previous(), Some(0), "the idle one has proved nothing");
    server.ask(5);
    assert_eq!(server.serving(), 0);
    server.ask(20);
    assert_eq!(server.serving(), 0);
}

#[test]
fn however_many_guests_are_uploaded_the_last_that_has_answered_is_kept() {
    let mut server = Server::start(Broken);
    server.upload(Good);
    server.ask(1);
    for behaviour in [Unhelpful, Broken, Unhelpful, Broken, Broken] {
        server.upload(behaviour);
        server.ask(3);
        assert_eq!(server.previous(), Some(1));
    }
    server.roll_back();
    assert_eq!((server.serving(), server.previous()), (1, Some(6)), "a second rollback returns to where one was");
}

#[test]
fn a_guest_that_was_gone_back_to_is_on_probation_and_automatic_rollbacks_end() {
    let mut server = Server::start(Good);
    server.ask(20);
    server.upload(Good);
    server.ask(20);
    server.upload(Broken);
    // The world changes: what used to work does not.
    server.behaviours[1] = Broken;
    server.ask(5);
    assert_eq!(server.serving(), 1);
    server.ask(5);
    assert_eq!(server.serving(), 0, "the guest that the server was started with");
    server.behaviours[0] = Broken;
    server.ask(50);
    let generation = server.deployment.current.lifecycle.number;
    assert_eq!((server.serving(), generation), (0, 5), "there is no other, and none is tried twice");
    assert_eq!(server.previous(), None);
}

#[test]
fn without_a_guest_that_has_answered_one_that_has_not_failed_serves() {
    let mut server = Server::start(Broken);
    server.ask(5);
    assert_eq!(server.serving(), 0);
    server.upload(Unhelpful);
    server.upload(Broken);
    server.ask(5);
    assert_eq!(server.serving(), 1);
}

#[test]
fn a_guest_that_fails_while_it_drains_is_no_guest_to_go_back_to() {
    let mut server = Server::start(Good);
    server.ask(1);
    server.upload(Good);
    server.ask(1);
    let late: Vec<_> = (0..5).map(|_| server.begin()).collect();
    server.upload(Unhelpful);
    assert_eq!(server.previous(), Some(1));
    server.behaviours[1] = Broken;
    for visit in &late {
        server.end(visit);
    }
    assert_eq!(server.previous(), Some(0));
}

/// Numbers that look random, and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn in_any_sequence_a_known_good_guest_serves_or_is_one_rollback_away() {
    const BEHAVIOURS: [Behaviour; 4] = [Good, Broken, Flaky, Unhelpful];
    let mut established = 0;
    for seed in 1..=2000 {
        let mut random = Random(seed);
        let mut server = Server::start(BEHAVIOURS[random.below(4)]);
        let mut late = Vec::new();
        let mut story = Vec::new();
        for _ in 0..60 {
            let action = random.below(8);
            match action {
                0 | 1 => server.upload(BEHAVIOURS[random.below(4)]),
                2 => server.upload_again(random.below(server.behaviours.len())),
                3 => server.roll_back(),
                4 => late.push(server.begin()),
                5 if !late.is_empty() => {
                    let visit = late.swap_remove(random.below(late.len()));
                    server.end(&visit);
                }
                _ => server.ask(random.below(7)),
            }
            story.push((action, server.serving()));
            if server.established.is_some() {
                established += 1;
                assert!(
                    server.known_good_is_reachable(),
                    "seed {seed}, guests {:?}, actions and who served: {story:?}",
                    server.behaviours
                );
            }
        }
        let behaviour = |guest: usize| server.behaviours[guest];
        if server.established.is_some_and(|guest| behaviour(guest) == Good) {
            // Two rollbacks at most, each after ten requests at most.
            server.ask(30);
            assert_ne!(server.behaviours[server.serving()], Broken, "seed {seed}: {story:?}");
        }
    }
    assert!(established > 10_000, "the sequences test something: {established}");
}
