//! The functions in which a guest trapped, for the log.

use wasmtime::{FrameInfo, WasmBacktrace};

use crate::sandbox::limited_text::limited;

/// The most functions that are named. The innermost ones tell where the problem is; the debug log has all.
const MAX_FUNCTIONS: usize = 5;

/// The most functions that are looked at. Decoding names takes time, which a guest must not be able to choose.
const MAX_FRAMES: usize = 30;

/// The longest name, in characters. Names come from the guest and may have any length.
const MAX_NAME: usize = 100;

/// Functions that every panic in Rust and every failed assertion in C passes through.
const PANIC_FUNCTIONS: [&str; 5] = ["abort", "rust_panic", "rust_begin_unwind", "__rust_start_panic", "__assert_fail"];

/// The crates of such functions.
const PANIC_CRATES: [&str; 4] = ["core::", "std::", "<std::", "__rustc::"];

/// Returns the names of the innermost functions that were running, such as `porch::develop, porch::handle`. Returns
/// `None` if the error is not a trap, or if the component contains no names.
pub(super) fn trapped_functions(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>()?;
    join(backtrace.frames().iter().filter_map(FrameInfo::func_name))
}

/// Joins readable forms of these names, without the machinery of panics.
fn join<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let is_telling = |name: &String| {
        !PANIC_FUNCTIONS.contains(&name.as_str()) && !PANIC_CRATES.iter().any(|prefix| name.starts_with(prefix))
    };
    let names: Vec<_> = names.take(MAX_FRAMES).map(readable).filter(is_telling).take(MAX_FUNCTIONS).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Decodes the name of a Rust function, and returns others as they are. The result is printable and short, even if the
/// name expands to a megabyte.
fn readable(name: &str) -> String {
    // `#` omits the hash.
    limited(format_args!("{:#}", rustc_demangle::demangle(name)), MAX_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_without_the_machinery_of_panics() {
        let names = [
            "abort",
            "_RNvNtCshXfaRvt2tfW_3std7process5abort",
            "_RNvCsfLfy6EI15iL_7___rustc10rust_panic",
            "_RNvNtCs9pv848UzQwQ_4core9panicking9panic_fmt",
            "_ZN10rust_porch7develop17hcd7583c19ee4a1dbE",
            "wasi:http/incoming-handler@0.2.12#handle",
        ];
        assert_eq!(
            join(names.into_iter()).as_deref(),
            Some("rust_porch::develop, wasi:http/incoming-handler@0.2.12#handle")
        );
    }

    #[test]
    fn names_of_any_kind_make_one_short_line() {
        let long = "\u{1b}[31m\n".repeat(1000);
        let line = join(std::iter::repeat_n(long.as_str(), 1000)).unwrap();
        assert!(line.chars().count() <= MAX_FUNCTIONS * (MAX_NAME + "…, ".chars().count()), "{line}");
        assert!(!line.chars().any(char::is_control), "{line}");
        assert_eq!(join(std::iter::empty()), None);
    }
}
