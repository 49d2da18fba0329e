//! A compiled guest as bytes: a checksum, followed by machine code.
//!
//! wasmtime does not validate machine code. A single flipped bit can crash the server, or worse. So the checksum is
//! verified before any of the code is used. It also covers the key, so code stored under the name of another guest is
//! refused.

#![allow(unsafe_code, reason = "wasmtime cannot validate machine code, so loading it is unsafe")]

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The length of the checksum, a SHA-256, in bytes.
const CHECKSUM_LENGTH: usize = 32;

/// Identifies an artifact by its component and its engine. Its text is the file name in the compile cache.
#[derive(Clone, Debug)]
pub(super) struct ArtifactKey {
    component: Arc<str>,
    engine: u64,
}

/// Why an artifact cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArtifactError {
    /// Its checksum does not match.
    #[error("the checksum does not match")]
    Damaged,
    /// It is intact, but the engine refuses it, for example because it needs more than an instance may have.
    #[error("{0}")]
    Refused(wasmtime::Error),
}

impl ArtifactKey {
    /// The key of the component with this digest, compiled for this engine by this version of the program.
    pub(super) fn new(component: Arc<str>, engine: &Engine) -> Self {
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

/// Computes the checksum of machine code. `key` is the text of its [`ArtifactKey`].
pub(super) fn checksum(key: &str, code: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    Sha256::new().chain_update(key).chain_update([0_u8]).chain_update(code).finalize().into()
}

/// Verifies an artifact and loads its code into the engine.
pub(super) fn load(engine: &Engine, key: &ArtifactKey, artifact: &[u8]) -> Result<Component, ArtifactError> {
    let (found, code) = artifact.split_at_checked(CHECKSUM_LENGTH).ok_or(ArtifactError::Damaged)?;
    if *found != checksum(&key.to_string(), code) {
        return Err(ArtifactError::Damaged);
    }
    // SAFETY: `code` must be the unmodified output of `Engine::precompile_component`. Only the compiler process puts
    // this checksum in front of code, and only in front of such output. The checksum also covers the digest of the
    // component, the version of this program, and a hash of all engine settings that the code depends on. So this
    // program compiled the code for such an engine, and no bit has changed. The same holds for the functions that the
    // compiler takes from earlier compilations (`function_cache.rs`): it verifies their digests, and Cranelift's keys
    // cover all that their code depends on. No other user can have written any of it: it comes from an anonymous file of
    // our own process, or from a folder that only our user can write to (`cache_folder.rs` refuses all others), and our
    // user can do anything that the code could do. wasmtime copies the bytes, so they cannot change after the check.
    unsafe { Component::deserialize(engine, code) }.map_err(ArtifactError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an artifact of the smallest component.
    fn artifact(engine: &Engine, key: &ArtifactKey) -> Vec<u8> {
        let code = engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
        [&checksum(&key.to_string(), &code)[..], &code].concat()
    }

    #[test]
    fn artifacts_with_a_flipped_bit_or_missing_bytes_are_refused() {
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
    fn artifacts_of_another_key_are_refused() {
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
