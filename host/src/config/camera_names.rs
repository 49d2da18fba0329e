//! Unique names for cameras that the user did not name, derived from their paths.

use std::collections::HashSet;
use std::ffi::OsStr;

use super::camera_spec::{MAX_NAME_LENGTH, SourceSpec};

/// The end of udev's links to the first video node of a device, which for most devices is the only one.
const FIRST_NODE_SUFFIX: &str = "-video-index0";

/// How many characters of the start to keep when shortening a name. The rest comes from its end, which distinguishes
/// devices: by serial number under `/dev/v4l/by-id`, by port under `/dev/v4l/by-path`.
const SHORTENED_START: usize = 8;

/// Returns a name for each camera, in order: the name that the user chose, or else a unique one. If the user chose a
/// name twice, returns that name as the error.
pub(super) fn assign_names<'a>(
    cameras: impl Iterator<Item = (Option<&'a str>, &'a SourceSpec)> + Clone,
) -> Result<Vec<String>, String> {
    let mut used = HashSet::new();
    for name in cameras.clone().filter_map(|(name, _)| name) {
        if !used.insert(name.to_owned()) {
            return Err(name.to_owned());
        }
    }
    let names = cameras.map(|(name, source)| match name {
        Some(name) => name.to_owned(),
        None => {
            let name = make_unique(default_name(source), &used);
            used.insert(name.clone());
            name
        }
    });
    Ok(names.collect())
}

/// Derives a name from the last component of a source's path, from the host of its address, or from its kind.
fn default_name(source: &SourceSpec) -> String {
    let file_name = match source {
        SourceSpec::Device(path) | SourceSpec::Emulated(Some(path)) | SourceSpec::Pipe(path) => path.file_name(),
        SourceSpec::Component(path) => path.file_stem(),
        SourceSpec::Exec(command) => Some(OsStr::new(command.name())),
        SourceSpec::Network(address) => Some(OsStr::new(address.host())),
        SourceSpec::Rpicam(_) => Some(OsStr::new("rpicam")),
        SourceSpec::Stdin => Some(OsStr::new("stdin")),
        SourceSpec::TestPattern => Some(OsStr::new("test-pattern")),
        SourceSpec::Emulated(None) | SourceSpec::Auto => None,
    };
    let text = file_name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = text.strip_suffix(FIRST_NODE_SUFFIX).unwrap_or(&text);
    // Replaces each run of other characters by one hyphen.
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

/// Shortens an ASCII name to `limit` characters by cutting out its middle.
fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let end = name.len() - (limit - SHORTENED_START - 1);
    let (start, end) = (name.get(..SHORTENED_START).unwrap_or_default(), name.get(end..).unwrap_or_default());
    format!("{}-{}", start.trim_end_matches('-'), end.trim_start_matches('-'))
}

/// Appends a number to the name if it is used already.
fn make_unique(name: String, used: &HashSet<String>) -> String {
    if !used.contains(&name) {
        return name;
    }
    let numbered = |number: usize| {
        let suffix = format!("-{number}");
        format!("{}{suffix}", shorten(&name, MAX_NAME_LENGTH - suffix.len()))
    };
    // There are more candidates than used names, so one is free.
    (2..=used.len() + 2).map(numbered).find(|name| !used.contains(name)).unwrap_or(name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(specs: &[&str]) -> Result<Vec<String>, String> {
        let specs: Vec<crate::config::camera_spec::CameraSpec> =
            specs.iter().map(|spec| spec.parse().unwrap()).collect();
        assign_names(specs.iter().map(|spec| (spec.name.as_deref(), &spec.source)))
    }

    #[test]
    fn default_names_come_from_paths() {
        for (spec, name) in [
            ("/dev/video0", "video0"),
            ("emulated", "emulated"),
            ("emulated:pictures", "pictures"),
            ("emulated:/", "emulated"),
            ("emulated:test-pattern", "test-pattern"),
            ("exec:/usr/bin/ffmpeg -i rtsp://camera/ -f mjpeg -", "ffmpeg"),
            ("rpicam:1", "rpicam"),
            ("stdin", "stdin"),
            ("pipe:/run/yard.mjpeg", "yard-mjpeg"),
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
    fn names_from_by_path_links_are_unique() {
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
    fn chosen_names_are_kept_and_duplicates_are_numbered() {
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
