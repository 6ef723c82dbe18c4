//! Members of the organisation, and links for new ones.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{
    Auth, AuthError, Link, LinkId, Member, NewLink,
    service::{may_grant, may_manage},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    http::{ListQuery, Path, Query, Role, Scope, Slice},
    ids::UserId,
};

const SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "auth/templates/members.html")]
struct MembersPage<'a> {
    shell: &'a Shell,
    members: Vec<Member>,
    links: Vec<Link>,
    /// Just created: its address is shown only once.
    new_link: Option<NewLink>,
    query: ListQuery,
    pager: Pager,
    email: &'a str,
    role: Role,
    errors: FormErrors,
}

impl MembersPage<'_> {
    fn grantable(&self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| may_grant(self.shell.principal().role, *role)).collect()
    }

    fn may_manage(&self, member: &Member) -> bool {
        may_manage(self.shell.principal().role, member.role)
    }

    fn is_self(&self, member: &Member) -> bool {
        self.shell.user().user_id == member.user_id
    }
}

/// The page's content besides its lists.
struct Shown<'a> {
    query: ListQuery,
    new_link: Option<NewLink>,
    email: &'a str,
    role: Role,
    errors: FormErrors,
}

impl Default for Shown<'_> {
    fn default() -> Self {
        Self {
            query: ListQuery::default(),
            new_link: None,
            email: "",
            role: Role::Member,
            errors: FormErrors::default(),
        }
    }
}

async fn render(shell: &Shell, auth: &Auth, shown: Shown<'_>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let query = shown.query.sized(SHOWN);
    let slice = query.slice()?;
    let rows = auth.list_members(shell.principal(), query.search(), &slice).await?;
    let page = slice.page(rows, |m| m.user_id.0);
    let links = auth.list_links(shell.principal(), &Slice::first(SHOWN.into())).await?;
    let pager = Pager::new("/settings/members", &[], &query, page.next_cursor.as_deref());
    let refused = !shown.errors.is_empty();
    let page = MembersPage {
        shell,
        members: page.data,
        links,
        new_link: shown.new_link,
        query,
        pager,
        email: shown.email,
        role: shown.role,
        errors: shown.errors,
    };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(auth): State<Auth>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &auth, Shown { query, ..Shown::default() }).await
}

#[derive(Deserialize)]
pub(super) struct LinkForm {
    #[serde(default)]
    email: String,
    role: Role,
}

pub(super) async fn create_link(shell: Shell, State(auth): State<Auth>, Form(form): Form<LinkForm>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let shown = match auth.create_join_link(shell.principal(), &form.email, form.role).await {
        Ok(link) => Shown { new_link: Some(link), ..Shown::default() },
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            Shown { email: &form.email, role: form.role, errors, ..Shown::default() }
        }
    };
    render(&shell, &auth, shown).await
}

pub(super) async fn create_reset_link(
    shell: Shell,
    State(auth): State<Auth>,
    Path(user): Path<UserId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    match auth.create_reset_link(shell.principal(), user).await {
        Ok(link) => render(&shell, &auth, Shown { new_link: Some(link), ..Shown::default() }).await,
        Err(AuthError::Forbidden(_)) => {
            Ok(shell.redirect("/settings/members", &Flash::error("auth-members-reset-refused")))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete_link(
    shell: Shell,
    State(auth): State<Auth>,
    Path(id): Path<LinkId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    auth.delete_link(shell.principal(), id).await?;
    Ok(shell.redirect("/settings/members", &Flash::ok("auth-members-link-deleted")))
}

#[derive(Deserialize)]
pub(super) struct RoleForm {
    role: Role,
}

pub(super) async fn set_role(
    shell: Shell,
    State(auth): State<Auth>,
    Path(user): Path<UserId>,
    Form(form): Form<RoleForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    match auth.set_member_role(shell.principal(), user, form.role).await {
        Ok(member) => {
            Ok(shell
                .redirect("/settings/members", &Flash::ok("auth-members-role-changed").with("email", &member.email)))
        }
        Err(AuthError::LastOwner) => Ok(shell.redirect("/settings/members", &Flash::error("error-last-owner"))),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
pub(super) struct RemoveForm {
    #[serde(default)]
    revoke_keys: Option<String>,
}

pub(super) async fn remove(
    shell: Shell,
    State(auth): State<Auth>,
    Path(user): Path<UserId>,
    Form(form): Form<RemoveForm>,
) -> PageResult {
    match auth.remove_member(shell.principal(), user, form.revoke_keys.is_some()).await {
        Ok(()) => Ok(shell.redirect("/settings/members", &Flash::ok("auth-members-removed"))),
        Err(AuthError::LastOwner) => Ok(shell.redirect("/settings/members", &Flash::error("error-last-owner"))),
        Err(error) => Err(error.into()),
    }
}
