//! Versions of WIT interfaces.

use semver::Version;

/// Whether an interface is the named one, in a version compatible with that of `provided`. Both have the form of WIT:
/// `wasi:io/poll@0.2.12`.
pub(super) fn is_version_of(interface: &str, provided: &str) -> bool {
    match (interface.split_once('@'), provided.split_once('@')) {
        (Some((name, version)), Some((provided, provided_version))) => {
            name == provided && are_compatible(version, provided_version)
        }
        _ => false,
    }
}

/// Whether two versions are compatible by the rules of wasmtime's linker: they agree up to the first number that is not
/// 0. Prereleases, and versions below 0.1, are compatible only with themselves. Build metadata (`0.2.12+x`) does not
/// count.
pub(super) fn are_compatible(one: &str, other: &str) -> bool {
    let significant = |version: &str| {
        let version = Version::parse(version).ok().filter(|version| version.pre.is_empty())?;
        match (version.major, version.minor) {
            (0, 0) => None,
            (0, minor) => Some((0, minor)),
            (major, _) => Some((major, 0)),
        }
    };
    one == other || significant(one).is_some_and(|version| significant(other) == Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_same_release_series_are_compatible() {
        for (interface, is_compatible) in [
            ("wasi:io/poll@0.2.12", true),
            ("wasi:io/poll@0.2.0", true),
            ("wasi:io/poll@0.2.99+x", true),
            ("wasi:io/poll@0.2.12-rc.1", false),
            ("wasi:io/poll@0.3.0", false),
            ("wasi:io/poll@0.2", false),
            ("wasi:io/poll", false),
            ("wasi:io/streams@0.2.12", false),
        ] {
            assert_eq!(is_version_of(interface, "wasi:io/poll@0.2.12"), is_compatible, "{interface}");
        }
        assert!(are_compatible("1.4.0", "1.0.1") && !are_compatible("1.0.0", "2.0.0"));
        assert!(are_compatible("0.0.1", "0.0.1") && !are_compatible("0.0.1", "0.0.2"));
        assert!(are_compatible("0.2.0-draft", "0.2.0-draft") && !are_compatible("0.2.0-draft", "0.2.0-draft2"));
    }
}
