//! Hashes of passwords.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The longest password, in bytes. A limit, because anyone can send one; a passphrase is shorter.
pub const MAX_PASSWORD_LENGTH: usize = 1024;

/// The memory of a new hash, in KiB, its passes and its lanes: one of the settings that the OWASP Password Storage Cheat
/// Sheet rates as equal. This one takes less memory than the default of most libraries, because a Raspberry Pi Zero 2
/// has 512 MiB.
const MEMORY_KIB: u32 = 12 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// The salt of a new hash, in bytes, as the PHC string format recommends.
const SALT_LENGTH: usize = 16;

/// The most memory that a hash of the configuration may need, in KiB. Other programs make hashes of up to 64 MiB by
/// default.
const MAX_MEMORY_KIB: u32 = 64 << 10;

/// The most passes and lanes that a hash of the configuration may need: several times what programs use by default.
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// The hash of a password in the PHC string format: `$argon2id$v=19$m=12288,t=3,p=1$SALT$HASH`. `Debug` shows nothing
/// of it.
#[derive(Clone, Eq, PartialEq)]
pub struct PasswordHash(Arc<phc::PasswordHash>);

/// Why a hash cannot be used. The message does not contain it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordHashError {
    /// The text is not a hash in the PHC string format with a salt, such as a password in plain text.
    #[error("the password is not a hash such as $argon2id$…; make one with `hotshoe passwd`")]
    Invalid,
    /// Another algorithm or version.
    #[error("the hash of the password is not of argon2id, version 19; make one with `hotshoe passwd`")]
    Algorithm,
    /// Checking it would take too much memory or time.
    #[error(
        "the hash of the password is too expensive: m may be at most {MAX_MEMORY_KIB}, t {MAX_PASSES} and p {MAX_LANES}"
    )]
    Expensive,
}

/// A password cannot be hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HashingError {
    /// The password is too long.
    #[error("a password has at most {MAX_PASSWORD_LENGTH} bytes")]
    TooLong,
    /// The system has no random numbers or not enough memory.
    #[error("the password cannot be hashed: the system has no random numbers or too little memory")]
    System,
}

impl PasswordHash {
    /// Hashes a password with a random salt. Takes 12 MiB of memory and a fraction of a second; blocks.
    pub fn new(password: &[u8]) -> Result<Self, HashingError> {
        if password.len() > MAX_PASSWORD_LENGTH {
            return Err(HashingError::TooLong);
        }
        let mut salt = [0; SALT_LENGTH];
        SystemRandom::new().fill(&mut salt).map_err(|_| HashingError::System)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashingError::System)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2
            .hash_password_with_salt(password, &salt)
            .map(|hash| Self(Arc::new(hash)))
            .map_err(|_| HashingError::System)
    }

    /// Whether this is the hash of a password. The time that it takes depends on the parameters of the hash alone.
    /// Blocks for about as long as [`new`](Self::new).
    pub fn verify(&self, password: &[u8]) -> bool {
        password.len() <= MAX_PASSWORD_LENGTH && Argon2::default().verify_password(password, &*self.0).is_ok()
    }

    /// How expensive it is to check a password: the memory in KiB, multiplied by the passes.
    pub(super) fn cost(&self) -> u64 {
        Params::try_from(&*self.0).map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError::Invalid)?;
        if hash.algorithm != Algorithm::Argon2id.ident() || hash.version != Some(Version::V0x13.into()) {
            return Err(PasswordHashError::Algorithm);
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordHashError::Invalid);
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordHashError::Invalid)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(PasswordHashError::Expensive);
        }
        Ok(Self(Arc::new(hash)))
    }
}

/// The PHC string.
impl fmt::Display for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_alone() {
        let hash = PasswordHash::new(b"correct horse").unwrap();
        let text = hash.to_string();
        assert!(text.starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{text}");
        let parsed: PasswordHash = text.parse().unwrap();
        assert!(parsed.verify(b"correct horse") && !parsed.verify(b"correct horse ") && !parsed.verify(b""));
        assert_ne!(PasswordHash::new(b"correct horse").unwrap().to_string(), text, "the salt is random");
        assert_eq!(format!("{parsed:?}"), "PasswordHash");
    }

    #[test]
    fn hashes_of_the_reference_implementation_are_verified() {
        // printf password | argon2 somesalt -id -t 2 -k 64 -p 1
        let hash: PasswordHash =
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc".parse().unwrap();
        assert!(hash.verify(b"password"));
    }

    #[test]
    fn texts_that_are_no_hash_or_an_expensive_one_are_refused() {
        let rest = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for (text, error) in [
            ("secret".to_owned(), PasswordHashError::Invalid),
            (String::new(), PasswordHashError::Invalid),
            ("$argon2id$v=19$m=12288,t=3,p=1".to_owned(), PasswordHashError::Invalid),
            (format!("$argon2i$v=19$m=12288,t=3,p=1{rest}"), PasswordHashError::Algorithm),
            (format!("$argon2id$v=16$m=12288,t=3,p=1{rest}"), PasswordHashError::Algorithm),
            (format!("$2b$12{rest}"), PasswordHashError::Invalid),
            (format!("$argon2id$v=19$m=65537,t=3,p=1{rest}"), PasswordHashError::Expensive),
            (format!("$argon2id$v=19$m=4294967295,t=3,p=1{rest}"), PasswordHashError::Expensive),
            (format!("$argon2id$v=19$m=12288,t=17,p=1{rest}"), PasswordHashError::Expensive),
            (format!("$argon2id$v=19$m=12288,t=3,p=17{rest}"), PasswordHashError::Expensive),
        ] {
            assert_eq!(text.parse::<PasswordHash>(), Err(error), "{text}");
        }
        assert_eq!(PasswordHash::new(&[b'a'; MAX_PASSWORD_LENGTH + 1]), Err(HashingError::TooLong));
    }
}
