//! The rules of the auth capability, one file per subject; all extend [`Auth`].

mod administration;
mod bootstrap;
mod keys;
mod languages;
mod links;
mod members;
mod sessions;
mod sign_in;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};

pub use links::{Accept, Accepted, LinkInfo};
pub use members::{may_grant, may_manage};

use super::{AuthError, Config, LinkMailer, Metrics, authenticate::Caches, password::Hasher, upkeep::Usage};
use console::Lang;
use platform::{
    clock::Clock,
    db::Db,
    http::{self, Actor, Principal, RateLimiter, Scope, SessionUser},
    names::tidy,
};

/// Organisations, people, sessions, keys. Clones share everything.
#[derive(Clone)]
pub struct Auth {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub db: Db,
    pub clock: Clock,
    pub config: Config,
    /// All that API keys can have: those that the rooms declare.
    pub scopes: Vec<Scope>,
    /// Whether browsers use TLS: decides the cookie's name and attributes.
    pub https: bool,
    pub session_cookie: String,
    /// Address of the console, without a trailing slash.
    pub base_url: String,
    pub metrics: Metrics,
    pub hasher: Hasher,
    pub by_address: RateLimiter,
    pub by_account: RateLimiter,
    pub caches: Caches,
    /// Counts changes to permissions: cached answers from before the latest change are not used.
    pub generation: AtomicU64,
    pub usage: Usage,
    /// The file with the first administrator's password, when this process has a data directory.
    pub first_password: OnceLock<PathBuf>,
    /// Absent on the command line, where links are printed.
    pub link_mailer: OnceLock<Arc<dyn LinkMailer>>,
}

/// Origin of a sign-in.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub user_agent: String,
    /// The language that was chosen in the console of this browser, and the one that the browser asks for.
    pub chosen: Option<Lang>,
    pub preferred: Option<Lang>,
}

impl Auth {
    /// Computes one password hash (tens of milliseconds); does not touch the database.
    pub fn new(
        db: Db,
        clock: Clock,
        config: &Config,
        server: &http::Config,
        scopes: Vec<Scope>,
        metrics: Metrics,
    ) -> Result<Self, AuthError> {
        let limiter = |per_minute| RateLimiter::new(per_minute, per_minute);
        let inner = Inner {
            db,
            clock,
            scopes,
            https: server.is_https(),
            session_cookie: server.session_cookie(),
            base_url: server.base_url(),
            hasher: Hasher::new(config, metrics.clone())?,
            by_address: limiter(config.attempts_per_minute_per_address),
            by_account: limiter(config.attempts_per_minute_per_account),
            caches: Caches::default(),
            generation: AtomicU64::new(0),
            usage: Usage::default(),
            first_password: OnceLock::new(),
            link_mailer: OnceLock::new(),
            metrics,
            config: config.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Has new one-time links mailed. The first call counts.
    pub fn mails_links_by(&self, mailer: Arc<dyn LinkMailer>) {
        let _ = self.inner.link_mailer.set(mailer);
    }

    /// Whether cookies are `Secure` and carry the `__Host-` prefix.
    pub fn is_https(&self) -> bool {
        self.inner.https
    }

    pub fn session_cookie_name(&self) -> &str {
        &self.inner.session_cookie
    }

    /// All that API keys can have, in the order of the rooms.
    pub fn scopes(&self) -> &[Scope] {
        &self.inner.scopes
    }

    /// Maximum lifetime of a session in seconds: the cookie's `Max-Age`.
    pub fn session_seconds(&self) -> i64 {
        i64::from(self.inner.config.session_absolute_days) * 86_400
    }

    /// Call after the commit of a change to sessions, keys, members or people. Look-ups started before it do not serve
    /// requests after it.
    pub(super) fn changed(&self) {
        self.inner.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// A session last seen before this has expired.
    pub(super) fn idle_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::days(self.inner.config.session_idle_days.into())
    }
}

/// The signed-in person, even with a one-time password: signing out and changing the password are always allowed.
pub(super) fn person(who: &Principal) -> Result<&SessionUser, AuthError> {
    match &who.actor {
        Actor::User(user) => Ok(user),
        Actor::ApiKey(_) => Err(AuthError::NeedsPerson),
    }
}

/// The signed-in person, whose password must not be a one-time one.
pub(super) fn settled(who: &Principal) -> Result<&SessionUser, AuthError> {
    let user = person(who)?;
    if user.must_change_password { Err(AuthError::PasswordChangeRequired) } else { Ok(user) }
}

/// The signed-in person, who must be an operator.
pub(super) fn operator(who: &Principal) -> Result<&SessionUser, AuthError> {
    let user = settled(who)?;
    if user.is_operator {
        Ok(user)
    } else {
        Err(AuthError::Forbidden("only operators of this installation can do this".into()))
    }
}

/// `value` normalised as a name, of `min..=max` characters and without control characters (which could corrupt a log).
pub(super) fn text(pointer: &'static str, value: &str, min: usize, max: usize) -> Result<String, AuthError> {
    let name = tidy(value);
    if value.trim().chars().any(char::is_control) || !(min..=max).contains(&name.chars().count()) {
        return Err(AuthError::Field(
            pointer,
            format!("{min} to {max} visible characters, without control characters"),
        ));
    }
    Ok(name)
}

/// The e-mail in its normal form.
pub(super) fn email(value: &str) -> Result<String, AuthError> {
    let email = super::email::normal_email(value);
    super::email::check_email(&email).map_err(|why| AuthError::Field("/email", why.to_owned()))?;
    Ok(email)
}
