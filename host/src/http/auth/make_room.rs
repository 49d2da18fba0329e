//! Bounds maps whose entries lose their meaning at some time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Makes room for another entry in a map of at most `capacity`: removes all that have expired or, if there are none, the
/// one that expires next.
pub(super) fn make_room<K: Copy + Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    capacity: usize,
    now: Instant,
    expiry: impl Fn(&V) -> Instant,
) {
    if map.len() < capacity {
        return;
    }
    map.retain(|_, value| expiry(value) > now);
    let next = map.iter().min_by_key(|(_, value)| expiry(value)).map(|(key, _)| *key);
    if map.len() >= capacity
        && let Some(next) = next
    {
        map.remove(&next);
    }
}
