//! A compiled guest as bytes: its machine code, after a checksum.
//!
//! wasmtime trusts machine code as it is. A single flipped bit of it can crash the server, or worse, so the checksum is
//! compared each time before any of it is used. It covers the key as well: code under another guest's name is refused.

#![allow(unsafe_code, reason = "wasmtime cannot check machine code, so it has to be told that it may be run")]

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The length of the checksum, in bytes.
const CHECKSUM: usize = 32;

/// What a compiled guest is compiled from and for. As text it is the name of a file.
#[derive(Clone, Debug)]
pub struct ArtifactKey {
    component: Arc<str>,
    engine: u64,
}

/// Why an artifact is not used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Its checksum is another.
    #[error("its checksum does not match")]
    Damaged,
    /// It is whole, and the engine refuses it: it needs more than instances may have, for example.
    #[error("{0}")]
    Refused(wasmtime::Error),
}

impl ArtifactKey {
    /// The key of the component with this digest, compiled for this engine by this version of the program.
    pub fn new(component: Arc<str>, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        Self { component, engine: hasher.finish() }
    }
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.component, self.engine)
    }
}

/// The checksum to put before this code.
pub fn checksum(key: &str, code: &[u8]) -> [u8; CHECKSUM] {
    Sha256::new().chain_update(key).chain_update([0_u8]).chain_update(code).finalize().into()
}

/// Take the code of an artifact, a checksum and what it is of, into this engine.
pub fn load(engine: &Engine, key: &ArtifactKey, artifact: &[u8]) -> Result<Component, ArtifactError> {
    let (found, code) = artifact.split_at_checked(CHECKSUM).ok_or(ArtifactError::Damaged)?;
    if *found != checksum(&key.to_string(), code) {
        return Err(ArtifactError::Damaged);
    }
    // SAFETY: `code` must be what `Engine::precompile_component` made, unchanged. It has the checksum that only the compiler
    // process puts before such code, over the digest of its component, and over a hash of this version of the program and of
    // all settings of this engine that the code depends on. So it was made by this program, for such an engine, and not one
    // of its bits has changed. Nobody else can have written it: it comes from a pipe or an anonymous file of our own
    // process, or from a folder that only our own user can write to (`cache.rs` refuses others), who can do all that the
    // code could do without it. wasmtime copies the bytes, so they cannot change after they were checked.
    unsafe { Component::deserialize(engine, code) }.map_err(ArtifactError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An artifact of the smallest component.
    fn artifact(engine: &Engine, key: &ArtifactKey) -> Vec<u8> {
        let code = engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
        [&checksum(&key.to_string(), &code)[..], &code].concat()
    }

    #[test]
    fn no_flipped_bit_gets_through() {
        let engine = Engine::default();
        let key = ArtifactKey::new("a".into(), &engine);
        let mut artifact = artifact(&engine, &key);
        assert!(load(&engine, &key, &artifact).is_ok());
        for bit in 0..8 * artifact.len() {
            artifact[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(load(&engine, &key, &artifact), Err(ArtifactError::Damaged)), "bit {bit}");
            artifact[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..artifact.len() {
            assert!(matches!(load(&engine, &key, &artifact[..length]), Err(ArtifactError::Damaged)), "{length}");
        }
    }

    #[test]
    fn code_under_another_name_is_refused() {
        let engine = Engine::default();
        let artifact = artifact(&engine, &ArtifactKey::new("a".into(), &engine));
        let other = ArtifactKey::new("b".into(), &engine);
        assert!(matches!(load(&engine, &other, &artifact), Err(ArtifactError::Damaged)));
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let other_engine = Engine::new(&config).unwrap();
        let same_component = ArtifactKey::new("a".into(), &other_engine);
        assert!(matches!(load(&other_engine, &same_component, &artifact), Err(ArtifactError::Damaged)));
    }
}
