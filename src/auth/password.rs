//! Passwords: the rules (NIST SP 800-63B section 5.1.1.2), argon2id (RFC 9106) on a bounded pool, one-time passwords.

use std::sync::Arc;

use anyhow::anyhow;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{sync::Semaphore, time::Instant};
use unicode_normalization::UnicodeNormalization as _;

use super::{AuthError, Config, Metrics};
use platform::{crypto, pools::CpuPool};

/// A stored hash that needs more memory is not computed: someone who can write hashes must not be able to exhaust ours.
pub const MAX_MEMORY_KIB: u32 = 128 * 1024;
/// Maximum passes for a stored hash.
pub const MAX_ITERATIONS: u32 = 10;
const MAX_LANES: u32 = 4;

const MIN_LENGTH: usize = 10;
/// Longer passwords are no safer and cost time.
const MAX_LENGTH: usize = 512;

/// The most common passwords of ten characters or more in public lists of leaked ones; shorter ones fail by length.
const COMMON: [&str; 40] = [
    "1234567890",
    "12345678910",
    "123456789a",
    "a123456789",
    "0123456789",
    "0987654321",
    "9876543210",
    "1111111111",
    "0000000000",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "qazwsxedcrfv",
    "q1w2e3r4t5",
    "q1w2e3r4t5y6",
    "zaq12wsxcde3",
    "qwertyuiop",
    "qwerty12345",
    "qwerty123456",
    "qwertyuiop123",
    "asdfghjkl123",
    "password123",
    "password1234",
    "password12345",
    "passw0rd123",
    "p@ssw0rd123",
    "mypassword",
    "changemenow",
    "administrator",
    "admin12345",
    "admin123456",
    "adminadmin",
    "iloveyou123",
    "welcome123",
    "welcome1234",
    "letmein123",
    "abcdefghij",
    "abc1234567",
    "football123",
    "princess123",
];

/// The rule that a new password breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleBroken {
    #[error("at least 10 characters")]
    TooShort,
    #[error("at most 512 bytes")]
    TooLong,
    #[error("must not be the e-mail address")]
    IsEmail,
    #[error("this is one of the most common passwords: choose another")]
    Common,
    #[error("must differ from the current one")]
    Unchanged,
}

impl RuleBroken {
    /// Stable code for clients; also the suffix of the translation key.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::IsEmail => "password_is_email",
            Self::Common => "password_common",
            Self::Unchanged => "password_unchanged",
        }
    }
}

/// Rules: length instead of composition; not the e-mail or its local part; not one of the most common.
pub fn check_rules(password: &str, email: &str) -> Result<(), RuleBroken> {
    let password = normal(password);
    let lower = password.to_lowercase();
    let one_character = password.chars().all(|c| password.starts_with(c));
    if password.chars().count() < MIN_LENGTH {
        Err(RuleBroken::TooShort)
    } else if password.len() > MAX_LENGTH {
        Err(RuleBroken::TooLong)
    } else if lower == email.to_lowercase() || email.split('@').next() == Some(lower.as_str()) {
        Err(RuleBroken::IsEmail)
    } else if one_character || COMMON.contains(&lower.as_str()) {
        Err(RuleBroken::Common)
    } else {
        Ok(())
    }
}

/// Twenty characters in groups, without look-alikes: 5 bits each, 100 bits.
pub fn one_time_password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<char> =
        crypto::random_bytes::<20>().iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Result of comparing a password with a stored hash.
#[derive(Debug)]
pub enum Verified {
    No,
    Yes,
    /// Correct; the hash was made with other parameters or another form: store this one instead.
    Rehashed(String),
}

