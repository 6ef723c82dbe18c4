//! The kinds of mail.

use super::model::Owner;
use platform::text_enum;

text_enum! {
    /// What a kind of mail is to its recipient.
    #[schema(as = MailClass)]
    pub enum Class {
        /// Asked for by what the recipient did, or about the safety of an account: nobody can unsubscribe from it.
        Transactional = "transactional",
        /// Carries `List-Unsubscribe`; recipients can unsubscribe from its kind.
        Notice = "notice",
    }
}

/// Whose mail has a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Senders {
    /// Its room is still to come.
    None,
    Installation,
    Organisations,
    Both,
}

/// A kind of mail.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub class: Class,
    senders: Senders,
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    pub fn is_notice(&self) -> bool {
        self.class == Class::Notice
    }

    /// Whether a wish to get no more of it ends it that a provider reports, whose own link is in every mail. Not what concerns the recipient's
    /// account: nobody who clicks there means to do without a password reset, and no page of ours would show it.
    pub fn ends_when_unsubscribed(&self) -> bool {
        self.is_notice() || self.name == API.name
    }

    /// Whether it has a link that opens an account, which only its recipient may read.
    pub fn is_secret(&self) -> bool {
        is_secret(self.name)
    }

    /// Whether such mail is sent in this owner's name: what nobody gets is not offered to be changed, filtered or unsubscribed from.
    pub fn is_sent_by(&self, owner: Owner) -> bool {
        match self.senders {
            Senders::None => false,
            Senders::Installation => owner == Owner::Installation,
            Senders::Organisations => owner != Owner::Installation,
            Senders::Both => true,
        }
    }

    /// What is sent first of the mail to a domain: the lowest. Somebody waits for a link; what organisations send by the API, and reports, may be
    /// thousands.
    pub fn priority(&self) -> i16 {
        if self.is_secret() || self.name == TEST.name {
            0
        } else if self.name == API.name || self.is_notice() && self.name != ALERT.name {
            2
        } else {
            1
        }
    }

    const fn transactional(name: &'static str, senders: Senders) -> Self {
        Self { name, class: Class::Transactional, senders }
    }

    const fn notice(name: &'static str, senders: Senders) -> Self {
        Self { name, class: Class::Notice, senders }
    }
}

/// As [`Kind::is_secret`], by name.
pub(crate) fn is_secret(name: &str) -> bool {
    [VERIFY.name, INVITATION.name, PASSWORD_RESET.name].contains(&name)
}

pub static VERIFY: Kind = Kind::transactional("verify", Senders::None);
pub static WELCOME: Kind = Kind::transactional("welcome", Senders::Organisations);
pub static INVITATION: Kind = Kind::transactional("invitation", Senders::Organisations);
pub static PASSWORD_RESET: Kind = Kind::transactional("password_reset", Senders::Installation);
pub static NEW_DEVICE: Kind = Kind::transactional("new_device", Senders::Installation);
pub static MFA_CHANGED: Kind = Kind::transactional("mfa_changed", Senders::None);
pub static ALERT: Kind = Kind::notice("alert", Senders::Both);
pub static DIGEST: Kind = Kind::notice("digest", Senders::Installation);
/// What happened to a deal, a task and the like.
pub static ACTIVITY: Kind = Kind::notice("activity", Senders::None);
pub static BACKUP_REPORT: Kind = Kind::notice("backup_report", Senders::Installation);
pub static WEEKLY_REPORT: Kind = Kind::notice("weekly_report", Senders::Installation);
/// To whoever is on call: nobody unsubscribes from that.
pub static INCIDENT: Kind = Kind::transactional("incident", Senders::Both);
/// Asks a subscriber of a status page whether the address is theirs.
pub static STATUS_CONFIRM: Kind = Kind::transactional("status_confirm", Senders::Both);
/// To subscribers of a status page. It has a limit of its own per hour, so that a page with many subscribers holds up no other mail of its owner.
pub static STATUS_UPDATE: Kind = Kind::notice("status_update", Senders::Both);
/// Mail that an organisation sends by the API.
pub static API: Kind = Kind::transactional("api", Senders::Organisations);
/// Sent by hand, to try the settings.
pub static TEST: Kind = Kind::transactional("test", Senders::Both);

/// Every kind.
pub static KINDS: [&Kind; 16] = [
    &VERIFY,
    &WELCOME,
    &INVITATION,
    &PASSWORD_RESET,
    &NEW_DEVICE,
    &MFA_CHANGED,
    &ALERT,
    &DIGEST,
    &ACTIVITY,
    &BACKUP_REPORT,
    &WEEKLY_REPORT,
    &INCIDENT,
    &STATUS_CONFIRM,
    &STATUS_UPDATE,
    &API,
    &TEST,
];

/// The kinds that are sent in this owner's name.
pub fn sent_by(owner: Owner) -> Vec<&'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.is_sent_by(owner)).collect()
}
