//! Folders with all kinds of files, which change while they are played.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, inotify};

use super::folder::Folder;
use super::{EMBEDDED, Emulated};
use crate::error::SourceError;
use crate::source::{Capture, ImageData, Source};

/// Long enough for everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// Fast, but not so fast that pictures are skipped, even if each is read from the disk.
const RATE: f64 = 50.0;

/// Returns the number of the next picture, from 1.
fn next(capture: &mut dyn Capture) -> Result<usize, SourceError> {
    loop {
        let captured = capture.next(Instant::now() + DEADLINE)?;
        let Some(image) = captured.image else { continue };
        let ImageData::Jpeg(picture) = image.data else { panic!("the image is raw") };
        return Ok(EMBEDDED
            .iter()
            .position(|jpeg| *jpeg == &picture.bytes[..])
            .expect("the picture is one of the embedded ones")
            + 1);
    }
}

/// Waits until exactly these pictures are played in a loop.
fn wait_for_loop(capture: &mut dyn Capture, expected: &[usize]) {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Vec::new();
    while Instant::now() < deadline {
        seen.push(next(capture).unwrap());
        // Two rounds, to exclude a longer loop. A busy machine may skip pictures before that.
        if seen.len() >= 2 * expected.len() && expected.repeat(3).windows(2 * expected.len()).any(|w| seen.ends_with(w))
        {
            return;
        }
    }
    panic!("played {seen:?} instead of {expected:?}");
}

/// Writes a picture atomically.
fn put(folder: &Path, name: &str, number: usize) {
    let temporary = folder.join("temporary");
    fs::write(&temporary, EMBEDDED[number - 1]).unwrap();
    fs::rename(temporary, folder.join(name)).unwrap();
}

#[test]
fn the_embedded_pictures_are_valid_and_play_in_a_loop() {
    let camera = Emulated::embedded(RATE);
    assert_eq!(camera.description(), "emulated: 3 built-in pictures");
    wait_for_loop(&mut *camera.open().unwrap(), &[1, 2, 3]);
}

#[test]
fn files_play_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "img10.jpg", 3);
    put(folder.path(), "img2.JPEG", 2);
    put(folder.path(), "img1.jpg", 1);
    fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let camera = Emulated::from_folder(folder.path(), RATE);
    assert_eq!(camera.description(), format!("emulated: 3 pictures from {}", folder.path().display()));
    wait_for_loop(&mut *camera.open().unwrap(), &[1, 2, 3]);
}

#[test]
fn unusable_files_are_skipped_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    put(folder.path(), "c.jpg", 1);
    put(folder.path(), "p.jpg", 2);
    fs::write(path("._1.jpg"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ").unwrap();
    fs::write(path("a-empty.jpg"), "").unwrap();
    fs::write(path("b-cut.jpg"), &EMBEDDED[2][..20_000]).unwrap();
    fs::write(path("d-gif.jpg"), "GIF89a").unwrap();
    fs::create_dir(path("e-folder.jpg")).unwrap();
    symlink("nothing", path("f-dangling.jpg")).unwrap();
    symlink("g-loop.jpg", path("g-loop.jpg")).unwrap();
    symlink("/dev/zero", path("h-zeros.jpg")).unwrap();
    let _socket = UnixListener::bind(path("i-socket.jpg")).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path("j-pipe.jpg"), pipe, Mode::RWXU, 0).unwrap();
    fs::File::create(path("k-huge.jpg")).unwrap().set_len(1 << 40).unwrap();
    let camera = Emulated::from_folder(folder.path(), RATE);
    assert_eq!(camera.description(), format!("emulated: 2 pictures from {}", folder.path().display()));
    let mut capture = camera.open().unwrap();
    wait_for_loop(&mut *capture, &[1, 2]);
    // A link to a picture works, also once its target appears.
    symlink("c.jpg", path("q-link.jpg")).unwrap();
    wait_for_loop(&mut *capture, &[1, 2, 1]);
    fs::write(path("nothing"), EMBEDDED[2]).unwrap();
    wait_for_loop(&mut *capture, &[1, 3, 2, 1]);
}

