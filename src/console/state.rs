//! Inputs from app, and how the console gets into every request.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::http::request;
use axum::{Extension, Router, middleware};

use super::api_docs::Reference;
use super::assets::{Asset, Assets};
use super::directory::Directory;
use super::i18n::{Lang, Locale, Texts};
use super::overview::{OverviewPart, Overviews};
use super::shared::Shared;
use super::{assets, error_pages, overview, pages};
use platform::crypto::MasterKey;
use platform::error::ApiError;
use platform::http::{Principal, Role};

/// A part of the navigation, in the order in which it shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Top,
    Build,
    Operate,
    Settings,
}

impl Section {
    /// Translation key of its heading; empty for none.
    pub fn key(self) -> &'static str {
        match self {
            Self::Top => "",
            Self::Build => "console-nav-build",
            Self::Operate => "console-nav-operate",
            Self::Settings => "console-nav-settings",
        }
    }
}

/// One link of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    pub href: &'static str,
    /// Translation key of the link.
    pub key: &'static str,
    /// A symbol of `assets/icons.svg`.
    pub icon: &'static str,
    pub section: Section,
    /// The least role that sees it.
    pub role: Role,
    /// Only for operators of the installation.
    pub operator: bool,
    /// The second letter of its shortcut: `g` and this one.
    pub letter: Option<char>,
}

impl NavItem {
    /// A link that everybody sees.
    pub const fn new(section: Section, href: &'static str, key: &'static str, icon: &'static str) -> Self {
        Self { href, key, icon, section, role: Role::Viewer, operator: false, letter: None }
    }

    /// Seen by those with at least `role`.
    #[must_use]
    pub const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Seen by operators of the installation.
    #[must_use]
    pub const fn operator(self) -> Self {
        Self { role: Role::Admin, operator: true, ..self }
    }

    /// Reached by `g` and this letter; no two links have the same.
    #[must_use]
    pub const fn keys(self, letter: char) -> Self {
        Self { letter: Some(letter), ..self }
    }
}

/// Something that the palette offers to do: a link to a page that makes something.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Translation key of what it does.
    pub key: &'static str,
    pub href: &'static str,
    /// The least role that may do it.
    pub role: Role,
}

/// A setting of the installation with its value, for the page that shows them.
#[derive(Debug, Clone)]
pub struct SettingLine {
    /// `section.name`
    pub key: String,
    /// As the configuration file has it; secrets are masked.
    pub value: String,
    pub is_default: bool,
    /// What it does, in English; empty for what no file describes.
    pub about: String,
}

/// What app must provide.
pub struct Parts {
    pub nav: Vec<NavItem>,
    pub locales: Vec<Locale>,
    pub assets: Vec<Asset>,
    pub commands: Vec<Command>,
    /// What the rooms show on the first page, in order.
    pub overview: Vec<Arc<dyn OverviewPart>>,
    /// What the rooms can name and find.
    pub directories: Vec<Arc<dyn Directory>>,
    pub settings: Vec<SettingLine>,
    /// The file that these settings are read from; empty for none.
    pub config_file: String,
    /// The `OpenAPI` document behind `/api/docs`.
    pub openapi: serde_json::Value,
    /// Whether `server.public_url` is https: cookies are Secure, no banner.
    pub https: bool,
    /// `server.public_url` without a slash at the end; empty if it is not set.
    pub public_url: String,
    /// Seals secrets that are shown once.
    pub key: MasterKey,
}

impl Parts {
    /// Nothing, for app and tests to fill in.
    pub fn new(key: MasterKey) -> Self {
        Self {
            nav: Vec::new(),
            locales: Vec::new(),
            assets: Vec::new(),
            commands: Vec::new(),
            overview: Vec::new(),
            directories: Vec::new(),
            settings: Vec::new(),
            config_file: String::new(),
            openapi: serde_json::Value::Null,
            https: false,
            public_url: String::new(),
            key,
        }
    }
}

/// Keeps the language that a signed-in person chooses beyond this browser, for mails to them. The room that knows people implements it.
#[async_trait]
pub trait LanguageKeeper: Send + Sync {
    async fn chosen(&self, who: &Principal, lang: Lang) -> Result<(), ApiError>;
}

/// The console's state; cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    nav: Vec<NavItem>,
    commands: Vec<Command>,
    overviews: Overviews,
    directories: Vec<Arc<dyn Directory>>,
    settings: Vec<SettingLine>,
    config_file: String,
    https: bool,
    public_url: String,
    key: MasterKey,
    texts: Arc<Texts>,
    assets: Assets,
    reference: Reference,
    shared: Shared,
    languages: OnceLock<Arc<dyn LanguageKeeper>>,
}

impl Console {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            mut nav,
            locales,
            assets,
            commands,
            overview,
            directories,
            settings,
            config_file,
            openapi,
            https,
            public_url,
            key,
        } = parts;
        // Sections in their order, and within each the rooms in theirs.
        nav.sort_by_key(|item| item.section);
        let (texts, assets, overviews) = (Texts::new(&locales), Assets::new(assets), Overviews::new(overview));
        let (reference, shared) = (Reference::new(&openapi), Shared::default());
        let languages = OnceLock::new();
        Self(Arc::new(Inner {
            nav,
            commands,
            overviews,
            directories,
            settings,
            config_file,
            https,
            public_url,
            key,
            texts,
            assets,
            reference,
            shared,
            languages,
        }))
    }

    /// Has chosen languages kept. The first call counts.
    pub fn keeps_languages_by(&self, keeper: Arc<dyn LanguageKeeper>) {
        let _ = self.0.languages.set(keeper);
    }

    /// The console's own routes: `/`, `/api/docs`, `/console/preferences`, `/assets/...`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        pages::router().merge(overview::router()).merge(assets::router())
    }

    /// Adds the console to every request and turns errors into pages for browsers. Wraps every router with pages; best placed outside
    /// authentication (inside compression), so that its errors become pages too.
    pub fn wrap<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router.layer(middleware::from_fn_with_state(self.clone(), error_pages::layer)).layer(Extension(self.clone()))
    }

    pub(super) fn of(parts: &request::Parts) -> Result<Self, ApiError> {
        let missing = || ApiError::internal(anyhow::anyhow!("a page outside of Console::wrap: {}", parts.uri.path()));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }

    pub(super) fn nav(&self) -> &[NavItem] {
        &self.0.nav
    }

    /// What the palette offers to do.
    pub fn commands(&self) -> &[Command] {
        &self.0.commands
    }

    /// The settings of this installation, by section.
    pub fn settings(&self) -> &[SettingLine] {
        &self.0.settings
    }

    /// The file that they are read from; empty for none.
    pub fn config_file(&self) -> &str {
        &self.0.config_file
    }

    pub(super) fn directories(&self) -> &[Arc<dyn Directory>] {
        &self.0.directories
    }

    pub(super) fn key(&self) -> &MasterKey {
        &self.0.key
    }

    pub(super) fn public_url(&self) -> &str {
        &self.0.public_url
    }

    pub(super) fn overviews(&self) -> &Overviews {
        &self.0.overviews
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(super) fn texts(&self) -> &Arc<Texts> {
        &self.0.texts
    }

    pub(super) fn assets(&self) -> &Assets {
        &self.0.assets
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
    }

    pub(super) fn language_keeper(&self) -> Option<&Arc<dyn LanguageKeeper>> {
        self.0.languages.get()
    }

    pub(super) fn https(&self) -> bool {
        self.0.https
    }
}
