//! Guests that are uploaded, answer requests, fail and are rolled back to, in every order.

use super::*;
use crate::swap::generation::InFlightRequest;
use crate::swap::rollback_targets::Health;

/// How a guest answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behaviour {
    /// It succeeds on every request.
    Good,
    /// It fails on every request.
    Broken,
    /// It fails on every second request.
    Flaky,
    /// It answers every request with 500, which neither proves the guest nor counts as a failure.
    Unhelpful,
}
use Behaviour::{Broken, Flaky, Good, Unhelpful};

/// A server whose guests are numbers. The digest of a guest is its number.
struct Server {
    deployment: DeploymentState<usize>,
    behaviours: Vec<Behaviour>,
    requests: usize,
    /// The last guest that was healthy when it was replaced and has not failed since. The invariant is about this
    /// guest.
    established: Option<usize>,
    initial_is_established: bool,
    initial_has_failed: bool,
}

fn digest(guest: usize) -> Arc<str> {
    guest.to_string().into()
}

impl Server {
    fn start(initial: Behaviour) -> Self {
        let deployment = DeploymentState::new(Generation::start(1, 0, digest(0), false));
        Self {
            deployment,
            behaviours: vec![initial],
            requests: 0,
            established: None,
            initial_is_established: false,
            initial_has_failed: false,
        }
    }

    fn serving(&self) -> usize {
        self.deployment.current.guest
    }

    fn previous(&self) -> Option<usize> {
        self.deployment.targets.previous().map(|previous| previous.guest)
    }

    fn establish(&mut self) {
        if self.deployment.current.health() == Health::Healthy {
            self.established = Some(self.serving());
            self.initial_is_established |= self.serving() == 0;
        }
    }

    /// Uploads a new guest.
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
        if self.deployment.targets.previous().is_some() {
            self.establish();
            assert!(self.deployment.roll_back().is_some());
        }
    }

    fn start_request(&self) -> InFlightRequest<usize> {
        InFlightRequest::start(self.deployment.current.clone())
    }

    fn end_request(&mut self, request: &InFlightRequest<usize>) {
        self.requests += 1;
        let guest = request.generation().guest;
        let fails = match self.behaviours[guest] {
            Good => false,
            Broken => true,
            Flaky => self.requests.is_multiple_of(2),
            Unhelpful => return,
        };
        if !fails {
            return request.record_success();
        }
        if request.record_failure() {
            let number = request.generation().lifecycle.number;
            let counts = number == self.deployment.current.lifecycle.number || guest != self.serving();
            self.deployment.fail_over(number, &digest(guest));
            if counts {
                self.initial_has_failed |= guest == 0;
                let initial = (self.initial_is_established && !self.initial_has_failed).then_some(0);
                self.established = self.established.filter(|established| *established != guest).or(initial);
            }
        }
    }

    fn request(&mut self, times: usize) {
        for _ in 0..times {
            let request = self.start_request();
            self.end_request(&request);
        }
    }

    /// Whether a guest that has answered successfully serves or is one rollback away.
    fn known_good_is_reachable(&self) -> bool {
        self.deployment.current.health() > Health::Unproven
            || self.deployment.targets.previous().is_some_and(RollbackTarget::has_answered)
    }
}

#[test]
fn a_failover_skips_a_guest_that_received_no_requests() {
    let mut server = Server::start(Good);
    server.request(1);
    server.upload(Broken);
    server.upload(Broken);
    assert_eq!(server.previous(), Some(0), "the guest without requests is unproven");
    server.request(5);
    assert_eq!(server.serving(), 0);
    server.request(20);
    assert_eq!(server.serving(), 0);
}

#[test]
fn the_last_guest_that_answered_is_kept_however_many_are_uploaded() {
    let mut server = Server::start(Broken);
    server.upload(Good);
    server.request(1);
    for behaviour in [Unhelpful, Broken, Unhelpful, Broken, Broken] {
        server.upload(behaviour);
        server.request(3);
        assert_eq!(server.previous(), Some(1));
    }
    server.roll_back();
    assert_eq!((server.serving(), server.previous()), (1, Some(6)), "a second rollback undoes the first");
}

#[test]
fn a_restored_guest_is_on_probation_and_automatic_rollbacks_terminate() {
    let mut server = Server::start(Good);
    server.request(20);
    server.upload(Good);
    server.request(20);
    server.upload(Broken);
    // The environment changes, so a guest that used to work fails.
    server.behaviours[1] = Broken;
    server.request(5);
    assert_eq!(server.serving(), 1);
    server.request(5);
    assert_eq!(server.serving(), 0, "the guest that the server was started with");
    server.behaviours[0] = Broken;
    server.request(50);
    let generation = server.deployment.current.lifecycle.number;
    assert_eq!((server.serving(), generation), (0, 5), "there is no other guest, and none serves twice");
    assert_eq!(server.previous(), None);
}

#[test]
fn without_a_proven_guest_one_that_has_not_failed_serves() {
    let mut server = Server::start(Broken);
    server.request(5);
    assert_eq!(server.serving(), 0);
    server.upload(Unhelpful);
    server.upload(Broken);
    server.request(5);
    assert_eq!(server.serving(), 1);
}

#[test]
fn a_guest_that_fails_while_it_drains_is_no_rollback_target() {
    let mut server = Server::start(Good);
    server.request(1);
    server.upload(Good);
    server.request(1);
    let draining: Vec<_> = (0..5).map(|_| server.start_request()).collect();
    server.upload(Unhelpful);
    assert_eq!(server.previous(), Some(1));
    server.behaviours[1] = Broken;
    for request in &draining {
        server.end_request(request);
    }
    assert_eq!(server.previous(), Some(0));
}

/// Reproducible pseudo-random numbers (xorshift).
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
        let mut open_requests = Vec::new();
        let mut history = Vec::new();
        for _ in 0..60 {
            let action = random.below(8);
            match action {
                0 | 1 => server.upload(BEHAVIOURS[random.below(4)]),
                2 => server.upload_again(random.below(server.behaviours.len())),
                3 => server.roll_back(),
                4 => open_requests.push(server.start_request()),
                5 if !open_requests.is_empty() => {
                    let request = open_requests.swap_remove(random.below(open_requests.len()));
                    server.end_request(&request);
                }
                _ => server.request(random.below(7)),
            }
            history.push((action, server.serving()));
            if server.established.is_some() {
                established += 1;
                assert!(
                    server.known_good_is_reachable(),
                    "seed {seed}, guests {:?}, actions and serving guests: {history:?}",
                    server.behaviours
                );
            }
        }
        let behaviour = |guest: usize| server.behaviours[guest];
        if server.established.is_some_and(|guest| behaviour(guest) == Good) {
            // At most two rollbacks, each after at most ten requests.
            server.request(30);
            assert_ne!(server.behaviours[server.serving()], Broken, "seed {seed}: {history:?}");
        }
    }
    assert!(established > 10_000, "the invariant was checked only {established} times");
}
