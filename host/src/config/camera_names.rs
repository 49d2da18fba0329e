//! Names for cameras that were given none: derived from their paths, and unique by construction.

use std::collections::HashSet;

use super::camera_spec::{MAX_NAME_LENGTH, SourceSpec};

/// What all links to the only, or first, video node of a device end with.
const USUAL_SUFFIX: &str = "-video-index0";

/// How much of the start of a name is kept when it is too long. What tells devices apart is at the end: the serial number
/// in names under `/dev/v4l/by-id`, the port in those under `/dev/v4l/by-path`.
const HEAD: usize = 8;

/// A name for each camera, in order: the one that it was given, or else one made of its path. Fails if two cameras were
/// given the same name, which is then the error.
pub(super) fn name_all<'a>(
    cameras: impl Iterator<Item = (Option<&'a str>, &'a SourceSpec)> + Clone,
) -> Result<Vec<String>, String> {
    let mut taken = HashSet::new();
    for name in cameras.clone().filter_map(|(name, _)| name) {
        if !taken.insert(name.to_owned()) {
            return Err(name.to_owned());
        }
    }
    let names = cameras.map(|(name, source)| match name {
        Some(name) => name.to_owned(),
        None => {
            let name = make_unique(default_name(source), &taken);
            taken.insert(name.clone());
            name
        }
    });
    Ok(names.collect())
}

/// The last part of a camera's path, as a name; or the kind of its source.
fn default_name(source: &SourceSpec) -> String {
    let path = match source {
        SourceSpec::Device(path) | SourceSpec::Emulated(Some(path)) => path.file_name(),
        SourceSpec::Emulated(None) | SourceSpec::Auto => None,
    };
    let text = path.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = text.strip_suffix(USUAL_SUFFIX).unwrap_or(&text);
    // One `-` for everything in a row that cannot be in a name.
    let mut name = String::new();
    for char in text.chars() {
        match char {
            _ if char.is_ascii_alphanumeric() || char == '_' => name.push(char),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "emulated".to_owned() } else { shorten(name, MAX_NAME_LENGTH) }
}

/// The name, or its start and its end if it is too long. It has ASCII characters only.
fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let tail = name.len() - (limit - HEAD - 1);
    let (head, tail) = (name.get(..HEAD).unwrap_or_default(), name.get(tail..).unwrap_or_default());
    format!("{}-{}", head.trim_end_matches('-'), tail.trim_start_matches('-'))
}

/// The name, with a number if it is taken.
fn make_unique(name: String, taken: &HashSet<String>) -> String {
    if !taken.contains(&name) {
        return name;
    }
    let numbered = |number: usize| {
        let suffix = format!("-{number}");
        format!("{}{suffix}", shorten(&name, MAX_NAME_LENGTH - suffix.len()))
    };
    // One of these is free, since there is one more of them than names that are taken.
    (2..=taken.len() + 2).map(numbered).find(|name| !taken.contains(name)).unwrap_or(name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(specs: &[&str]) -> Result<Vec<String>, String> {
        let specs: Vec<crate::config::camera_spec::CameraSpec> =
            specs.iter().map(|spec| spec.parse().unwrap()).collect();
        name_all(specs.iter().map(|spec| (spec.name.as_deref(), &spec.source)))
    }

    #[test]
    fn names_are_made_of_paths() {
        for (spec, name) in [
            ("/dev/video0", "video0"),
            ("emulated", "emulated"),
            ("emulated:pictures", "pictures"),
            ("emulated:/", "emulated"),
            ("emulated:/\u{fc}\u{fc}", "emulated"),
            ("emulated:my holiday,, 2026", "my-holiday-2026"),
            ("/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_A1B2C3D4-video-index0", "usb-046d-ro_Webcam_C920_A1B2C3D4"),
            ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1.3:1.0-video-index0", "pci-0000-00-14-0-usb-0-1-3-1-0"),
        ] {
            assert!(name.len() <= MAX_NAME_LENGTH, "{name}");
            assert_eq!(names(&[spec]).unwrap(), [name]);
        }
    }

    #[test]
    fn names_made_of_by_path_links_are_unique() {
        let path = |port: &str, index: u32| {
            format!("/dev/v4l/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.{port}:1.0-video-index{index}")
        };
        let specs = [path("1", 0), path("2", 0), path("3", 0), path("3", 1), path("1", 0)];
        let found = names(&specs.each_ref().map(String::as_str)).unwrap();
        let unique: HashSet<_> = found.iter().collect();
        assert_eq!(unique.len(), specs.len(), "{found:?}");
        assert!(found.iter().all(|name| name.len() <= MAX_NAME_LENGTH), "{found:?}");
        assert!(found[1].ends_with("usb-0-1-2-1-0"), "{found:?}");
    }

    #[test]
    fn a_number_is_added_to_what_is_taken_and_given_names_stay() {
        assert_eq!(names(&["emulated", "emulated", "emulated"]).unwrap(), ["emulated", "emulated-2", "emulated-3"]);
        assert_eq!(names(&["/dev/video0", "video0=emulated"]).unwrap(), ["video0-2", "video0"]);
        let long = "n".repeat(MAX_NAME_LENGTH);
        let found = names(&[&format!("emulated:{long}"), &format!("emulated:x/{long}")]).unwrap();
        assert_eq!(found[0], long);
        assert!(found[1].ends_with("n-2") && found[1].len() <= MAX_NAME_LENGTH, "{found:?}");
        assert_eq!(names(&["a=emulated", "a=auto"]), Err("a".to_owned()));
        let hundred = vec!["emulated"; 100];
        assert_eq!(names(&hundred).unwrap().iter().collect::<HashSet<_>>().len(), 100);
    }
}
