//! How mails of an organisation look.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::colors;

/// What a mail shows of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branding {
    pub name: String,
    /// `#rrggbb`
    pub color: String,
    /// https
    pub logo_url: Option<String>,
    /// May have several lines, or none.
    pub footer: String,
    /// Address of this installation.
    pub public_url: String,
}

impl Branding {
    pub const NAME: &str = "Holdfast";
    pub const COLOR: &str = "#0a756b";

    /// As long as nobody has changed anything.
    pub fn built_in(public_url: &str) -> Self {
        Self {
            name: Self::NAME.to_owned(),
            color: Self::COLOR.to_owned(),
            logo_url: None,
            footer: String::new(),
            public_url: public_url.to_owned(),
        }
    }

    /// Of buttons. Part of a style: nothing but a colour comes through here.
    pub fn color(&self) -> &str {
        if colors::is_color(&self.color) { &self.color } else { Self::COLOR }
    }

    /// Of text on buttons.
    pub fn on_color(&self) -> &'static str {
        colors::on(self.color())
    }

    /// Of links in the text.
    pub fn link_color(&self) -> &str {
        colors::readable(self.color())
    }
}

/// Look and sender of an organisation's mails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailBranding)]
pub struct BrandingSettings {
    /// Shown above each mail.
    pub name: String,
    /// Of buttons: `#rrggbb`.
    pub color: String,
    /// An https address; null: the name is shown instead.
    pub logo_url: Option<String>,
    /// Below each mail.
    pub footer: String,
    /// Name of the sender; null: that of the configured one.
    pub from_name: Option<String>,
    /// Where answers go; null: to the sender.
    pub reply_to: Option<String>,
    /// Null: never changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl BrandingSettings {
    /// As long as nobody has changed anything.
    pub fn built_in() -> Self {
        Self {
            name: Branding::NAME.to_owned(),
            color: Branding::COLOR.to_owned(),
            logo_url: None,
            footer: String::new(),
            from_name: None,
            reply_to: None,
            updated_at: None,
        }
    }

    pub fn branding(&self, public_url: &str) -> Branding {
        Branding {
            name: self.name.clone(),
            color: self.color.clone(),
            logo_url: self.logo_url.clone(),
            footer: self.footer.clone(),
            public_url: public_url.to_owned(),
        }
    }
}

/// New look and sender, as [`BrandingSettings`] are given. A field that is empty or null returns to the default.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = MailBrandingChanges)]
#[serde(default, deny_unknown_fields)]
pub struct BrandingChanges {
    #[schema(max_length = 100)]
    pub name: String,
    /// `#rrggbb`
    #[schema(example = "#0a756b")]
    pub color: String,
    /// An https address.
    #[schema(max_length = 500)]
    pub logo_url: Option<String>,
    #[schema(max_length = 1000)]
    pub footer: String,
    #[schema(max_length = 100)]
    pub from_name: Option<String>,
    /// One address, which may have a name: `Help <help@example.com>`.
    pub reply_to: Option<String>,
    /// Changes nothing.
    pub updated_at: Option<DateTime<Utc>>,
}
