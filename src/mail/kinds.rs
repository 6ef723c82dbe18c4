//! The kinds of mail.

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

/// A kind of mail.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub class: Class,
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

    const fn transactional(name: &'static str) -> Self {
        Self { name, class: Class::Transactional }
    }

    const fn notice(name: &'static str) -> Self {
        Self { name, class: Class::Notice }
    }
}

/// As [`Kind::is_secret`], by name.
pub(crate) fn is_secret(name: &str) -> bool {
    [VERIFY.name, INVITATION.name, PASSWORD_RESET.name].contains(&name)
}

pub static VERIFY: Kind = Kind::transactional("verify");
pub static WELCOME: Kind = Kind::transactional("welcome");
pub static INVITATION: Kind = Kind::transactional("invitation");
pub static PASSWORD_RESET: Kind = Kind::transactional("password_reset");
pub static NEW_DEVICE: Kind = Kind::transactional("new_device");
pub static MFA_CHANGED: Kind = Kind::transactional("mfa_changed");
pub static ALERT: Kind = Kind::notice("alert");
pub static DIGEST: Kind = Kind::notice("digest");
/// What happened to a deal, a task and the like.
pub static ACTIVITY: Kind = Kind::notice("activity");
pub static BACKUP_REPORT: Kind = Kind::notice("backup_report");
pub static WEEKLY_REPORT: Kind = Kind::notice("weekly_report");
/// Mail that an organisation sends by the API.
pub static API: Kind = Kind::transactional("api");
/// Sent by hand, to try the settings.
pub static TEST: Kind = Kind::transactional("test");

/// Every kind.
pub static KINDS: [&Kind; 13] = [
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
    &API,
    &TEST,
];
