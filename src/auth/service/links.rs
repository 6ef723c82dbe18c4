//! One-time links: join an organisation or set a new password. Their maker sees them; where mail is configured, they are mailed, too.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Auth, Client, email, may_grant, may_manage, settled, text};
use crate::{
    AuthError, Link, LinkId, LinkMail, LinkPurpose, NewLink, SignedIn,
    email::spellings,
    model::{Account, LinkRow},
    password::check_rules,
    store::{
        accounts::{self, NewUser},
        links, members, sessions,
    },
};
use platform::{
    crypto,
    db::Tx,
    http::{Principal, Role, Slice, address_key},
    ids::{OrgId, UserId},
};

/// What the page of an opened link shows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkInfo {
    pub purpose: LinkPurpose,
    pub email: String,
    /// Name of the organisation.
    pub organisation: String,
    pub role: Option<Role>,
    /// Whether the e-mail already has an account, which signs in instead of choosing a password.
    pub account_exists: bool,
}

/// The form of a link's page.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    pub name: String,
    /// Absent when a signed-in account joins.
    pub password: Option<SecretString>,
}

/// Result of using a link.
#[derive(Debug)]
pub enum Accepted {
    /// A session was opened.
    SignedIn(SignedIn),
    /// The signed-in person joined, and their session switched to this organisation.
    Joined(OrgId),
}

impl Auth {
    /// Newest first. The caller has checked the scope.
    pub async fn list_links(&self, who: &Principal, slice: &Slice) -> Result<Vec<Link>, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let list = links::list(&mut tx, self.now(), slice).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Creates a link with which the person with this e-mail becomes a member, and revokes an earlier one. Only for
    /// people: a member may do all that the role allows, which is more than any key's scopes, and stays when the key is
    /// revoked.
    pub async fn create_join_link(&self, who: &Principal, mail: &str, role: Role) -> Result<NewLink, AuthError> {
        settled(who)?;
        let mail = email(mail)?;
        if !may_grant(who.role, role) {
            return Err(AuthError::Forbidden(format!(
                "your role does not allow you to add a member as {}",
                role.as_str()
            )));
        }
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let member = members::by_email(&mut tx, &spellings(&mail)).await?;
        tx.commit().await?;
        if member {
            return Err(AuthError::AlreadyMember);
        }
        self.create_link(who, LinkPurpose::Join, mail, "", Some(role)).await
    }

    /// Creates a link with which a member sets a new password. Only an operator can do so for operators and for people
    /// who also belong to other organisations: the link would open those as well. Only for people: it signs in as that
    /// member.
    pub async fn create_reset_link(&self, who: &Principal, user: UserId) -> Result<NewLink, AuthError> {
        settled(who)?;
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let member = members::get(&mut tx, user).await?.ok_or(AuthError::NotFound("member"))?;
        tx.commit().await?;
        let mut tx = self.inner.db.system().await?;
        let account = accounts::account_by_id(&mut tx, user).await?.ok_or(AuthError::NotFound("member"))?;
        let elsewhere = accounts::organisations_of(&mut tx, user).await?.len() > 1;
        tx.commit().await?;
        let by_operator = who.user().is_some_and(|u| u.is_operator);
        if !by_operator && (elsewhere || account.is_operator || !may_manage(who.role, member.role)) {
            return Err(AuthError::Forbidden(
                "only an operator can reset this person's password: `holdfast user reset-password`".into(),
            ));
        }
        self.create_link(who, LinkPurpose::Reset, member.email, &member.name, None).await
    }

