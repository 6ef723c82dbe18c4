//! The look of an owner's mails.

use axum::http::Uri;
use sqlx::PgConnection;

use super::{Mail, outbox::NOT_ASCII};
use crate::{
    MailError, Owner,
    address::Address,
    render::{self, Branding, BrandingChanges, BrandingSettings},
    store::branding,
};
use platform::{
    error::FieldError,
    http::Principal,
    names::{tidy, tidy_text},
};

/// Longest fields of the look, characters.
const LONGEST_NAME: usize = 100;
const LONGEST_LOGO: usize = 500;
const LONGEST_FOOTER: usize = 1000;

impl Mail {
    pub async fn branding(&self, owner: Owner) -> Result<BrandingSettings, MailError> {
        let mut tx = self.begin(owner).await?;
        let settings = self.branding_of(&mut tx, owner).await?;
        tx.commit().await?;
        Ok(settings)
    }

    pub async fn save_branding(
        &self,
        who: &Principal,
        owner: Owner,
        changes: &BrandingChanges,
    ) -> Result<BrandingSettings, MailError> {
        let new = checked(changes)?;
        let mut tx = self.begin(owner).await?;
        branding::save(&mut tx, owner.org(), &new, self.inner.clock.now()).await?;
        let saved = self.branding_of(&mut tx, owner).await?;
        tx.commit().await?;
        tracing::info!(by = who.subject(), "look of mails changed");
        Ok(saved)
    }

    /// Look and sender of the owner's mails, in the caller's transaction.
    pub(super) async fn branding_of(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
    ) -> Result<BrandingSettings, MailError> {
        Ok(branding::get(conn, owner.org()).await?.unwrap_or_else(BrandingSettings::built_in))
    }
}

/// The look to save, or what is invalid.
fn checked(changes: &BrandingChanges) -> Result<BrandingSettings, MailError> {
    let mut errors = Vec::new();
    let mut limited = |pointer: &str, text: String, most: usize| {
        if text.chars().count() > most {
            errors.push(FieldError::new(pointer, "too_long", format!("at most {most} characters")));
        }
        text
    };
    let name = limited("/name", tidy(&changes.name), LONGEST_NAME);
    let footer = limited("/footer", tidy_text(&changes.footer.replace("\r\n", "\n")), LONGEST_FOOTER);
    let from_name = limited("/from_name", tidy(changes.from_name.as_deref().unwrap_or_default()), LONGEST_NAME);
    let logo_url = changes.logo_url.as_deref().unwrap_or_default().trim().to_owned();
    let logo_url = limited("/logo_url", logo_url, LONGEST_LOGO);
    let color = changes.color.trim().to_ascii_lowercase();
    if !color.is_empty() && !render::is_color(&color) {
        errors.push(FieldError::new("/color", "invalid", "expected a colour such as #0a756b"));
    }
    if !logo_url.is_empty() && !is_logo(&logo_url) {
        let detail = "expected an address that begins with https://: mail programs load no other images";
        errors.push(FieldError::new("/logo_url", "invalid", detail));
    }
    let reply_to = changes.reply_to.as_deref().unwrap_or_default().trim();
    let reply_to = if reply_to.is_empty() {
        None
    } else {
        let address = match Address::parse(reply_to) {
            Ok(address) if address.needs_smtputf8() => Err(NOT_ASCII.to_owned()),
            parsed => parsed.map_err(|error| error.to_string()),
        };
        address
            .map_err(|detail| errors.push(FieldError::new("/reply_to", "invalid", detail)))
            .ok()
            .map(|address| address.to_string())
    };
    if !errors.is_empty() {
        return Err(MailError::Invalid(errors));
    }
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let set = |text: String| (!text.is_empty()).then_some(text);
    Ok(BrandingSettings {
        name: or(name, Branding::NAME),
        color: or(color, Branding::COLOR),
        logo_url: set(logo_url),
        footer,
        from_name: set(from_name),
        reply_to,
        updated_at: None,
    })
}

/// An https address without a user name.
fn is_logo(address: &str) -> bool {
    address.parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https") && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_look_is_validated_field_by_field() {
        let bad = BrandingChanges {
            name: "x".repeat(101),
            color: "red".to_owned(),
            logo_url: Some("http://example.com/logo.png".to_owned()),
            footer: "x".repeat(1001),
            from_name: Some("x".repeat(101)),
            reply_to: Some("a@b.example, c@d.example".to_owned()),
            updated_at: None,
        };
        let Err(MailError::Invalid(errors)) = checked(&bad) else { panic!("accepted") };
        let mut pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/color", "/footer", "/from_name", "/logo_url", "/name", "/reply_to"]);
        let beyond_ascii =
            BrandingChanges { reply_to: Some("почта@example.com".to_owned()), ..BrandingChanges::default() };
        let Err(MailError::Invalid(errors)) = checked(&beyond_ascii) else { panic!("accepted") };
        assert_eq!(errors[0].pointer, "/reply_to", "all mail of the organisation would fail at most servers");
        for logo in ["https://user@example.com/a.png", "javascript:alert(1)", "//example.com/a.png", "https://"] {
            assert!(!is_logo(logo), "{logo}");
        }
    }

    #[test]
    fn empty_fields_return_to_the_default() {
        assert_eq!(checked(&BrandingChanges::default()).unwrap(), BrandingSettings::built_in());
        let new = BrandingChanges {
            name: " Аналитические\u{202e} машины\n".to_owned(),
            color: "#ABCDEF".to_owned(),
            logo_url: Some("https://example.com/logo.png".to_owned()),
            footer: "one\r\ntwo".to_owned(),
            from_name: Some("Машины\r\nBcc: x@example.com".to_owned()),
            reply_to: Some("\"Боб, Я\" <help@Пример.рф>".to_owned()),
            updated_at: None,
        };
        let saved = checked(&new).unwrap();
        assert_eq!((saved.name.as_str(), saved.color.as_str()), ("Аналитические машины", "#abcdef"));
        assert_eq!(saved.footer, "one\ntwo");
        assert_eq!(saved.from_name.as_deref(), Some("Машины  Bcc: x@example.com"));
        assert_eq!(saved.reply_to.as_deref(), Some("\"Боб, Я\" <help@xn--e1afmkfd.xn--p1ai>"));
    }

    #[test]
    fn what_is_given_can_be_sent_back() {
        for settings in [
            BrandingSettings::built_in(),
            BrandingSettings {
                logo_url: Some("https://example.com/logo.png".to_owned()),
                from_name: Some("Harbour".to_owned()),
                reply_to: Some("Help <help@example.com>".to_owned()),
                updated_at: Some(chrono::DateTime::UNIX_EPOCH),
                ..BrandingSettings::built_in()
            },
        ] {
            let sent: BrandingChanges = serde_json::from_value(serde_json::to_value(&settings).unwrap()).unwrap();
            assert_eq!(checked(&sent).unwrap(), BrandingSettings { updated_at: None, ..settings });
        }
    }
}
