//! What app gives the console, and how the console gets into every request.

use std::sync::Arc;

use axum::http::request;
use axum::{Extension, Router, middleware};

use super::api_docs::Reference;
use super::pages::OverviewSource;
use super::shell::Sessions;
use super::{assets, error_pages, pages};
use crate::platform::error::ApiError;
use crate::platform::http::Role;

/// One link of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    pub href: &'static str,
    /// Translation key of the link.
    pub key: &'static str,
    /// A symbol of `assets/icons.svg`.
    pub icon: &'static str,
    /// Translation key of the heading it stands under; items of one section stand together. Empty: no heading.
    pub section: &'static str,
    /// The least role that sees it.
    pub role: Role,
}

/// What app must provide.
pub struct Parts {
    pub nav: Vec<NavItem>,
    pub sessions: Arc<dyn Sessions>,
    pub overview: Arc<dyn OverviewSource>,
    /// The `OpenAPI` document behind `/api/docs`.
    pub openapi: serde_json::Value,
    /// Derived from the master key, for this purpose alone.
    pub csrf_key: [u8; 32],
    /// Whether `server.public_url` is https: cookies are Secure, no banner.
    pub https: bool,
}

/// The console's state; cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    parts: Parts,
    reference: Reference,
}

impl Console {
    pub fn new(parts: Parts) -> Self {
        let reference = Reference::new(&parts.openapi);
        Self(Arc::new(Inner { parts, reference }))
    }

    /// The console's own routes: `/`, `/api/docs`, `/console/preferences`, `/assets/...`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        pages::router().merge(assets::router())
    }

    /// Puts the console into every request and turns errors into pages for browsers. Must lie inside (be added before)
    /// the layer that authenticates, and around every router with pages.
    pub fn wrap<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router
            .layer(middleware::from_fn_with_state(self.clone(), error_pages::layer))
            .layer(Extension(self.clone()))
    }

    pub(super) fn of(parts: &request::Parts) -> Result<Self, ApiError> {
        let missing = || ApiError::internal(anyhow::anyhow!("a page outside of Console::wrap: {}", parts.uri.path()));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }

    pub(super) fn nav(&self) -> &[NavItem] {
        &self.0.parts.nav
    }

    pub(super) fn sessions(&self) -> &dyn Sessions {
        &*self.0.parts.sessions
    }

    pub(super) fn overview(&self) -> &dyn OverviewSource {
        &*self.0.parts.overview
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
    }

    pub(super) fn csrf_key(&self) -> &[u8; 32] {
        &self.0.parts.csrf_key
    }

    pub(super) fn https(&self) -> bool {
        self.0.parts.https
    }
}
