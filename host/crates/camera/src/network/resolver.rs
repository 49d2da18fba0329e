//! Resolves names for the HTTP client.
//!
//! The system's resolver blocks, sometimes for minutes, and cannot be interrupted. So it runs on a thread of its own,
//! and whoever asks for a name that is already being resolved waits for the same thread. A camera that is tried again
//! and again does not gather threads.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::MAX_REDIRECTS;

/// How many names a camera may be resolving: that of its address, and those of its redirects.
const MAX_PENDING: usize = MAX_REDIRECTS as usize + 1;

/// How long to wait for an answer. Less than the time to connect, so that the message says what is slow.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(4);

const THREAD_NAME: &str = "resolver";

/// The result of the system's resolver, which all who wait for it share.
type Answer = Result<Vec<SocketAddr>, Arc<io::Error>>;

type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Resolves the names of one camera. Clones share what they wait for.
#[derive(Clone)]
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    /// The answers that threads wait for, by name.
    pending: Arc<Mutex<HashMap<String, watch::Receiver<Option<Answer>>>>>,
}

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error("no answer from the name server within {} seconds", RESOLVE_TIMEOUT.as_secs())]
    NoAnswer,
    #[error("{MAX_PENDING} other names are waiting for an answer from the name server")]
    TooMany,
    #[error("{0}")]
    Failed(Arc<io::Error>),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

impl Resolver {
    /// Uses the system's resolver.
    pub(super) fn of_system() -> Self {
        // The client sets the port.
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    /// Uses this function, which may block.
    fn new(look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { look_up: Arc::new(look_up), pending: Arc::default() }
    }

    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let mut answer = self.ask(name)?;
        let answered = timeout(RESOLVE_TIMEOUT, answer.wait_for(Option::is_some)).await;
        match answered.map(|answer| answer.map(|answer| answer.clone())) {
            Ok(Ok(Some(answer))) => answer.map_err(ResolveError::Failed),
            _ => Err(ResolveError::NoAnswer),
        }
    }

    /// Returns the answer that is already awaited, or asks for one.
    fn ask(&self, name: &str) -> Result<watch::Receiver<Option<Answer>>, ResolveError> {
        let mut pending = self.pending();
        if let Some(answer) = pending.get(name) {
            return Ok(answer.clone());
        }
        if pending.len() >= MAX_PENDING {
            return Err(ResolveError::TooMany);
        }
        let (sender, answer) = watch::channel(None);
        let (resolver, owned_name) = (self.clone(), name.to_owned());
        let run = move || {
            let answer = (resolver.look_up)(&owned_name).map_err(Arc::new);
            resolver.pending().remove(&owned_name);
            sender.send_replace(Some(answer));
        };
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(run).map_err(ResolveError::Thread)?;
        pending.insert(name.to_owned(), answer.clone());
        Ok(answer)
    }

    /// Ignores poisoning: no critical section can leave the map inconsistent.
    fn pending(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Answer>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 0);

    /// A resolver that answers each question once something is sent, and the number of its threads so far.
    fn hanging() -> (Resolver, mpsc::Sender<()>, Arc<AtomicUsize>) {
        let threads = Arc::new(AtomicUsize::new(0));
        let (answer, answers) = mpsc::channel();
        let (answers, counter) = (Mutex::new(answers), threads.clone());
        let resolver = Resolver::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = answers.lock().unwrap().recv();
            Ok(vec![ADDRESS])
        });
        (resolver, answer, threads)
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_share_one_thread_while_the_name_server_does_not_answer() {
        let (resolver, _answer, threads) = hanging();
        for _ in 0..20 {
            let error = resolver.addresses("camera").await.unwrap_err();
            assert_eq!(error.to_string(), "no answer from the name server within 4 seconds");
        }
        assert!(threads.load(Ordering::Relaxed) <= 1);
    }

    #[tokio::test]
    async fn a_late_answer_is_that_to_every_attempt_which_waits_for_it() {
        let (resolver, answer, threads) = hanging();
        let waiting: Vec<_> = (0..20).map(|_| resolver.ask("camera").unwrap()).collect();
        answer.send(()).unwrap();
        for mut waiting in waiting {
            assert_eq!(
                waiting.wait_for(Option::is_some).await.unwrap().as_ref().unwrap().as_ref().unwrap(),
                &[ADDRESS]
            );
        }
        assert_eq!(threads.load(Ordering::Relaxed), 1);
        answer.send(()).unwrap();
        assert_eq!(resolver.addresses("camera").await.unwrap(), [ADDRESS]);
        assert_eq!(threads.load(Ordering::Relaxed), 2, "answers are not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_waits_for_a_limited_number_of_names() {
        let (resolver, _answer, threads) = hanging();
        let mut errors = Vec::new();
        for number in 0..20 {
            errors.push(resolver.addresses(&format!("camera{number}")).await.unwrap_err().to_string());
        }
        assert!(errors[MAX_PENDING - 1].starts_with("no answer"), "{errors:?}");
        assert!(errors[MAX_PENDING].contains("other names are waiting"), "{errors:?}");
        assert!(threads.load(Ordering::Relaxed) <= MAX_PENDING);
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_system() {
        let addresses = Resolver::of_system().addresses("localhost").await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()) && !addresses.is_empty(), "{addresses:?}");
        let failing = Resolver::new(|_| Err(io::Error::other("no such name")));
        assert_eq!(failing.addresses("nowhere").await.unwrap_err().to_string(), "no such name");
    }
}
