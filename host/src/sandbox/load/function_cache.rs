//! Compiled functions on disk, for components that are compiled again after a small change.
//!
//! Most functions of a changed component are those of the one before, above all if it contains an interpreter.
//! Cranelift identifies a function by a digest of its intermediate representation, the settings of the compiler and its
//! version, and asks this cache for the code before it compiles the function. With Cranelift 0.135, some functions have
//! another digest in each compilation, one in twenty with one thread and up to a quarter with several. They are compiled
//! again, which yields the same code.
//!
//! Each compilation stores the functions that it did not find here in a file of its own, a segment, which never changes:
//!
//! ```text
//! code of function 0, code of function 1, … | index | length of the index, its SHA-256
//! ```
//!
//! Only the compiler process uses this cache. It compiles a function whose code cannot be read or has a wrong digest.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use wasmtime::CacheStore;

use super::cache_folder::{CacheFolder, mark_as_used, open_entry};
use super::digest::hex_digest;
use crate::process::memory_file::create_memory_file;

/// The largest size of all segments together, in bytes: two components with an interpreter, of 55 MB each.
const SIZE_LIMIT: u64 = 128 << 20;

/// The most segments that are searched, the most recently used ones, so that few files are open.
const MAX_SEGMENTS: usize = 64;

/// The largest size of a segment, in bytes. A component with an interpreter takes 50 MB. The segment is in memory until it
/// is saved, and the limit on the compiler's memory does not count it.
const SEGMENT_LIMIT: u64 = 64 << 20;

/// The most functions in a segment, and in all segments that are searched. A component with an interpreter has 13,000. Each
/// takes about 100 bytes of the compiler's memory.
const MAX_FUNCTIONS: usize = 100_000;

/// The length of an entry of an index, in bytes: key, digest, offset and length.
const INDEX_ENTRY_LENGTH: usize = 2 * DIGEST_LENGTH + 2 * size_of::<u64>();

/// The length of the end of a segment, in bytes: the length of the index, and its digest.
const TRAILER_LENGTH: usize = size_of::<u64>() + DIGEST_LENGTH;

/// The length of a SHA-256, in bytes. Cranelift's keys are digests as well.
const DIGEST_LENGTH: usize = 32;

type Digest = [u8; DIGEST_LENGTH];

/// The index of a segment: where each function is, by its key.
type Index = HashMap<Digest, Location>;

/// The functions of earlier compilations, and the new ones of this compilation.
#[derive(Debug)]
pub(super) struct FunctionCache {
    folder: CacheFolder,
    /// The most recently used one first.
    segments: Vec<Segment>,
    new: Mutex<NewSegment>,
}

/// Functions of an earlier compilation.
#[derive(Debug)]
struct Segment {
    file: File,
    index: Index,
    /// Whether a function was found here.
    is_used: AtomicBool,
}

/// The functions that this compilation did not find. They are in memory until it succeeds, so a compilation that fails
/// leaves no file behind.
#[derive(Debug)]
struct NewSegment {
    file: File,
    /// In bytes.
    length: u64,
    index: Index,
}

/// Where the code of a function is.
#[derive(Clone, Debug)]
struct Location {
    /// In bytes from the start of the segment.
    offset: u64,
    /// In bytes.
    length: usize,
    /// The SHA-256 of the code.
    digest: Digest,
}

impl FunctionCache {
    /// Opens a folder, and creates it if it does not exist. Ignores segments that are damaged, or that another user can
    /// have written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = CacheFolder::open(folder, SIZE_LIMIT).map_err(io::Error::other)?;
        let mut segments = Vec::new();
        let mut functions = 0;
        for entry in folder.entries()?.into_iter().take(MAX_SEGMENTS) {
            let Some(segment) = open_entry(&entry.path).ok().and_then(Segment::read) else { continue };
            functions += segment.index.len();
            if functions > MAX_FUNCTIONS {
                break;
            }
            segments.push(segment);
        }
        let new = NewSegment { file: create_memory_file("functions")?, length: 0, index: Index::new() };
        Ok(Self { folder, segments, new: Mutex::new(new) })
    }

    /// Stores the new functions, if there are any, and marks the segments in which functions were found as used.
    pub fn save(&self) -> io::Result<()> {
        for segment in self.segments.iter().filter(|segment| segment.is_used.load(Ordering::Relaxed)) {
            mark_as_used(&segment.file);
        }
        let new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
        if new.index.is_empty() {
            return Ok(());
        }
        let end = encode(&new.index);
        new.file.write_all_at(&end, new.length)?;
        // Named after its content, so that it replaces no other segment.
        let name = hex_digest(&end);
        // Writing at an offset has left the position of the file at its start.
        self.folder.store(&name, |file| io::copy(&mut &new.file, file).map(drop))
    }
}

