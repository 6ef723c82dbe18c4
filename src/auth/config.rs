//! `[auth]` and `[admin]`

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    email::{check_email, normal_email},
    password,
};
use platform::config::{ConfigErrors, secret};

/// Sign-in, sessions and passwords.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A session ends after this many days without a request.
    pub session_idle_days: u32,
    /// A session ends after this many days in any case.
    pub session_absolute_days: u32,
    /// One-time links (join, reset) expire after this many hours.
    pub link_hours: u32,
    /// Memory for one password hash (argon2id), KiB.
    pub hash_memory_kib: u32,
    /// Passes over that memory.
    pub hash_iterations: u32,
    /// Password hashes computed at a time; each takes `hash_memory_kib`.
    pub hash_threads: usize,
    /// Password hashes that may wait; further sign-ins are answered 503.
    pub hash_queue: usize,
    /// Sign-in attempts per minute and address; also the burst.
    pub attempts_per_minute_per_address: u32,
    /// Sign-in attempts per minute and account; also the burst. Addresses from which the person has signed in before
    /// have an allowance of their own, so that a stranger cannot lock them out.
    pub attempts_per_minute_per_account: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_idle_days: 7,
            session_absolute_days: 30,
            link_hours: 72,
            hash_memory_kib: 19_456,
            hash_iterations: 2,
            hash_threads: 2,
            hash_queue: 32,
            attempts_per_minute_per_address: 30,
            attempts_per_minute_per_account: 10,
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("session_idle_days", self.session_idle_days, 1, 365);
        errors.range("session_absolute_days", self.session_absolute_days, 1, 365);
        errors.range("link_hours", self.link_hours, 1, 24 * 30);
        // The minimum is OWASP's for argon2id; the maximum is the one for stored hashes.
        errors.range("hash_memory_kib", self.hash_memory_kib, 19_456, password::MAX_MEMORY_KIB);
        errors.range("hash_iterations", self.hash_iterations, 2, password::MAX_ITERATIONS);
        errors.range("hash_threads", self.hash_threads, 1, 64);
        errors.range("hash_queue", self.hash_queue, 1, 10_000);
        errors.range("attempts_per_minute_per_address", self.attempts_per_minute_per_address, 1, 100_000);
        errors.range("attempts_per_minute_per_account", self.attempts_per_minute_per_account, 1, 100_000);
    }
}

/// The first administrator; used only while there are no users.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// E-mail to sign in with; empty means `admin@localhost`.
    pub email: String,
    /// Password; empty generates a one-time password, which is printed once and must be changed at the first sign-in.
    #[serde(serialize_with = "secret::masked")]
    pub password: Option<SecretString>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
}

impl AdminConfig {
    /// The e-mail in its normal form.
    pub fn email(&self) -> String {
        if self.email.trim().is_empty() { "admin@localhost".to_owned() } else { normal_email(&self.email) }
    }

    /// Reads `password_file` and validates both settings.
    pub fn resolve(&mut self, errors: &mut ConfigErrors) {
        secret::resolve(&mut self.password, self.password_file.as_deref(), "password_file", errors);
        if let Err(why) = check_email(&self.email()) {
            errors.push("email", why);
        }
        if let Some(chosen) = &self.password
            && let Err(why) = password::check_rules(chosen.expose_secret(), &self.email())
        {
            errors.push("password", why.to_string());
        }
    }
}
