//! Shell of a signed-in page.

use std::any::TypeId;
use std::future::Future;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::anonymous_shell::{AnonymousShell, see_other};
use super::shared::Key;
use super::{Console, NavItem, live};
use platform::crypto::{hex, sha256};
use platform::error::ApiError;
use platform::http::{OrgRef, Principal, Role, SessionUser};
use platform::ids::OrgId;

/// Page to which a person with a one-time password is redirected; owned by auth.
pub const PASSWORD_PAGE: &str = "/account/password";

/// Extractor for pages: a signed-in person, their session, and everything of [`AnonymousShell`]. Without a session it redirects to
/// `/login?next=<this page>`.
#[derive(Clone)]
pub struct Shell {
    page: AnonymousShell,
    principal: Principal,
    user: SessionUser,
}

/// A section of the navigation: its heading's translation key and its links.
pub struct NavSection<'a> {
    pub key: &'static str,
    pub items: Vec<&'a NavItem>,
}

impl Shell {
    /// The caller: pass it to the services.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn org_id(&self) -> OrgId {
        self.principal.org_id
    }

    pub fn user(&self) -> &SessionUser {
        &self.user
    }

    pub fn email(&self) -> &str {
        &self.user.email
    }

    /// First letter of the e-mail, for the avatar.
    pub fn initial(&self) -> String {
        self.user.email.chars().next().unwrap_or('?').to_uppercase().to_string()
    }

    pub fn orgs(&self) -> &[OrgRef] {
        &self.user.orgs
    }

    pub fn org_name(&self) -> &str {
        let org = self.user.orgs.iter().find(|org| org.id == self.principal.org_id);
        org.map_or("", |org| &org.name)
    }

    /// Whether to show elements that need at least `role`; the services check again.
    pub fn can(&self, role: Role) -> bool {
        self.principal.role >= role
    }

    pub fn is_admin(&self) -> bool {
        self.can(Role::Admin)
    }

    /// Whether to show elements that change data.
    pub fn can_edit(&self) -> bool {
        self.can(Role::Member)
    }

    /// The translation key of this person's role.
    pub fn role_key(&self) -> &'static str {
        match self.principal.role {
            Role::Viewer => "console-role-viewer",
            Role::Member => "console-role-member",
            Role::Admin => "console-role-admin",
            Role::Owner => "console-role-owner",
        }
    }

    /// The navigation for this role, in the order given by app.
    pub fn nav(&self) -> Vec<NavSection<'_>> {
        let mut sections: Vec<NavSection<'_>> = Vec::new();
        for item in self.page.console().nav().iter().filter(|item| self.sees(item)) {
            match sections.iter_mut().find(|section| section.key == item.section.key()) {
                Some(section) => section.items.push(item),
                None => sections.push(NavSection { key: item.section.key(), items: vec![item] }),
            }
        }
        sections
    }

    fn sees(&self, item: &NavItem) -> bool {
        self.can(item.role) && (self.user.is_operator || !item.operator)
    }

    /// Whether this page belongs to the link `href`, and to no more specific one: `/settings` is not current on `/settings/members`.
    pub fn is_current(&self, href: &str) -> bool {
        let path = self.path().split('?').next().unwrap_or_default();
        let belongs = |href: &str| {
            path == href || (href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')))
        };
        let closest = self.page.console().nav().iter().map(|item| item.href).filter(|href| belongs(href));
        closest.max_by_key(|href| href.len()) == Some(href)
    }

    /// What `read` returns, at most a second old if only the live part is wanted: shared with everybody of this organisation who has the
    /// same role and language, at the same address. `read` may depend on these and on nothing else of the person. Opening the page
    /// always reads.
    pub fn shared<'a, T: Clone + Send + Sync + 'static>(
        &'a self,
        read: impl Future<Output = Result<T, ApiError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, ApiError>> {
        let key = Key {
            what: TypeId::of::<T>(),
            org_id: self.org_id(),
            role: self.principal.role,
            is_operator: self.user.is_operator,
            lang: self.lang().code(),
            address: self.path().to_owned(),
        };
        let shared = self.console().shared();
        let anew = self.live().is_none_or(|asked| asked.anew);
        // Boxed: a page's queries are a future of 30 kB.
        Box::pin(async move { if anew { shared.read(key, read).await } else { shared.share(key, read).await } })
    }

    /// Whom and what this page was made for. Its live part belongs to no other page.
    pub fn stamp(&self) -> String {
        let (session, org, role) = (self.user.session_id, self.org_id(), self.principal.role.as_str());
        let (lang, version, assets) = (self.lang().code(), self.version(), self.console().assets().release());
        hex(&sha256(format!("{session} {org} {role} {} {lang} {version} {assets}", self.user.is_operator))[..8])
    }

    /// The signed-in person; `Err` with the page to visit first.
    fn signed_in(page: AnonymousShell, parts: &Parts) -> Result<Self, String> {
        let principal = parts.extensions.get::<Principal>().cloned();
        let Some((principal, user)) = principal.and_then(|who| who.user().cloned().map(|user| (who, user))) else {
            // After a form post there is no page to return to.
            let next = if parts.method == Method::GET { page.path() } else { "/" };
            return Err(format!("/login?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)));
        };
        if user.must_change_password && parts.uri.path() != PASSWORD_PAGE {
            return Err(PASSWORD_PAGE.to_owned());
        }
        Ok(Self { page, principal, user })
    }
}

impl Deref for Shell {
    type Target = AnonymousShell;

    fn deref(&self) -> &AnonymousShell {
        &self.page
    }
}

/// Why the page cannot be shown.
pub enum NoShell {
    /// Page to visit first: sign-in or the password change.
    First(String),
    Failed(ApiError),
}

impl IntoResponse for NoShell {
    fn into_response(self) -> Response {
        match self {
            Self::First(path) => see_other(&path),
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shell {
    type Rejection = NoShell;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoShell> {
        let console = Console::of(parts).map_err(NoShell::Failed)?;
        let page = AnonymousShell::new(console, parts);
        let signed_in = Self::signed_in(page.clone(), parts);
        let Some(asked) = page.live() else { return signed_in.map_err(NoShell::First) };
        // A script follows no redirect to a page that it did not ask for.
        let shell = signed_in.map_err(|_| NoShell::Failed(live::signed_out()))?;
        asked.check(&shell.stamp()).map_err(NoShell::Failed)?;
        Ok(shell)
    }
}
