//! Ends a long stream soon after its reader loses the right to read it.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Authenticator, Principal};
use crate::ids::OrgId;

/// How often the right is checked again.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);

/// Credential of the request.
#[derive(Clone)]
pub(super) enum Credential {
    /// Value of the session cookie.
    Session(String),
    /// As presented.
    ApiKey(String),
}

/// Checks that the caller may still read the stream.
pub(super) struct RevocationCheck {
    authenticator: Arc<dyn Authenticator>,
    credential: Credential,
    org: OrgId,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the session, the membership or the API key has ended")]
struct Revoked;

impl RevocationCheck {
    pub fn new(authenticator: Arc<dyn Authenticator>, credential: Credential, principal: &Principal) -> Self {
        Self { authenticator, credential, org: principal.org_id }
    }

    /// Whether access is still granted; yes if the check itself fails.
    async fn is_valid(&self) -> bool {
        let found = match &self.credential {
            Credential::Session(token) => self.authenticator.session(token).await,
            Credential::ApiKey(key) => self.authenticator.api_key(key).await,
        };
        // A session may have switched organisation meanwhile; membership of this one is what counts.
        let member = |who: Principal| {
            who.org_id == self.org || who.user().is_some_and(|user| user.orgs.iter().any(|org| org.id == self.org))
        };
        found.map_or(true, |who| who.is_some_and(member))
    }

    /// Wraps the body; it ends with an error once access is lost.
    pub fn watch(self, body: Body) -> Body {
        let mut ticks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let frames = stream::unfold(Some((self, body, ticks)), |state| async move {
            let (check, mut body, mut ticks) = state?;
            loop {
                tokio::select! {
                    frame = body.frame() => return Some((frame?, Some((check, body, ticks)))),
                    _ = ticks.tick() => {
                        if !check.is_valid().await {
                            tracing::info!("the reader lost access: the stream is ended");
                            return Some((Err(axum::Error::new(Revoked)), None));
                        }
                    }
                }
            }
        });
        Body::new(StreamBody::new(frames))
    }
}