impl CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let key = Digest::try_from(key).ok()?;
        // A function that was damaged is intact in a newer segment.
        self.segments.iter().find_map(|segment| segment.get(&key)).map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let Ok(key) = Digest::try_from(key) else { return false };
        self.new.lock().unwrap_or_else(PoisonError::into_inner).insert(key, &code).is_some()
    }
}

impl Segment {
    /// Reads the index of a segment. Returns `None` if it is damaged.
    fn read(file: File) -> Option<Self> {
        let end = file.metadata().ok()?.len().checked_sub(TRAILER_LENGTH as u64)?;
        let mut trailer = [0; TRAILER_LENGTH];
        file.read_exact_at(&mut trailer, end).ok()?;
        let (length, digest) = trailer.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        if length > MAX_FUNCTIONS * INDEX_ENTRY_LENGTH {
            return None;
        }
        let start = end.checked_sub(length as u64)?;
        let mut index = vec![0; length];
        file.read_exact_at(&mut index, start).ok()?;
        if Sha256::digest(&index)[..] != *digest {
            return None;
        }
        let index = decode(&index, start)?;
        Some(Self { file, index, is_used: AtomicBool::new(false) })
    }

    /// Reads the code of a function.
    fn get(&self, key: &Digest) -> Option<Vec<u8>> {
        let location = self.index.get(key)?;
        let mut code = vec![0; location.length];
        self.file.read_exact_at(&mut code, location.offset).ok()?;
        if Sha256::digest(&code)[..] != location.digest {
            return None;
        }
        self.is_used.store(true, Ordering::Relaxed);
        Some(code)
    }
}

impl NewSegment {
    /// Appends a function. Returns `None` if there is no space.
    fn insert(&mut self, key: Digest, code: &[u8]) -> Option<()> {
        let end = self.length + code.len() as u64;
        if self.index.len() >= MAX_FUNCTIONS || end > SEGMENT_LIMIT {
            return None;
        }
        self.file.write_all_at(code, self.length).ok()?;
        let location = Location { offset: self.length, length: code.len(), digest: Sha256::digest(code).into() };
        self.index.insert(key, location);
        self.length = end;
        Some(())
    }
}

/// The end of a segment: the index and the trailer.
fn encode(index: &Index) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(index.len() * INDEX_ENTRY_LENGTH + TRAILER_LENGTH);
    for (key, Location { offset, length, digest }) in index {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(digest);
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&(*length as u64).to_le_bytes());
    }
    let length = bytes.len() as u64;
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&digest);
    bytes
}

