//! Who may see a page: network, password, key. Everything is judged from memory, so it holds while the database is down.

use std::net::IpAddr;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;

use super::StatusPageError;
use platform::crypto;

/// How long a password is not asked for again.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// Memory of a hash, KiB, and passes: OWASP's least for argon2id.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// What a page asks of those who want to see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restriction {
    /// Empty: all.
    pub networks: Vec<IpNet>,
    pub password_hash: Option<String>,
    pub password_version: i32,
    /// SHA-256 of the key of programs.
    pub key_hash: Option<Vec<u8>>,
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Welcome,
    /// A person: the form. A program: as a page that does not exist.
    AskPassword,
    /// As a page that does not exist.
    Refused,
}

/// What somebody brings.
#[derive(Clone, Copy, Debug)]
pub struct Brought<'a> {
    pub address: IpAddr,
    pub cookie: Option<&'a str>,
    pub key: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl Restriction {
    pub fn is_open(&self) -> bool {
        self.networks.is_empty() && self.password_hash.is_none()
    }

    /// `signing`: the key of cookies; `code`: of the page.
    pub fn judge(&self, brought: &Brought<'_>, signing: &[u8], code: &str) -> Verdict {
        let address = brought.address.to_canonical();
        if !self.networks.is_empty() && !self.networks.iter().any(|network| network.contains(&address)) {
            return Verdict::Refused;
        }
        if self.password_hash.is_none() {
            return Verdict::Welcome;
        }
        let has_key = match (&self.key_hash, brought.key) {
            (Some(hash), Some(key)) => crypto::constant_time_eq(hash, &crypto::sha256(key)),
            _ => false,
        };
        let has_cookie = brought.cookie.is_some_and(|cookie| self.is_ours(cookie, signing, code, brought.now));
        if has_key || has_cookie { Verdict::Welcome } else { Verdict::AskPassword }
    }

    /// What a right password is remembered by: `<ends>.<signature>`.
    pub fn cookie(&self, signing: &[u8], code: &str, now: DateTime<Utc>) -> String {
        let ends = (now + REMEMBERED).timestamp();
        format!("{ends}.{}", crypto::hex(&self.signature(signing, code, ends)))
    }

    fn is_ours(&self, cookie: &str, signing: &[u8], code: &str, now: DateTime<Utc>) -> bool {
        let Some((ends, signature)) = cookie.split_once('.') else { return false };
        let Ok(ends) = ends.parse::<i64>() else { return false };
        let right = crypto::hex(&self.signature(signing, code, ends));
        now.timestamp() < ends && crypto::constant_time_eq(right.as_bytes(), signature.as_bytes())
    }

    /// Another password has another version: cookies of the one before are worth nothing.
    fn signature(&self, signing: &[u8], code: &str, ends: i64) -> [u8; 32] {
        crypto::hmac_sha256(signing, format!("{code}/{}/{ends}", self.password_version).as_bytes())
    }
}

/// Name of the cookie. With https the browser takes it from this host alone.
pub fn cookie_name(code: &str, https: bool) -> String {
    if https { format!("__Host-page-{code}") } else { format!("page-{code}") }
}

fn argon2() -> Result<Argon2<'static>, StatusPageError> {
    let params = Params::new(MEMORY, PASSES, 1, None).map_err(|error| StatusPageError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password. Takes tens of milliseconds of a processor.
pub fn hash(password: &str) -> Result<String, StatusPageError> {
    let salt = crypto::random_bytes::<16>();
    let hash: PasswordHash = argon2()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| StatusPageError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether it is the password of this hash. Takes as long as [`hash`].
pub fn is_right(password: &str, stored: &str) -> Result<bool, StatusPageError> {
    let parsed = PasswordHash::new(stored).map_err(|error| StatusPageError::Hash(error.to_string()))?;
    Ok(argon2()?.verify_password(password.as_bytes(), &parsed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought<'a>(address: &str, cookie: Option<&'a str>, key: Option<&'a str>) -> Brought<'a> {
        Brought {
            address: address.parse().unwrap(),
            cookie,
            key,
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_network_and_a_password_are_both_asked_for() {
        let restriction = Restriction {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            password_hash: Some(hash("open sesame").unwrap()),
            password_version: 1,
            key_hash: Some(crypto::sha256("key").to_vec()),
        };
        let judge = |brought: Brought<'_>| restriction.judge(&brought, b"signing", "abc");
        assert_eq!(judge(brought("192.0.2.1", None, Some("key"))), Verdict::Refused);
        assert_eq!(judge(brought("::ffff:10.1.2.3", None, None)), Verdict::AskPassword);
        assert_eq!(judge(brought("10.1.2.3", None, Some("other"))), Verdict::AskPassword);
        assert_eq!(judge(brought("10.1.2.3", None, Some("key"))), Verdict::Welcome);
        let cookie = restriction.cookie(b"signing", "abc", brought("10.1.2.3", None, None).now);
        assert_eq!(judge(brought("10.1.2.3", Some(&cookie), None)), Verdict::Welcome);
        let later = Brought {
            now: DateTime::from_timestamp(1_800_000_000 + 86_401, 0).unwrap(),
            ..brought("10.1.2.3", Some(&cookie), None)
        };
        assert_eq!(judge(later), Verdict::AskPassword, "it has ended");
        let other = Restriction { password_version: 2, ..restriction.clone() };
        assert_eq!(other.judge(&brought("10.1.2.3", Some(&cookie), None), b"signing", "abc"), Verdict::AskPassword);
        assert_eq!(
            restriction.judge(&brought("10.1.2.3", Some(&cookie), None), b"signing", "abd"),
            Verdict::AskPassword
        );
        let hash = restriction.password_hash.as_deref().unwrap();
        assert!(is_right("open sesame", hash).unwrap() && !is_right("open", hash).unwrap());
    }

    #[test]
    fn a_page_without_restriction_is_for_all() {
        assert_eq!(Restriction::default().judge(&brought("192.0.2.1", None, None), b"", ""), Verdict::Welcome);
        assert!(Restriction::default().is_open());
    }
}
