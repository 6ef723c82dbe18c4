//! A person's own sessions.

use super::{Auth, settled};
use crate::{AuthError, Device, Session, SessionId, store::sessions};
use platform::{
    http::{Principal, Slice},
    ids::UserId,
};

impl Auth {
    /// The person's active sessions, newest sign-in first.
    pub async fn list_sessions(&self, who: &Principal, slice: &Slice) -> Result<Vec<Session>, AuthError> {
        let user = settled(who)?;
        let now = self.now();
        let mine = sessions::Mine {
            user: user.user_id,
            current: user.session_id.into(),
            now,
            idle_since: self.idle_since(now),
            slice: *slice,
        };
        let mut tx = self.inner.db.system().await?;
        let list = sessions::list(&mut tx, &mine).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Where somebody signed in, for notices; `None` if they may not sign in any more.
    pub async fn device(&self, user: UserId, session: SessionId) -> Result<Option<Device>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let device = sessions::device(&mut tx, user, session).await?;
        tx.commit().await?;
        Ok(device)
    }

    /// Ends one of the person's sessions; 404 for another person's.
    pub async fn end_session(&self, who: &Principal, id: SessionId) -> Result<(), AuthError> {
        let user = settled(who)?;
        let mut tx = self.inner.db.system().await?;
        let found = sessions::delete(&mut tx, user.user_id, id).await?;
        tx.commit().await?;
        self.changed();
        if !found {
            return Err(AuthError::NotFound("session"));
        }
        tracing::info!(user_id = %user.user_id, session_id = %id, "session ended");
        Ok(())
    }

    /// Ends all of the person's sessions but the current one; returns how many.
    pub async fn end_other_sessions(&self, who: &Principal) -> Result<u64, AuthError> {
        let user = settled(who)?;
        let mut tx = self.inner.db.system().await?;
        let ended = sessions::delete_others(&mut tx, user.user_id, Some(user.session_id.into())).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(user_id = %user.user_id, sessions_ended = ended, "other sessions ended");
        Ok(ended)
    }
}