/// Parses an index. Returns `None` if a function is not within the first `code_length` bytes of the segment.
fn decode(index: &[u8], code_length: u64) -> Option<Index> {
    let entry = |bytes: &[u8]| {
        let (key, rest) = bytes.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (offset, length) = (u64::from_le_bytes(*offset), u64::from_le_bytes(*rest.first_chunk()?));
        let is_inside = offset.checked_add(length).is_some_and(|end| end <= code_length);
        let location = Location { offset, length: usize::try_from(length).ok()?, digest: *digest };
        is_inside.then_some((*key, location))
    };
    index.chunks_exact(INDEX_ENTRY_LENGTH).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    use wasmtime::{Config, Engine};

    use super::*;

    const KEY: Digest = [7; DIGEST_LENGTH];
    const CODE: &[u8] = b"code of a function";

    /// Returns the paths of all segments.
    fn segments(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Stores one function, and returns the folder and the segment.
    fn with_one_function() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert!(cache.insert(&KEY, CODE.to_vec()));
        cache.save().unwrap();
        let segment = segments(folder.path()).pop().unwrap();
        (folder, segment)
    }

    fn stored(folder: &Path) -> Option<Vec<u8>> {
        FunctionCache::open(folder).unwrap().get(&KEY).map(Cow::into_owned)
    }

    #[test]
    fn functions_of_earlier_compilations_are_found() {
        let (folder, _) = with_one_function();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert_eq!(cache.get(&KEY).as_deref(), Some(CODE));
        assert_eq!(cache.get(&[8; DIGEST_LENGTH]), None);
        assert_eq!(cache.get(b"short"), None);
        // There is nothing new to store.
        cache.save().unwrap();
        assert_eq!(segments(folder.path()).len(), 1);
    }

    #[test]
    fn a_segment_with_a_flipped_bit_or_missing_bytes_yields_nothing_wrong() {
        let (folder, segment) = with_one_function();
        let intact = fs::read(&segment).unwrap();
        for bit in 0..8 * intact.len() {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&segment, damaged).unwrap();
            assert_eq!(stored(folder.path()), None, "bit {bit}");
        }
        for length in 0..intact.len() {
            fs::write(&segment, &intact[..length]).unwrap();
            assert_eq!(stored(folder.path()), None, "{length} bytes");
        }
        fs::write(&segment, intact).unwrap();
        assert_eq!(stored(folder.path()).as_deref(), Some(CODE));
    }

    #[test]
    fn an_index_cannot_point_outside_its_segment() {
        let (folder, segment) = with_one_function();
        for (offset, length) in [(0, CODE.len() + 1), (1, CODE.len()), (u64::MAX, CODE.len()), (1, usize::MAX)] {
            let location = Location { offset, length, digest: Sha256::digest(CODE).into() };
            fs::write(&segment, [CODE, &encode(&Index::from([(KEY, location)]))].concat()).unwrap();
            assert_eq!(stored(folder.path()), None, "{length} bytes at {offset}");
        }
    }

    #[test]
    fn the_size_of_segments_and_the_number_of_functions_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert!(!cache.insert(&KEY, vec![0; 1 + usize::try_from(SEGMENT_LIMIT).unwrap()]));
        for segment in 0..2_u8 {
            let key = |number: usize| Digest::from(Sha256::digest(number.to_le_bytes()));
            let location = Location { offset: 0, length: 0, digest: Sha256::digest([]).into() };
            let index: Index = (0..2 * MAX_FUNCTIONS / 3).map(|number| (key(number), location.clone())).collect();
            fs::write(folder.path().join(format!("{segment:064x}")), encode(&index)).unwrap();
        }
        assert_eq!(FunctionCache::open(folder.path()).unwrap().segments.len(), 1);
    }

    #[test]
    fn a_damaged_function_is_replaced_and_all_others_are_kept() {
        const OTHER: Digest = [8; DIGEST_LENGTH];
        let folder = tempfile::tempdir().unwrap();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert!(cache.insert(&KEY, CODE.to_vec()) && cache.insert(&OTHER, b"other".to_vec()));
        cache.save().unwrap();
        let segment = segments(folder.path()).pop().unwrap();
        let mut damaged = fs::read(&segment).unwrap();
        damaged[0] ^= 1;
        fs::write(&segment, damaged).unwrap();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert_eq!(cache.get(&KEY), None);
        assert!(cache.insert(&KEY, CODE.to_vec()));
        cache.save().unwrap();
        let cache = FunctionCache::open(folder.path()).unwrap();
        assert_eq!(cache.get(&KEY).as_deref(), Some(CODE));
        assert_eq!(cache.get(&OTHER).as_deref(), Some(&b"other"[..]));
    }

    #[test]
    fn functions_from_the_cache_make_the_same_artifact() {
        let folder = tempfile::tempdir().unwrap();
        // Returns the artifact, and how many functions were compiled.
        let compile = |text: &str| {
            let cache = Arc::new(FunctionCache::open(folder.path()).unwrap());
            let mut config = Config::new();
            // The order in which functions are compiled has an influence on their keys.
            config.parallel_compilation(false).enable_incremental_compilation(cache.clone()).unwrap();
            let artifact = Engine::new(&config).unwrap().precompile_module(&wat::parse_str(text).unwrap()).unwrap();
            cache.save().unwrap();
            (artifact, cache.new.lock().unwrap().index.len())
        };
        let module = |number: u8| {
            format!(
                "(module
                    (import \"a\" \"b\" (func $import (param i32) (result i32)))
                    (func (export \"c\") (result i32) (call $import (i32.const {number})))
                    (func (export \"d\") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 3))))"
            )
        };
        let (first, all) = compile(&module(1));
        assert!(all > 1);
        assert!(compile(&module(1)) == (first, 0));
        let (changed, compiled) = compile(&module(2));
        assert_eq!(compiled, 1);
        assert!(changed == Engine::default().precompile_module(&wat::parse_str(module(2)).unwrap()).unwrap());
    }
}
