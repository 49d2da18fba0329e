//! The validation of JPEG images, with any bytes.
#![no_main]

use std::cell::RefCell;

use hotshoe_camera::jpeg::{MIN_LENGTH, Options, ScanChecker, check_scan, copy_complete, find_image, validate};
use libfuzzer_sys::fuzz_target;

thread_local! {
    /// Reused for every image, as for a camera.
    static CHECKER: RefCell<ScanChecker> = RefCell::default();
}

fuzz_target!(|bytes: &[u8]| {
    let strict = validate(bytes, Options::default());
    for options in [Options::default(), Options { allow_truncated: true }] {
        match find_image(bytes, options) {
            Ok((image, info)) => {
                assert!(bytes.ends_with(image));
                assert_eq!(validate(image, options), Ok(info));
            }
            Err(_) => assert!(validate(bytes, options).is_err(), "the image at the start was not found"),
        }
    }
    let Ok(info) = validate(bytes, Options { allow_truncated: true }) else {
        assert!(strict.is_err());
        return;
    };
    assert!(info.length <= bytes.len() && info.length >= info.headers.data_offset);
    assert!(bytes.len() + 2 >= MIN_LENGTH);
    assert!(info.dimensions.width > 0 && info.dimensions.height > 0);
    // The option only accepts more images.
    assert_eq!(info.lacks_end, strict.is_err());
    assert!(strict.is_err() || strict == Ok(info));

    let verdict = CHECKER.with_borrow_mut(|checker| checker.check(bytes, &info));
    assert_eq!(verdict, check_scan(bytes, &info), "cached tables changed the verdict");

    let copy = copy_complete(bytes, &info);
    let again = validate(&copy, Options::default()).expect("the copy is valid");
    assert!(again.is_complete());
    assert_eq!(again.length, copy.len());
    assert_eq!(again.dimensions, info.dimensions);
    assert_eq!(copy_complete(&copy, &again), copy);
    if info.is_complete() {
        assert_eq!(copy, bytes[..info.length]);
    }
    if !info.lacks_end {
        assert_eq!(check_scan(&copy, &again), verdict, "added tables changed the verdict");
    }
});