#[test]
fn an_empty_folder_is_an_outage_until_it_has_a_picture() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("pictures");
    let camera = Emulated::from_folder(&folder, RATE);
    let error = camera.open().err().unwrap();
    assert!(matches!(error, SourceError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("cannot read the folder"), "{error}");
    fs::create_dir(&folder).unwrap();
    let error = camera.open().err().unwrap();
    assert!(matches!(error, SourceError::NoPictures { skipped: 0, .. }), "{error}");
    fs::write(folder.join("a.jpg"), "GIF89a").unwrap();
    let deadline = Instant::now() + DEADLINE;
    while !matches!(camera.open().err(), Some(SourceError::NoPictures { skipped: 1, .. })) {
        assert!(Instant::now() < deadline, "the file is not noticed");
    }
    put(&folder, "a.jpg", 1);
    let mut capture = loop {
        match camera.open() {
            Ok(capture) => break capture,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(next(&mut *capture).unwrap(), 1);
    fs::remove_dir_all(&folder).unwrap();
    while next(&mut *capture).is_ok() {
        assert!(Instant::now() < deadline, "it still plays without a folder");
    }
}

#[test]
fn added_changed_and_removed_files_are_noticed_while_playing() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "1.jpg", 1);
    let camera = Emulated::from_folder(folder.path(), RATE);
    let mut capture = camera.open().unwrap();
    wait_for_loop(&mut *capture, &[1]);
    put(folder.path(), "2.jpg", 2);
    wait_for_loop(&mut *capture, &[1, 2]);
    put(folder.path(), "1.jpg", 3);
    wait_for_loop(&mut *capture, &[3, 2]);
    // Overwritten in place, so the folder itself does not change.
    fs::write(folder.path().join("2.jpg"), EMBEDDED[0]).unwrap();
    wait_for_loop(&mut *capture, &[3, 1]);
    assert_eq!(camera.description(), format!("emulated: 2 pictures from {}", folder.path().display()));
    fs::remove_file(folder.path().join("1.jpg")).unwrap();
    wait_for_loop(&mut *capture, &[1]);
    fs::remove_file(folder.path().join("2.jpg")).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while next(&mut *capture).is_ok() {
        assert!(Instant::now() < deadline, "a removed picture is played");
    }
}

/// All of them were looked at four times a second.
#[test]
fn of_very_many_unusable_files_some_are_looked_at_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "0.jpg", 1);
    for number in 1..=700 {
        fs::write(folder.path().join(format!("{number}.jpg")), "GIF89a").unwrap();
    }
    let mut capture = Emulated::from_folder(folder.path(), RATE).open().unwrap();
    wait_for_loop(&mut *capture, &[1]);
    // In place, so the folder itself does not change.
    fs::write(folder.path().join("100.jpg"), EMBEDDED[1]).unwrap();
    fs::write(folder.path().join("650.jpg"), EMBEDDED[2]).unwrap();
    wait_for_loop(&mut *capture, &[1, 2, 3]);
}

#[test]
fn a_file_that_is_being_written_plays_once_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "1.jpg", 1);
    put(folder.path(), "2.jpg", 2);
    let camera = Emulated::from_folder(folder.path(), RATE);
    let mut capture = camera.open().unwrap();
    wait_for_loop(&mut *capture, &[1, 2]);
    let (old, new) = (EMBEDDED[1], EMBEDDED[2]);
    let path = folder.path().join("2.jpg");
    // Overwrites the file from its start. `next` panics on any picture but the old and the new one.
    for part in [new.len() / 4, new.len() / 2] {
        for _ in 0..5 {
            fs::write(&path, &new[..part]).unwrap();
            next(&mut *capture).unwrap();
        }
        let mixed = [&new[..part], old.get(part..).unwrap_or_default()].concat();
        for _ in 0..5 {
            fs::write(&path, &mixed).unwrap();
            next(&mut *capture).unwrap();
        }
    }
    fs::write(&path, new).unwrap();
    wait_for_loop(&mut *capture, &[1, 3]);
}

/// A folder with the three pictures, of which it may have two: one byte is missing for the third.
fn folder_beyond_the_limit() -> (tempfile::TempDir, Folder) {
    let directory = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        put(directory.path(), &format!("{number}.jpg"), number);
    }
    let total: usize = EMBEDDED.iter().map(|jpeg| jpeg.len()).sum();
    let folder = Folder::new(directory.path(), total as u64 - 1);
    (directory, folder)
}

#[test]
fn a_picture_beyond_the_memory_limit_is_opened_once_until_it_changes() {
    let (directory, mut folder) = folder_beyond_the_limit();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    let path = directory.path().join("3.jpg");
    // The kernel merges equal events that follow one another.
    inotify::add_watch(&watch, &path, inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE).unwrap();
    let openings = || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        let events = std::iter::from_fn(|| events.next().ok().map(|event| event.events()));
        events.filter(|event| event.contains(inotify::ReadFlags::OPEN)).count()
    };
    // Lists the folder, then checks the files without a picture.
    folder.refresh().unwrap();
    assert_eq!(openings(), 1);
    // It still does not fit.
    fs::File::options().append(true).open(&path).unwrap().set_len(EMBEDDED[2].len() as u64 + 1).unwrap();
    assert_eq!(openings(), 1, "opened by this test");
    let deadline = Instant::now() + DEADLINE;
    let mut opened = 0;
    while opened == 0 {
        assert!(Instant::now() < deadline, "the change is not noticed");
        folder.refresh().unwrap();
        opened = openings();
    }
    assert_eq!(opened, 1);
}

#[test]
fn pictures_beyond_the_memory_limit_are_skipped_until_they_fit() {
    let (directory, mut folder) = folder_beyond_the_limit();
    let length = folder.length();
    folder.refresh().unwrap();
    assert_eq!(length.load(Ordering::Relaxed), 2);
    fs::remove_file(directory.path().join("1.jpg")).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut current = None;
    let mut seen = Vec::new();
    while !seen.contains(&EMBEDDED[2].len()) {
        assert!(Instant::now() < deadline, "the picture that fits now is not played");
        seen.push(folder.advance(&mut current, 1).unwrap().bytes.len());
    }
}