/// The form that is hashed: NFC, because macOS types й, ё and é as two characters where others type one (RFC 8265
/// section 4.2.1 asks for it too).
fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// Whether two passwords are equal after normalisation.
pub fn same(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

/// Forms to try, the likeliest first: a one-time password pasted with surrounding space is trimmed, and older versions
/// hashed the characters as typed.
fn readings(password: &str) -> Vec<String> {
    let trimmed = password.trim();
    if is_one_time_shape(trimmed) {
        return vec![trimmed.to_owned()];
    }
    let mut readings = vec![normal(password)];
    for other in [password.to_owned(), password.nfd().collect()] {
        if !readings.contains(&other) {
            readings.push(other);
        }
    }
    readings
}

/// Four groups of five, as `one_time_password` makes them.
fn is_one_time_shape(password: &str) -> bool {
    let groups: Vec<&str> = password.split('-').collect();
    groups.len() == 4
        && groups.iter().all(|g| g.len() == 5 && g.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

/// Hashes and compares passwords, a few at a time. Clones share the pool.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    pool: CpuPool,
    /// Permits for running and waiting hashes; none left means busy.
    places: Arc<Semaphore>,
    /// Hash of a random password with the current parameters: an unknown e-mail takes as long as a known one.
    dummy: Arc<str>,
    metrics: Metrics,
}

impl Hasher {
    /// Computes one hash (tens of milliseconds) for the dummy.
    pub fn new(config: &Config, metrics: Metrics) -> Result<Self, AuthError> {
        let params = Params::new(config.hash_memory_kib, config.hash_iterations, 1, None)
            .map_err(|e| AuthError::Hash(anyhow!(e)))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, &crypto::random_token())?.into();
        let places = Arc::new(Semaphore::new(config.hash_threads + config.hash_queue));
        Ok(Self { argon2, pool: CpuPool::new(config.hash_threads), places, dummy, metrics })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: &str) -> Result<String, AuthError> {
        let (argon2, password) = (self.argon2.clone(), normal(password));
        self.work(move || hash(&argon2, &password)).await?
    }

    /// As versions before 0.2 did.
    #[cfg(test)]
    pub(super) async fn hash_as_typed(&self, password: &str) -> Result<String, AuthError> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.work(move || hash(&argon2, &password)).await?
    }

    /// Compares; with `stored` as `None` (no such account) it takes as long and is never right.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verified, AuthError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        let (argon2, readings) = (self.argon2.clone(), readings(password));
        let verified = self.work(move || verify(&argon2, &readings, &stored)).await??;
        Ok(if known { verified } else { Verified::No })
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AuthError> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.metrics.busy();
            return Err(AuthError::Busy);
        };
        let metrics = self.metrics.clone();
        // The permit moves into the work: a client that disconnects does not free it while the hash is computed.
        let work = move || {
            let started = Instant::now();
            let result = work();
            metrics.hashed(started.elapsed());
            drop(place);
            result
        };
        self.pool.run(work).await.map_err(|e| AuthError::Hash(e.into()))
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, AuthError> {
    let salt = crypto::random_bytes::<16>();
    let hash: PasswordHash =
        argon2.hash_password_with_salt(password.as_bytes(), &salt).map_err(|e| AuthError::Hash(anyhow!(e)))?;
    Ok(hash.to_string())
}

fn verify(argon2: &Argon2<'_>, readings: &[String], stored: &str) -> Result<Verified, AuthError> {
    let parsed = PasswordHash::new(stored).map_err(|e| AuthError::Hash(anyhow!("stored hash: {e}")))?;
    let params = Params::try_from(&parsed).map_err(|e| AuthError::Hash(anyhow!("stored hash: {e}")))?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_ITERATIONS || params.p_cost() > MAX_LANES {
        return Err(AuthError::Hash(anyhow!("stored hash asks for more work than allowed")));
    }
    let right = readings.iter().position(|password| argon2.verify_password(password.as_bytes(), &parsed).is_ok());
    let Some(right) = right else { return Ok(Verified::No) };
    let live = argon2.params();
    let same = (params.m_cost(), params.t_cost(), params.p_cost()) == (live.m_cost(), live.t_cost(), live.p_cost());
    if right == 0 && same && parsed.algorithm.as_str() == "argon2id" {
        Ok(Verified::Yes)
    } else {
        hash(argon2, &readings[0]).map(Verified::Rehashed)
    }
}
