//! One-time links by mail. A room above, which has mail, writes them; without it their makers pass them on.

use async_trait::async_trait;

use super::{AuthError, Link};
use console::Lang;
use platform::{db::Tx, http::SessionUser, ids::OrgId};

/// A new link, and what its mail says besides. Not printed: the address opens an account.
pub struct LinkMail<'a> {
    pub org: OrgId,
    /// Name of the organisation.
    pub organisation: &'a str,
    /// Who made the link.
    pub by: &'a SessionUser,
    /// Name of the recipient; may be empty.
    pub name: &'a str,
    /// The recipient's; of somebody without an account, or of whom it is not known, that of the link's maker.
    pub language: Option<Lang>,
    pub link: &'a Link,
    pub url: &'a str,
}

#[async_trait]
pub trait LinkMailer: Send + Sync {
    /// Writes the mail in the transaction that makes the link: the organisation's for [`crate::LinkPurpose::Join`], one of the installation for
    /// [`crate::LinkPurpose::Reset`]. False if there is none; the log says why.
    async fn mail_link(&self, tx: &mut Tx, mail: &LinkMail<'_>) -> Result<bool, AuthError>;
}