    async fn create_link(
        &self,
        who: &Principal,
        purpose: LinkPurpose,
        mail: String,
        name: &str,
        role: Option<Role>,
    ) -> Result<NewLink, AuthError> {
        let by = settled(who)?;
        let now = self.now();
        let token = crypto::random_token();
        let expires_at = now + TimeDelta::hours(self.inner.config.link_hours.into());
        let link =
            Link { id: LinkId::generate(&self.inner.clock), purpose, email: mail, role, created_at: now, expires_at };
        // In the query string, not in the path: paths are logged.
        let url = format!("{}/accept?token={token}", self.inner.base_url);
        let known = self.languages(&[link.email.clone(), by.email.clone()]).await?;
        let language = known.get(&link.email).or_else(|| known.get(&by.email)).copied();
        let mut tx = match purpose {
            LinkPurpose::Join => self.inner.db.tenant(who.org_id).await?,
            // A new password opens the account in all of its organisations: the mail is not for the eyes of one organisation's administrators.
            LinkPurpose::Reset => self.inner.db.system().await?,
        };
        links::delete_for(&mut tx, &link.email, purpose).await?;
        links::insert(&mut tx, who.org_id, &link, &crypto::sha256(&token), Some(by.user_id)).await?;
        let organisation = by.orgs.iter().find(|org| org.id == who.org_id).map_or("", |org| org.name.as_str());
        let mail = LinkMail { org: who.org_id, organisation, by, name, language, link: &link, url: &url };
        let mailed = match self.inner.link_mailer.get() {
            Some(mailer) => mailer.mail_link(&mut tx, &mail).await?,
            None => false,
        };
        tx.commit().await?;
        tracing::info!(org_id = %who.org_id, link_id = %link.id, purpose = purpose.as_str(), by = who.subject(), mailed, "one-time link created");
        Ok(NewLink { link, url, mailed })
    }

