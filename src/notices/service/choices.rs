//! Which notices a signed-in person gets by mail: the same choice as behind the link in each notice.

use super::Notices;
use crate::{NoticesError, model::Recipients};
use mail::{Owner, Preferences, Recipient, kinds};
use platform::http::{Principal, Role};

/// What a person may choose among the notices of one owner.
pub(crate) struct Choice {
    pub recipient: Recipient,
    pub preferences: Preferences,
}

impl Choice {
    /// The organisation's id; empty for the installation.
    pub(crate) fn whose(&self) -> String {
        self.recipient.owner.org().map(|org| org.to_string()).unwrap_or_default()
    }
}

impl Notices {
    /// Of the installation, if they are told about it, and of their current organisation, if they administer it. Others get no notices, nor do
    /// those without an address that mail can be sent to.
    pub(crate) async fn choices(&self, who: &Principal) -> Result<Vec<Choice>, NoticesError> {
        let Some(user) = who.user() else { return Ok(Vec::new()) };
        let Some(address) = Recipients::of([("", user.email.as_str())]).addresses.pop() else { return Ok(Vec::new()) };
        let address = address.key();
        let is_told = self.told().await?.addresses.iter().any(|told| told.key() == address);
        let owners =
            [is_told.then_some(Owner::Installation), (who.role >= Role::Admin).then_some(Owner::Org(who.org_id))];
        let mut choices = Vec::new();
        for owner in owners.into_iter().flatten() {
            // Every owner sends alerts, so nothing is added to what it sends.
            let recipient = Recipient { owner, kind: &kinds::ALERT, address: address.clone() };
            let preferences = self.inner.rooms.mail.preferences(&recipient).await?;
            choices.push(Choice { recipient, preferences });
        }
        Ok(choices)
    }

    /// Has these kinds of notices mailed, and no other that this choice has. It must be one of the person's.
    pub(crate) async fn choose(&self, who: &Principal, whose: &str, wanted: &[&str]) -> Result<(), NoticesError> {
        let choices = self.choices(who).await?;
        let choice = choices.iter().find(|choice| choice.whose() == whose).ok_or(NoticesError::NoChoice)?;
        self.inner.rooms.mail.set_preferences(&choice.recipient, wanted).await?;
        Ok(())
    }
}
