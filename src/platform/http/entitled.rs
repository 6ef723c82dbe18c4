//! Ends a long stream soon after its reader loses the right to read it.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Authenticator, Principal};
use crate::platform::ids::OrgId;

/// How often the right is checked again.
const LOOK: Duration = Duration::from_secs(3);

/// Credential of the request.
#[derive(Clone)]
pub(super) enum Credential {
    /// Value of the session cookie.
    Session(String),
    /// As presented.
    ApiKey(String),
}

/// Checks that the caller may still read the stream.
pub(super) struct Entitled {
    authenticator: Arc<dyn Authenticator>,
    credential: Credential,
    org: OrgId,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the session, the membership or the API key has ended")]
struct Revoked;

impl Entitled {
    pub fn new(authenticator: Arc<dyn Authenticator>, credential: Credential, principal: &Principal) -> Self {
        Self { authenticator, credential, org: principal.org_id }
    }

    /// Whether access is still granted; yes if the check itself fails.
    async fn stands(&self) -> bool {
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
    pub fn follow(self, body: Body) -> Body {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let frames = stream::unfold(Some((self, body, look)), |state| async move {
            let (entitled, mut body, mut look) = state?;
            loop {
                tokio::select! {
                    frame = body.frame() => return Some((frame?, Some((entitled, body, look)))),
                    _ = look.tick() => {
                        if !entitled.stands().await {
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
