//! Checks passwords: one at a time, away from the threads that serve, and each of them only once in a while.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::denied::Denied;
use super::leaky_bucket::Rate;
use super::password::PasswordHash;
use super::recent::{Digest, Recent};
use super::throttle::Throttle;
use super::users::Users;

/// How long a right password is remembered. A client that requests twenty snapshots per second causes one hash in this
/// time.
const VERIFIED_FOR: Duration = Duration::from_secs(300);

/// How long a wrong password is remembered. A program with an old password asks again and again; that costs no hash, and
/// counts as one guess.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// How often the login of a user from an address is logged. A client that requests twenty snapshots per second has one
/// line in this time.
const LOGGED_EVERY: Duration = Duration::from_secs(3600);

/// How many passwords are remembered of each kind, in 64 bytes each, and how many logins that were logged.
const REMEMBERED: usize = 1024;

/// How many wrong passwords a client network may send. A person who mistypes does not notice; a program can try 8,640
/// per day, while even a weak password is one of millions.
const GUESSES: Rate = Rate { burst: 10, recovery: Duration::from_secs(10) };

/// How many logins may wait for their turn. Each takes less than half a second, so that a client would not wait for
/// more.
const MAX_WAITING: usize = 64;

/// Checks passwords.
pub(super) struct Logins {
    /// Random, so that the digests reveal nothing about the passwords to anyone without it.
    key: hmac::Key,
    verified: Recent,
    refused: Recent,
    logged: Recent,
    throttle: Throttle,
    /// One hash at a time: it takes all the time of a processor and [some memory](PasswordHash). Requests that arrive
    /// with the same password meanwhile find its result.
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Logins {
    /// Fails if the system has no random numbers.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?,
            verified: Recent::new(REMEMBERED, VERIFIED_FOR),
            refused: Recent::new(REMEMBERED, REFUSED_FOR),
            logged: Recent::new(REMEMBERED, LOGGED_EVERY),
            throttle: Throttle::new(GUESSES),
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
        })
    }

    /// Forgets all passwords. Call it when the users change.
    pub(super) fn forget(&self) {
        self.verified.clear();
        self.refused.clear();
    }

    /// Checks the password of a user, for a client of this network. It takes the same time whether the user exists or
    /// not. A password that was right recently is accepted even from a network that is throttled.
    pub(super) async fn check(
        self: &Arc<Self>,
        users: &Users,
        name: &str,
        password: Vec<u8>,
        network: Option<IpAddr>,
    ) -> Result<(), Denied> {
        let hash = users.get(name).map(|user| &user.password);
        let digest = self.digest(name, hash, &password);
        if let Some(result) = self.remembered(&digest) {
            return result;
        }
        // Without any user, there is nothing to guess.
        let Some(checked) = hash.or(users.most_expensive_hash()).cloned() else { return Err(Denied::WrongPassword) };
        let is_known = hash.is_some();
        self.check_throttle(network)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| Denied::Busy)?;
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| Denied::Busy)?;
        // Another request may have had the same password, or the client another wrong one.
        if let Some(result) = self.remembered(&digest) {
            return result;
        }
        self.check_throttle(network)?;
        let this = self.clone();
        // It continues if the client leaves: otherwise a client could guess without being counted, and start more than
        // one hash.
        let checking = spawn_blocking(move || {
            let _held = (place, turn);
            if checked.verify(&password) && is_known {
                this.verified.insert(digest);
                return Ok(());
            }
            this.refused.insert(digest);
            this.throttle.record_failure(network);
            Err(Denied::WrongPassword)
        });
        // Fails only if the server shuts down.
        checking.await.unwrap_or(Err(Denied::Busy))
    }

    /// Whether the login of `who` from this address is to be logged, because it was not for a while.
    pub(super) fn is_to_be_logged(&self, who: &str, address: &str) -> bool {
        let digest = self.digest_of(&[who.as_bytes(), address.as_bytes()]);
        let is_new = !self.logged.contains(&digest);
        if is_new {
            self.logged.insert(digest);
        }
        is_new
    }

    fn check_throttle(&self, network: Option<IpAddr>) -> Result<(), Denied> {
        self.throttle.wait(network).map_or(Ok(()), |wait| Err(Denied::Throttled(wait)))
    }

    fn remembered(&self, digest: &Digest) -> Option<Result<(), Denied>> {
        if self.verified.contains(digest) {
            return Some(Ok(()));
        }
        self.refused.contains(digest).then_some(Err(Denied::WrongPassword))
    }

    /// The digest of credentials. It includes the hash of the user's password, so that a new password makes the old one
    /// unknown even if it is being checked at that moment.
    fn digest(&self, name: &str, hash: Option<&PasswordHash>, password: &[u8]) -> Digest {
        let hash = hash.map(PasswordHash::to_string).unwrap_or_default();
        self.digest_of(&[name.as_bytes(), hash.as_bytes(), password])
    }

    fn digest_of(&self, fields: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for field in fields {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field);
        }
        let mut digest = [0; size_of::<Digest>()];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::{Role, User};

    fn users(password: &str) -> Users {
        let mut users = Users::default();
        users
            .insert("ann", User { role: Role::View, password: PasswordHash::new(password.as_bytes()).unwrap() })
            .unwrap();
        users
    }

    fn network(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[tokio::test]
    async fn right_passwords_pass_and_others_do_not() {
        let (logins, users) = (Arc::new(Logins::new().unwrap()), users("secret"));
        for (name, password, result) in [
            ("ann", "secret", Ok(())),
            ("ann", "secret", Ok(())),
            ("ann", "Secret", Err(Denied::WrongPassword)),
            ("Ann", "secret", Err(Denied::WrongPassword)),
            ("bob", "secret", Err(Denied::WrongPassword)),
        ] {
            assert_eq!(logins.check(&users, name, password.into(), network(1)).await, result, "{name} {password}");
        }
        let none = logins.check(&Users::default(), "ann", "secret".into(), network(1)).await;
        assert_eq!(none, Err(Denied::WrongPassword));
    }

    #[tokio::test]
    async fn guessing_is_throttled_and_does_not_affect_others() {
        let (logins, users) = (Arc::new(Logins::new().unwrap()), users("secret"));
        assert_eq!(logins.check(&users, "ann", "secret".into(), network(1)).await, Ok(()));
        for guess in 0..GUESSES.burst {
            let name = if guess % 2 == 0 { "ann" } else { "unknown" };
            let result = logins.check(&users, name, guess.to_string().into(), network(1)).await;
            assert_eq!(result, Err(Denied::WrongPassword));
        }
        let result = logins.check(&users, "ann", "another".into(), network(1)).await;
        assert!(matches!(result, Err(Denied::Throttled(_))), "{result:?}");
        assert_eq!(
            logins.check(&users, "ann", "0".into(), network(1)).await,
            Err(Denied::WrongPassword),
            "no new guess"
        );
        assert_eq!(logins.check(&users, "ann", "secret".into(), network(1)).await, Ok(()), "it is remembered");
        logins.forget();
        assert_eq!(logins.check(&users, "ann", "secret".into(), network(2)).await, Ok(()));
    }

    #[tokio::test]
    async fn requests_at_once_with_one_password_are_one_hash_and_one_guess() {
        let (logins, users) = (Arc::new(Logins::new().unwrap()), Arc::new(users("secret")));
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..40 {
            let (logins, users) = (logins.clone(), users.clone());
            let password = if number % 2 == 0 { "secret" } else { "wrong" };
            requests.spawn(async move { (password, logins.check(&users, "ann", password.into(), network(1)).await) });
        }
        while let Some(result) = requests.join_next().await {
            let (password, result) = result.unwrap();
            assert_eq!(result.is_ok(), password == "secret", "{password}: {result:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_counted() {
        let (logins, users) = (Arc::new(Logins::new().unwrap()), users("secret"));
        for guess in 0..GUESSES.burst {
            // Polled once: enough to start the check.
            let mut checking = Box::pin(logins.check(&users, "ann", guess.to_string().into(), network(1)));
            assert_eq!(futures_util::future::poll_immediate(&mut checking).await, None);
            drop(checking);
            // Waits for the turn, and thereby for the check before.
            drop(logins.turn.acquire().await.unwrap());
        }
        assert!(logins.throttle.wait(network(1)).is_some());
    }

    #[tokio::test]
    async fn a_new_password_makes_the_old_one_wrong_at_once() {
        let logins = Arc::new(Logins::new().unwrap());
        assert_eq!(logins.check(&users("old"), "ann", "old".into(), network(1)).await, Ok(()));
        let users = users("new");
        assert_eq!(logins.check(&users, "ann", "old".into(), network(1)).await, Err(Denied::WrongPassword));
        assert_eq!(logins.check(&users, "ann", "new".into(), network(1)).await, Ok(()));
    }
}
