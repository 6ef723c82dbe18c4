//! `holdfast_auth_*`, and functions that log and count an event together.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use platform::label_enum;

/// 5 ms to 2 s: one argon2id hash should take 20 to 250 ms.
const HASH_BUCKETS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 2.0];

label_enum! {
    /// How a sign-in ended.
    pub enum Login {
        Ok = "ok",
        UnknownAccount = "unknown_account",
        WrongPassword = "wrong_password",
        Disabled = "disabled",
        NoOrganisation = "no_organisation",
        LimitedByAddress = "limited_by_address",
        LimitedByAccount = "limited_by_account",
        Busy = "busy",
    }
}

label_enum! {
    /// The credential that was looked up.
    pub enum Credential {
        Session = "session",
        ApiKey = "api_key",
    }
}

label_enum! {
    /// Whether the cache answered.
    pub enum Lookup {
        Hit = "hit",
        Miss = "miss",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    outcome: Login,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    credential: Credential,
    cache: Lookup,
}

/// The metrics of this capability. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    logins: Family<LoginLabels, Counter>,
    hash_seconds: Histogram,
    busy: Counter,
    /// `[session, api key]` of `[hit, miss]`: used by every request, so the handles are kept.
    lookups: [[Counter; 2]; 2],
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let logins = Family::<LoginLabels, Counter>::default();
        for &outcome in Login::ALL {
            drop(logins.get_or_create(&LoginLabels { outcome }));
        }
        registry.register("logins", "Sign-in attempts by outcome", logins.clone());
        let hash_seconds = Histogram::new(HASH_BUCKETS);
        registry.register_with_unit(
            "password_hash",
            "Duration of one password hash, without waiting",
            Unit::Seconds,
            hash_seconds.clone(),
        );
        let busy = Counter::default();
        registry.register(
            "password_hash_rejected",
            "Password hashes refused because too many were waiting",
            busy.clone(),
        );
        let lookups = Family::<LookupLabels, Counter>::default();
        let handles = [Credential::Session, Credential::ApiKey].map(|credential| {
            [Lookup::Hit, Lookup::Miss].map(|cache| lookups.get_or_create(&LookupLabels { credential, cache }).clone())
        });
        registry.register("lookups", "Look-ups of sessions and API keys by credential and cache result", lookups);
        Self { logins, hash_seconds, busy, lookups: handles }
    }

    /// Logs and counts a sign-in. The e-mail is logged only when the account exists: people type passwords into the
    /// wrong field.
    pub fn login(&self, outcome: Login, email: Option<&str>, address: &str) {
        self.logins.get_or_create(&LoginLabels { outcome }).inc();
        let email = email.unwrap_or_default();
        if outcome == Login::Ok {
            tracing::info!(email, address, "sign-in succeeded");
        } else {
            tracing::warn!(email, address, reason = outcome.as_str(), "sign-in failed");
        }
    }

    pub fn busy(&self) {
        self.busy.inc();
    }

    pub fn hashed(&self, took: Duration) {
        self.hash_seconds.observe(took.as_secs_f64());
    }

    pub fn lookup(&self, credential: Credential, cache: Lookup) {
        self.lookups[usize::from(credential == Credential::ApiKey)][usize::from(cache == Lookup::Miss)].inc();
    }
}
