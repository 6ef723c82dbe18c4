//! Inputs from app, and how the console gets into every request.

use std::sync::Arc;

use axum::http::request;
use axum::{Extension, Router, middleware};

use super::api_docs::Reference;
use super::pages::OverviewSource;
use super::{assets, error_pages, pages};
use crate::platform::error::ApiError;
use crate::platform::http::Role;

/// A link of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    pub href: &'static str,
    /// Translation key of the link.
    pub key: &'static str,
    /// A symbol of `assets/icons.svg`.
    pub icon: &'static str,
    /// Translation key of its section heading; items of one section are adjacent. Empty: no heading.
    pub section: &'static str,
    /// Lowest role that sees it.
    pub role: Role,
    /// Only for operators of the installation.
    pub operator: bool,
}

/// Inputs from app.
pub struct Parts {
    pub nav: Vec<NavItem>,
    pub overview: Arc<dyn OverviewSource>,
    /// The `OpenAPI` document behind `/api/docs`.
    pub openapi: serde_json::Value,
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
        &self.0.parts.nav
    }

    pub(super) fn overview(&self) -> &dyn OverviewSource {
        &*self.0.parts.overview
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
    }

    pub(super) fn https(&self) -> bool {
        self.0.parts.https
    }
}
