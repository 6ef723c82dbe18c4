//! Links to unsubscribe, and what recipients choose behind them.
//!
//! A link names owner, kind and address itself, signed with a key derived from the master key: it works for as long as somebody keeps the mail,
//! while the message's row is dropped after a while. Whoever has the mail may unsubscribe its recipient, and learns nothing but the address.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::Mail;
use crate::{
    Address, KINDS, Kind, MailError,
    bounces::BounceKind,
    model::{Owner, Reason},
    store::preferences,
};
use platform::{crypto, db::Tx, ids::OrgId};

/// Purpose of the key that signs the links.
const LABEL: &str = "mail.unsubscribe";
/// `created_by` of what recipients choose.
const RECIPIENT: &str = "unsubscribe";
/// Bytes of the signature: 128 bits cannot be guessed, and every mail has two of these links.
const MAC: usize = 16;

/// Whom a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub owner: Owner,
    /// Kind of the mail that the link was in; it is offered in any case.
    pub kind: &'static Kind,
    /// Lower case.
    pub address: String,
}

/// What a recipient gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Each kind that one can unsubscribe from and that the owner sends, and whether it is sent there.
    pub kinds: Vec<(&'static Kind, bool)>,
    /// Nothing is sent there, for another reason.
    pub is_blocked: bool,
}

impl Mail {
    /// The link in a notice of this kind to this address, for `List-Unsubscribe` and the text; the same for each such notice.
    pub fn unsubscribe_link(&self, owner: Owner, kind: &Kind, to: &str) -> String {
        let org = owner.org().map_or(Uuid::nil(), |org| org.0);
        let signed = [org.as_bytes().as_slice(), kind.name.as_bytes(), b"\0", to.to_lowercase().as_bytes()].concat();
        let token = URL_SAFE_NO_PAD.encode([self.mac(&signed).as_slice(), &signed].concat());
        format!("{}/mail/unsubscribe/{token}", self.inner.public_url)
    }

    /// Whom a link's token is for; `None` if it is not one of ours.
    pub(crate) fn open_unsubscribe(&self, token: &str) -> Option<Recipient> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, signed) = bytes.split_at_checked(MAC)?;
        if !crypto::constant_time_eq(mac, &self.mac(signed)) {
            return None;
        }
        let (org, rest) = signed.split_at_checked(16)?;
        let (kind, address) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        let org = Some(Uuid::from_slice(org).ok()?).filter(|org| !org.is_nil()).map(OrgId);
        Some(Recipient { owner: Owner::of(org), kind: Kind::named(kind)?, address: address.to_owned() })
    }

    fn mac(&self, signed: &[u8]) -> [u8; MAC] {
        let mac = crypto::hmac_sha256(&self.inner.master_key.derive(LABEL), signed);
        std::array::from_fn(|at| mac[at])
    }

    /// Nothing more of the link's kind is sent.
    pub(crate) async fn unsubscribe(&self, recipient: &Recipient) -> Result<(), MailError> {
        let mut tx = self.begin(recipient.owner).await?;
        let is_new = self.stop(&mut tx, recipient, recipient.kind).await?;
        tx.commit().await?;
        if is_new {
            self.unsubscribed(recipient, recipient.kind);
        }
        Ok(())
    }

    /// What this recipient gets of the owner's notices.
    pub async fn preferences(&self, recipient: &Recipient) -> Result<Preferences, MailError> {
        let mut tx = self.begin(recipient.owner).await?;
        let suppressed = preferences::suppressed(&mut tx, recipient.owner.org(), &recipient.address).await?;
        tx.commit().await?;
        let is_sent = |kind: &Kind| !suppressed.iter().any(|(of, _)| of == kind.name);
        let kinds = notices(recipient).map(|kind| (kind, is_sent(kind))).collect();
        Ok(Preferences { kinds, is_blocked: suppressed.iter().any(|(of, _)| of == "*") })
    }

    /// Sends these kinds again, and none of the others that one can unsubscribe from. What is suppressed for another reason stays so.
    pub async fn set_preferences(&self, recipient: &Recipient, wanted: &[&str]) -> Result<(), MailError> {
        let mut stopped = Vec::new();
        let mut tx = self.begin(recipient.owner).await?;
        for kind in notices(recipient) {
            if wanted.contains(&kind.name) {
                let org = recipient.owner.org();
                if preferences::subscribe(&mut tx, org, &recipient.address, kind.name).await? {
                    tracing::info!(kind = kind.name, "a recipient wants a kind of mail again");
                }
            } else if self.stop(&mut tx, recipient, kind).await? {
                stopped.push(kind);
            }
        }
        tx.commit().await?;
        for kind in stopped {
            self.unsubscribed(recipient, kind);
        }
        Ok(())
    }

    /// False if this kind was not sent there anyway.
    async fn stop(&self, tx: &mut Tx, recipient: &Recipient, kind: &Kind) -> Result<bool, MailError> {
        let Recipient { owner, address, .. } = recipient;
        let address = Address::new("", address).map_err(|error| MailError::bad_address("/to", error))?;
        self.suppress_address(tx, *owner, &address, kind.name, Reason::Unsubscribed, "", None, RECIPIENT).await
    }

    fn unsubscribed(&self, recipient: &Recipient, kind: &Kind) {
        self.inner.metrics.bounces.counted(BounceKind::Unsubscribe);
        let org = recipient.owner.org().map(|org| org.to_string());
        tracing::info!(org_id = org, kind = kind.name, "a recipient unsubscribed from a kind of mail");
    }
}

/// The link's own kind always: it may be of a mail that another version sent.
fn notices(recipient: &Recipient) -> impl Iterator<Item = &'static Kind> {
    let is_offered = move |kind: &&Kind| kind.is_sent_by(recipient.owner) || *kind == recipient.kind;
    KINDS.iter().copied().filter(|kind| kind.is_notice()).filter(is_offered)
}
