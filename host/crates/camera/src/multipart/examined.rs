//! Counts the bytes that the parser examines. Only in tests, which check that hostile streams do not make it examine the
//! same bytes again and again.

#[cfg(test)]
thread_local! {
    static EXAMINED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that a function examines up to this many bytes.
#[cfg_attr(not(test), expect(clippy::missing_const_for_fn, reason = "it does something in tests"))]
pub(super) fn note_examined(_bytes: usize) {
    #[cfg(test)]
    EXAMINED.set(EXAMINED.get() + _bytes);
}

/// Returns how many bytes this thread has examined since the last call.
#[cfg(test)]
pub(super) fn take_examined() -> usize {
    EXAMINED.take()
}
