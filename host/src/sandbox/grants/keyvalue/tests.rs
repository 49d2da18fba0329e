use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotshoe_test_support::wait_until;
use redb::StorageBackend;
use tokio::sync::oneshot;

use super::database::Database;
use super::limits::{MAX_BYTES, MAX_KEY_BYTES, MAX_KEYS, MAX_VALUE_BYTES};
use super::*;

const NATURAL: (i128, i128) = (0, u64::MAX as i128);

fn bucket(name: &str) -> Bucket {
    Bucket::new(name).unwrap()
}

async fn set(state: &State, key: &str, value: &[u8]) -> Result<(), StateError> {
    state.set(bucket("b"), vec![(key.to_owned(), value.to_vec())]).await
}

async fn get(state: &State, key: &str) -> Result<Option<Vec<u8>>, StateError> {
    state.get(bucket("b"), key.to_owned()).await
}

/// A disk that can become full.
#[derive(Clone, Debug, Default)]
struct Disk {
    data: Arc<Mutex<Vec<u8>>>,
    is_full: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn state(&self) -> State {
        let disk = self.clone();
        State::new(Database::new(None, Box::new(move |builder| Ok(builder.create_with_backend(disk.clone())?))))
    }
}

impl Disk {
    /// A state whose database holds a lock while it is open, as one in a file does.
    fn locking_state(&self) -> State {
        let disk = self.clone();
        State::new(Database::new(
            None,
            Box::new(move |builder| {
                // One reference belongs to the test, one is here, and an open database has another.
                if Arc::strong_count(&disk.data) > 2 {
                    return Err(redb::Error::DatabaseAlreadyOpen);
                }
                Ok(builder.create_with_backend(disk.clone())?)
            }),
        ))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.data.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let data = self.data.lock().unwrap();
        out.copy_from_slice(&data[offset as usize..][..out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.len()? {
            self.check()?;
        }
        self.data.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.data.lock().unwrap()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[tokio::test]
async fn values_are_set_read_and_deleted_in_their_bucket_only() {
    let state = State::in_memory();
    set(&state, "key", b"value").await.unwrap();
    assert_eq!(get(&state, "key").await.unwrap().as_deref(), Some(&b"value"[..]));
    assert!(state.exists(bucket("b"), "key".into()).await.unwrap());
    assert!(!state.exists(bucket("other"), "key".into()).await.unwrap());
    set(&state, "key", b"").await.unwrap();
    assert_eq!(get(&state, "key").await.unwrap().as_deref(), Some(&b""[..]));
    state.delete(bucket("b"), vec!["key".into(), "missing".into()]).await.unwrap();
    assert_eq!(get(&state, "key").await.unwrap(), None);
}

#[tokio::test]
async fn keys_are_listed_in_pages_by_index_and_by_key() {
    let state = State::in_memory();
    let entries = |bucket: &str| (0..900).map(|n| (format!("{bucket}{n:04}"), Vec::new())).collect::<Vec<_>>();
    state.set(bucket("b"), entries("b")).await.unwrap();
    state.set(bucket("b"), entries("c")).await.unwrap();
    state.set(bucket("a"), entries("a")).await.unwrap();
    state.set(bucket("c"), entries("d")).await.unwrap();
    let expected: Vec<_> = ["b", "c"].into_iter().flat_map(entries).map(|(key, _)| key).collect();
    let page = state.list_keys(bucket("b"), PageStart::Index(0)).await.unwrap();
    assert_eq!((page.keys.as_slice(), page.has_more), (&expected[..1000], true));
    let last = page.keys.last().unwrap().clone();
    // A key that was deleted since is still a place to continue at.
    state.delete(bucket("b"), vec![last.clone()]).await.unwrap();
    let page = state.list_keys(bucket("b"), PageStart::After(last)).await.unwrap();
    assert_eq!((page.keys.as_slice(), page.has_more), (&expected[1000..], false));
    let page = state.list_keys(bucket("b"), PageStart::Index(999)).await.unwrap();
    assert_eq!((page.keys.as_slice(), page.has_more), (&expected[1000..], false));
    let page = state.list_keys(bucket("b"), PageStart::Index(u64::MAX)).await.unwrap();
    assert_eq!((page.keys.len(), page.has_more), (0, false));
}

#[tokio::test]
async fn a_full_store_refuses_to_grow_but_may_shrink() {
    let state = State::in_memory();
    let value = vec![1; MAX_VALUE_BYTES];
    for n in 0..MAX_BYTES / MAX_VALUE_BYTES as u64 - 1 {
        set(&state, &n.to_string(), &value).await.unwrap();
    }
    assert_eq!(set(&state, "last", &vec![1; MAX_VALUE_BYTES + 1]).await, Err(StateError::ValueTooLarge));
    assert_eq!(set(&state, "last", &value).await, Err(StateError::TooManyBytes));
    set(&state, "last", &value[..MAX_VALUE_BYTES / 2]).await.unwrap();
    assert_eq!(set(&state, "last", &value).await, Err(StateError::TooManyBytes));
    set(&state, "0", b"small").await.unwrap();
    set(&state, "last", &value).await.unwrap();
}

#[tokio::test]
async fn every_operation_refuses_keys_that_are_too_long() {
    let state = State::in_memory();
    let too_long = |error: Option<StateError>| assert_eq!(error, Some(StateError::KeyTooLong));
    let (key, b) = ("k".repeat(MAX_KEY_BYTES + 1), bucket("b"));
    too_long(get(&state, &key).await.err());
    too_long(state.exists(b.clone(), key.clone()).await.err());
    too_long(state.get_many(b.clone(), vec!["short".into(), key.clone()]).await.err());
    too_long(state.list_keys(b.clone(), PageStart::After(key.clone())).await.err());
    too_long(state.set(b.clone(), vec![("short".into(), vec![]), (key.clone(), vec![])]).await.err());
    too_long(state.delete(b.clone(), vec!["short".into(), key.clone()]).await.err());
    too_long(state.increment(b.clone(), key.clone(), 1, NATURAL).await.err());
    too_long(state.swap(b.clone(), key.clone(), None, vec![]).await.err());
    assert!(!state.exists(b.clone(), "short".into()).await.unwrap(), "a batch that is refused sets nothing");
    let longest = key[1..].to_owned();
    set(&state, &longest, b"value").await.unwrap();
    assert_eq!(get(&state, &longest).await.unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(state.list_keys(b, PageStart::After(longest)).await.unwrap().keys.len(), 0);
}

#[tokio::test]
async fn the_number_of_keys_is_limited() {
    let state = State::in_memory();
    for n in 0..MAX_KEYS / 1000 {
        let entries = (0..1000).map(|m| (format!("{n}-{m}"), Vec::new())).collect();
        state.set(bucket("b"), entries).await.unwrap();
    }
    assert_eq!(set(&state, "one more", b"").await, Err(StateError::TooManyKeys));
    set(&state, "0-0", b"replaced").await.unwrap();
    state.delete(bucket("b"), vec!["0-1".into()]).await.unwrap();
    set(&state, "one more", b"").await.unwrap();
    assert_eq!(state.set(bucket("b"), vec![Default::default(); 1001]).await, Err(StateError::BatchTooLarge));
}

#[tokio::test]
async fn concurrent_increments_lose_none() {
    let state = State::in_memory();
    let increments = (0..100).map(|_| {
        let state = state.clone();
        tokio::spawn(async move { state.increment(bucket("b"), "n".into(), 1, NATURAL).await.unwrap() })
    });
    let mut numbers = Vec::new();
    for increment in increments.collect::<Vec<_>>() {
        numbers.push(increment.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    assert_eq!(get(&state, "n").await.unwrap().as_deref(), Some(&b"100"[..]));
}

#[tokio::test]
async fn increment_refuses_what_is_no_number_and_what_exceeds_the_range() {
    let state = State::in_memory();
    let increment = |key: &str, delta| state.increment(bucket("b"), key.to_owned(), delta, NATURAL);
    set(&state, "text", b"12 cameras").await.unwrap();
    assert_eq!(increment("text", 1).await, Err(StateError::NotANumber));
    assert_eq!(increment("n", u64::MAX.into()).await, Ok(u64::MAX.into()));
    assert_eq!(increment("n", 1).await, Err(StateError::OutOfRange));
    assert_eq!(increment("m", -1).await, Err(StateError::OutOfRange));
}

#[tokio::test]
async fn swap_writes_only_over_the_expected_value() {
    let state = State::in_memory();
    let swap = |expected: Option<&[u8]>, value: &[u8]| {
        state.swap(bucket("b"), "key".to_owned(), expected.map(digest), value.to_vec())
    };
    assert_eq!(swap(None, b"one").await, Ok(Ok(())));
    assert_eq!(swap(None, b"two").await, Ok(Err(Some(digest(b"one")))));
    assert_eq!(swap(Some(b"one"), b"two").await, Ok(Ok(())));
    assert_eq!(get(&state, "key").await.unwrap().as_deref(), Some(&b"two"[..]));
}

#[tokio::test]
async fn batches_return_values_in_the_order_of_the_keys_up_to_a_size() {
    let state = State::in_memory();
    set(&state, "large", &vec![1; MAX_VALUE_BYTES]).await.unwrap();
    set(&state, "small", b"s").await.unwrap();
    let get_many = |keys: Vec<&str>| state.get_many(bucket("b"), keys.into_iter().map(str::to_owned).collect());
    let values = get_many(vec!["small", "missing", "small"]).await.unwrap();
    let expected = [("small", Some(b"s".to_vec())), ("missing", None), ("small", Some(b"s".to_vec()))];
    assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(get_many(vec!["large"; 7]).await.unwrap().len(), 7);
    assert_eq!(get_many(vec!["large"; 8]).await.unwrap_err(), StateError::BatchTooLarge);
}

#[tokio::test]
async fn a_full_disk_fails_writes_and_the_store_works_again_when_there_is_room() {
    let disk = Disk::default();
    let state = disk.state();
    set(&state, "key", b"before").await.unwrap();
    disk.is_full.store(true, Ordering::Relaxed);
    assert_eq!(set(&state, "key", b"lost").await, Err(StateError::Unavailable));
    assert_eq!(set(&state, "key", b"lost").await, Err(StateError::Unavailable));
    disk.is_full.store(false, Ordering::Relaxed);
    assert_eq!(get(&state, "key").await.unwrap().as_deref(), Some(&b"before"[..]));
    set(&state, "key", b"after").await.unwrap();
    assert_eq!(get(&state, "key").await.unwrap().as_deref(), Some(&b"after"[..]));
}

#[tokio::test]
async fn a_store_that_failed_is_opened_again_when_its_last_reader_has_finished() {
    let disk = Disk::default();
    let state = disk.locking_state();
    set(&state, "key", b"value").await.unwrap();
    let (finish, finished) = oneshot::channel::<()>();
    let (start, started) = oneshot::channel();
    let database = state.database.clone();
    let reader = tokio::task::spawn_blocking(move || {
        database.attempt(|_| {
            start.send(()).unwrap();
            finished.blocking_recv().unwrap();
            Ok(())
        })
    });
    started.await.unwrap();
    disk.is_full.store(true, Ordering::Relaxed);
    assert_eq!(set(&state, "key", b"lost").await, Err(StateError::Unavailable));
    disk.is_full.store(false, Ordering::Relaxed);
    let mut next = tokio::spawn(async move { get(&state, "key").await });
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut next).await;
    assert!(waited.is_err(), "the database was opened although it is in use: {waited:?}");
    finish.send(()).unwrap();
    assert_eq!(next.await.unwrap().unwrap().as_deref(), Some(&b"value"[..]));
    reader.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_limits_count_what_the_file_contained_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let value = vec![1; MAX_VALUE_BYTES];
    {
        let state = State::open(path.clone()).unwrap();
        for n in 0..MAX_BYTES / MAX_VALUE_BYTES as u64 - 1 {
            set(&state, &n.to_string(), &value).await.unwrap();
        }
    }
    let mut reopened = None;
    // The last commit holds the database a moment longer than its guest waits.
    wait_until("the store is closed", || {
        reopened = State::open(path.clone()).ok();
        reopened.is_some()
    });
    let state = reopened.unwrap();
    assert_eq!(get(&state, "0").await.unwrap(), Some(value.clone()));
    set(&state, "half", &value[..MAX_VALUE_BYTES / 2]).await.unwrap();
    assert_eq!(set(&state, "more", &value).await, Err(StateError::TooManyBytes));
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 4 * MAX_BYTES, "the file has {size} bytes");
}

#[test]
fn files_that_are_no_stores_are_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let error = |path: &std::path::Path| State::open(path.to_owned()).err().unwrap().to_string();
    let path = folder.path().join("store");
    let state = State::open(path.clone()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(error(&path).contains("is in use by another server"), "{}", error(&path));
    drop(state);
    State::open(path.clone()).unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "some notes of the operator, longer than a header\n".repeat(20)).unwrap();
    assert!(error(&text).contains("is not a store of Hotshoe"), "{}", error(&text));
    assert_eq!(error(std::path::Path::new("/dev/null")), "/dev/null is not a store of Hotshoe; name a new file");
    assert!(error(folder.path()).contains("Is a directory"), "{}", error(folder.path()));
    assert!(error(&folder.path().join("a/b")).contains("No such file"), "{}", error(&folder.path().join("a/b")));
}

#[tokio::test]
async fn damaged_files_are_refused_or_read_and_never_end_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    {
        let state = State::open(path.clone()).unwrap();
        for n in 0..200 {
            set(&state, &format!("key {n}"), format!("value {n} ").repeat(50).as_bytes()).await.unwrap();
        }
    }
    wait_until("the store is closed", || State::open(path.clone()).is_ok());
    let intact = std::fs::read(&path).unwrap();
    let mut refused = 0;
    let mut damages: Vec<Vec<u8>> = [0, 100, 511, 4096, intact.len() / 2].map(|len| intact[..len].to_vec()).into();
    // A run of bytes in each of 40 places.
    damages.extend((0..40).map(|n| {
        let mut damaged = intact.clone();
        let at = n * intact.len() / 40;
        damaged[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
        damaged
    }));
    for damaged in damages {
        std::fs::write(&path, &damaged).unwrap();
        match State::open(path.clone()) {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("store"), "{error}");
            }
            // The damage is where no entry is.
            Ok(state) => drop(get(&state, "key 7").await),
        }
    }
    assert!(refused >= 5, "only {refused} refused");
}
