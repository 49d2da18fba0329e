//! Any bytes through all that a camera's JPEG images go through.
#![no_main]

use std::cell::RefCell;

use hotshoe_camera::jpeg::{
    MIN_LENGTH, Options, ScanChecker, check_image, check_scan, copy_complete, find_image, validate,
};
use libfuzzer_sys::fuzz_target;

thread_local! {
    /// Kept from one image to the next, as for a camera.
    static CHECKER: RefCell<ScanChecker> = RefCell::default();
}

fuzz_target!(|bytes: &[u8]| {
    let strict = validate(bytes, Options::default());
    for options in [Options::default(), Options { allow_truncated: true }] {
        assert_eq!(check_image(bytes, options), find_image(bytes, options).map(drop));
        match find_image(bytes, options) {
            Ok((image, whole)) => {
                assert!(bytes.ends_with(image));
                assert_eq!(validate(image, options), Ok(whole));
            }
            Err(_) => assert!(validate(bytes, options).is_err(), "an image at the start is found"),
        }
    }
    let Ok(whole) = validate(bytes, Options { allow_truncated: true }) else {
        assert!(strict.is_err());
        return;
    };
    assert!(whole.length <= bytes.len() && whole.length >= whole.headers.data_offset);
    assert!(bytes.len() + 2 >= MIN_LENGTH);
    assert!(whole.dimensions.width > 0 && whole.dimensions.height > 0);
    // The option only adds to what is taken.
    assert_eq!(whole.lacks_end, strict.is_err());
    assert!(strict.is_err() || strict == Ok(whole));

    let verdict = CHECKER.with_borrow_mut(|checker| checker.check(bytes, &whole));
    assert_eq!(verdict, check_scan(bytes, &whole), "tables that were kept");

    let copy = copy_complete(bytes, &whole);
    let again = validate(&copy, Options::default()).expect("a copy is whole");
    assert!(again.is_complete());
    assert_eq!(again.length, copy.len());
    assert_eq!(again.dimensions, whole.dimensions);
    assert_eq!(copy_complete(&copy, &again), copy);
    if whole.is_complete() {
        assert_eq!(copy, bytes[..whole.length]);
    }
    if !whole.lacks_end {
        assert_eq!(check_scan(&copy, &again), verdict, "tables that were put in");
    }
});
