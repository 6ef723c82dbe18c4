//! Health checks: someone can administer this installation, and browsers reach it safely.

use async_trait::async_trait;

use super::{Auth, AuthError, store::accounts};
use platform::health::{Check, CheckResult};

/// This capability's checks.
pub fn checks(auth: &Auth) -> Vec<Box<dyn Check>> {
    vec![Box::new(Admin(auth.clone())), Box::new(Transport(auth.clone()))]
}

struct Admin(Auth);

#[async_trait]
impl Check for Admin {
    fn name(&self) -> &'static str {
        "auth.admin"
    }

    async fn run(&self) -> CheckResult {
        let found = async {
            let mut tx = self.0.inner.db.system().await?;
            let found = accounts::health(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, AuthError>(found)
        };
        match found.await {
            Err(error) => CheckResult::fail(
                format!("cannot read the accounts: {:#}", anyhow::Error::from(error)),
                "see the database check",
            ),
            Ok((0, ..)) => CheckResult::fail(
                "no organisation has an owner who can sign in",
                "run `holdfast serve` once, or `holdfast user create --role owner`",
            ),
            Ok((_, ownerless @ 1.., _)) => CheckResult::warn(
                format!("{ownerless} organisation(s) without an owner"),
                "add one: `holdfast user add-to-org EMAIL SLUG --role owner`",
            ),
            Ok((_, _, one_time @ 1..)) => CheckResult::warn(
                format!("{one_time} operator(s) still have a one-time password"),
                "sign in and choose a password; a lost one is replaced by `holdfast user reset-password EMAIL`",
            ),
            Ok((owners, ..)) => CheckResult::pass(format!("{owners} owner(s), no one-time password left")),
        }
    }
}

struct Transport(Auth);

#[async_trait]
impl Check for Transport {
    fn name(&self) -> &'static str {
        "auth.transport"
    }

    async fn run(&self) -> CheckResult {
        let url = &self.0.inner.base_url;
        let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let local = ["127.0.0.1", "localhost", "[::1]"].iter().any(|l| host.starts_with(l));
        if self.0.is_https() {
            CheckResult::pass(format!("browsers use {url}"))
        } else if local {
            CheckResult::pass(format!("plain http, on this machine only: {url}"))
        } else {
            CheckResult::warn(
                format!("passwords and sessions travel unencrypted: {url}"),
                "put a TLS proxy in front and set server.public_url to its https:// address",
            )
        }
    }
}