    /// Revokes an unused link.
    pub async fn delete_link(&self, who: &Principal, id: LinkId) -> Result<(), AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let found = links::delete(&mut tx, id).await?;
        tx.commit().await?;
        if !found {
            return Err(AuthError::NotFound("link"));
        }
        tracing::info!(org_id = %who.org_id, link_id = %id, by = who.subject(), "one-time link revoked");
        Ok(())
    }

    /// What the link offers, without using it.
    pub async fn open_link(&self, token: &str, client: &Client) -> Result<LinkInfo, AuthError> {
        self.inner.by_address.check(&address_key(client.address)).map_err(AuthError::TooMany)?;
        let (link, account) = self.find_link(token).await?;
        Ok(LinkInfo {
            purpose: link.purpose,
            email: link.email,
            organisation: link.org_name,
            role: link.role,
            account_exists: account.is_some(),
        })
    }

    async fn find_link(&self, token: &str) -> Result<(LinkRow, Option<Account>), AuthError> {
        let mut tx = self.inner.db.system().await?;
        let link = usable(&mut tx, token, self.now()).await?;
        let account = accounts::account_by_email(&mut tx, &spellings(&link.email)).await?;
        tx.commit().await?;
        Ok((link, account))
    }

    /// Uses the link: a new person gets an account and a session, an existing one must be signed in; a reset sets the
    /// password and ends all sessions.
    pub async fn accept_link(
        &self,
        token: &str,
        accept: Accept,
        who: Option<&Principal>,
        client: &Client,
    ) -> Result<Accepted, AuthError> {
        self.inner.by_address.check(&address_key(client.address)).map_err(AuthError::TooMany)?;
        let (link, account) = self.find_link(token).await?;
        match (link.purpose, account) {
            (LinkPurpose::Join, Some(account)) => {
                let user = settled(who.ok_or(AuthError::SignInFirst)?)?;
                if user.user_id != account.id {
                    return Err(AuthError::LinkForAnother);
                }
                self.join(token, &account, user.session_id.into()).await
            }
            (LinkPurpose::Join, None) => self.join_as_new(token, &link.email, accept, client).await,
            (LinkPurpose::Reset, Some(account)) => self.reset_by_link(token, &account, accept, client).await,
            (LinkPurpose::Reset, None) => Err(AuthError::LinkInvalid),
        }
    }

    async fn join(&self, token: &str, account: &Account, session: crate::SessionId) -> Result<Accepted, AuthError> {
        let now = self.now();
        let mut tx = self.inner.db.system().await?;
        let link = usable(&mut tx, token, now).await?;
        let role = link.role.ok_or(AuthError::LinkInvalid)?;
        accounts::insert_membership(&mut tx, link.org_id, account.id, role, now).await?;
        self.publish_member_added(&mut tx, link.org_id, account.id, role).await?;
        // A reset link of one organisation must not open the other.
        links::delete_for(&mut tx, &account.email, LinkPurpose::Reset).await?;
        sessions::set_organisation(&mut tx, session, link.org_id).await?;
        links::mark_used(&mut tx, link.id, now).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(org_id = %link.org_id, user_id = %account.id, role = role.as_str(), "member joined");
        Ok(Accepted::Joined(link.org_id))
    }

    async fn join_as_new(
        &self,
        token: &str,
        mail: &str,
        accept: Accept,
        client: &Client,
    ) -> Result<Accepted, AuthError> {
        let name = text("/name", &accept.name, 1, 200)?;
        let hash = self.hash_chosen(accept.password.as_ref(), mail).await?;
        let (id, now) = (UserId::generate(&self.inner.clock), self.now());
        // Read again: hashing took a while, and a concurrent request may have used the link.
        let mut tx = self.inner.db.system().await?;
        let link = usable(&mut tx, token, now).await?;
        let role = link.role.ok_or(AuthError::LinkInvalid)?;
        let user = NewUser {
            id,
            email: mail,
            name: &name,
            password_hash: &hash,
            must_change_password: false,
            is_operator: false,
            created_at: now,
        };
        accounts::insert_user(&mut tx, &user).await?;
        accounts::insert_membership(&mut tx, link.org_id, id, role, now).await?;
        self.publish_member_added(&mut tx, link.org_id, id, role).await?;
        links::mark_used(&mut tx, link.id, now).await?;
        let signed_in = self.open_session(&mut tx, id, link.org_id, false, client).await?;
        tx.commit().await?;
        tracing::info!(org_id = %link.org_id, user_id = %id, role = role.as_str(), "member joined with a new account");
        Ok(Accepted::SignedIn(signed_in))
    }

    async fn reset_by_link(
        &self,
        token: &str,
        account: &Account,
        accept: Accept,
        client: &Client,
    ) -> Result<Accepted, AuthError> {
        let hash = self.hash_chosen(accept.password.as_ref(), &account.email).await?;
        let now = self.now();
        let mut tx = self.inner.db.system().await?;
        let link = usable(&mut tx, token, now).await?;
        if account.disabled {
            return Err(AuthError::LinkInvalid);
        }
        accounts::set_password(&mut tx, account.id, &hash, false).await?;
        sessions::delete_others(&mut tx, account.id, None).await?;
        links::mark_used(&mut tx, link.id, now).await?;
        let signed_in = self.open_session(&mut tx, account.id, link.org_id, false, client).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(user_id = %account.id, "password reset by a one-time link");
        self.review_first_password().await;
        Ok(Accepted::SignedIn(signed_in))
    }

    async fn hash_chosen(&self, password: Option<&SecretString>, mail: &str) -> Result<String, AuthError> {
        let password = password.ok_or_else(|| AuthError::Field("/password", "choose a password".into()))?;
        check_rules(password.expose_secret(), mail)?;
        self.inner.hasher.hash(password.expose_secret()).await
    }
}

/// The link with this token, if its creator is still a member who may do what it does.
async fn usable(tx: &mut Tx, token: &str, now: DateTime<Utc>) -> Result<LinkRow, AuthError> {
    let link = links::by_token(tx, &crypto::sha256(token), now).await?.ok_or(AuthError::LinkInvalid)?;
    let stands = match link.role {
        Some(role) => link.maker_role.is_some_and(|maker| may_grant(maker, role)),
        None => link.maker_is_operator || link.maker_role.is_some_and(|maker| maker >= Role::Admin),
    };
    if stands { Ok(link) } else { Err(AuthError::LinkInvalid) }
}
