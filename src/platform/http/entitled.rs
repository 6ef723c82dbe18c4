//! A stream goes on for minutes, and whoever reads it may lose the right to meanwhile: it ends soon after.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Authenticator, Principal};
use crate::platform::ids::OrgId;

/// How often it is looked whether the reader may go on.
const LOOK: Duration = Duration::from_secs(3);

/// What somebody showed to be who they are.
#[derive(Clone)]
pub(super) enum Credential {
    /// The value of a session's cookie.
    Session(String),
    /// As presented.
    ApiKey(String),
}

/// The right to an answer.
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

    /// Whether it still stands; yes where nobody knows.
    async fn stands(&self) -> bool {
        let found = match &self.credential {
            Credential::Session(token) => self.authenticator.session(token).await,
            Credential::ApiKey(key) => self.authenticator.api_key(key).await,
        };
        // Who looks at another of their organisations meanwhile is still a member of this one.
        let member = |who: Principal| {
            who.org_id == self.org || who.user().is_some_and(|user| user.orgs.iter().any(|org| org.id == self.org))
        };
        found.map_or(true, |who| who.is_some_and(member))
    }

    /// The body, which ends with an error when the right to it has ended.
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
                            tracing::info!("the reader may not read this any more: the stream is ended");
                            return Some((Err(axum::Error::new(Revoked)), None));
                        }
                    }
                }
            }
        });
        Body::new(StreamBody::new(frames))
    }
}
