//! For operators: organisations and people of the whole installation. The command line calls these directly; the API
//! checks [`super::operator`] first.

use super::{Auth, email, text};
use crate::{
    AuthError, LinkPurpose, Organisation, User,
    email::spellings,
    events::MemberAdded,
    model::check_slug,
    password::one_time_password,
    store::{
        accounts::{self, NewUser},
        links, sessions,
    },
};
use platform::{
    db::Tx,
    http::{Principal, Role, Slice},
    ids::{OrgId, UserId},
    slug::slug_of,
};

impl Auth {
    /// The newest first, or the oldest.
    pub async fn list_organisations(
        &self,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Organisation>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let list = accounts::list_organisations(&mut tx, search, slice).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Creates an organisation. Without `slug` it is derived from the name. `owner`, if given, becomes its owner.
    pub async fn create_organisation(
        &self,
        name: &str,
        slug: Option<&str>,
        owner: Option<UserId>,
    ) -> Result<Organisation, AuthError> {
        let name = text("/name", name, 1, 200)?;
        let slug = slug.map_or_else(|| slug_of(&name, 64), |s| s.trim().to_owned());
        check_slug(&slug).map_err(|why| AuthError::Field("/slug", why.to_owned()))?;
        let org = Organisation { id: OrgId::generate(&self.inner.clock), slug, name, created_at: self.now() };
        let mut tx = self.inner.db.system().await?;
        accounts::insert_organisation(&mut tx, &org).await?;
        if let Some(owner) = owner {
            accounts::insert_membership(&mut tx, org.id, owner, Role::Owner, org.created_at).await?;
        }
        tx.commit().await?;
        self.changed();
        tracing::info!(org_id = %org.id, slug = org.slug, "organisation created");
        Ok(org)
    }

    /// Like [`Self::create_organisation`]; the signed-in operator becomes its owner.
    pub async fn create_organisation_as(
        &self,
        who: &Principal,
        name: &str,
        slug: Option<&str>,
    ) -> Result<Organisation, AuthError> {
        let user = super::operator(who)?;
        self.create_organisation(name, slug, Some(user.user_id)).await
    }

    /// The oldest account first.
    pub async fn list_users(&self, search: Option<&str>, slice: &Slice) -> Result<Vec<User>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let list = accounts::list_users(&mut tx, search, slice).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Operators who can sign in, the oldest account first.
    pub async fn operators(&self) -> Result<Vec<User>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let list = accounts::operators(&mut tx).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Creates a person with a one-time password (returned) and adds them to the organisation with this slug.
    pub async fn create_user(
        &self,
        mail: &str,
        name: &str,
        org_slug: &str,
        role: Role,
        is_operator: bool,
    ) -> Result<(UserId, String), AuthError> {
        let (mail, name) = (email(mail)?, text("/name", name, 0, 200)?);
        let password = one_time_password();
        let hash = self.inner.hasher.hash(&password).await?;
        let id = UserId::generate(&self.inner.clock);
        let user = NewUser {
            id,
            email: &mail,
            name: &name,
            password_hash: &hash,
            must_change_password: true,
            is_operator,
            created_at: self.now(),
        };
        let mut tx = self.inner.db.system().await?;
        let org =
            accounts::organisation_by_slug(&mut tx, org_slug).await?.ok_or(AuthError::NotFound("organisation"))?;
        accounts::insert_user(&mut tx, &user).await?;
        accounts::insert_membership(&mut tx, org.id, id, role, user.created_at).await?;
        self.publish_member_added(&mut tx, org.id, id, role).await?;
        tx.commit().await?;
        tracing::info!(user_id = %id, org_id = %org.id, role = role.as_str(), is_operator, "user created");
        Ok((id, password))
    }

    /// Gives a person a one-time password (returned) and ends all of their sessions.
    pub async fn reset_password(&self, mail: &str) -> Result<String, AuthError> {
        let password = one_time_password();
        let hash = self.inner.hasher.hash(&password).await?;
        let mut tx = self.inner.db.system().await?;
        let account =
            accounts::account_by_email(&mut tx, &spellings(mail)).await?.ok_or(AuthError::NotFound("user"))?;
        accounts::set_password(&mut tx, account.id, &hash, true).await?;
        sessions::delete_others(&mut tx, account.id, None).await?;
        links::delete_for(&mut tx, &account.email, LinkPurpose::Reset).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(user_id = %account.id, "password reset");
        self.review_first_password().await;
        Ok(password)
    }

    /// Adds a person to the organisation with this slug.
    pub async fn add_to_organisation(&self, mail: &str, org_slug: &str, role: Role) -> Result<(), AuthError> {
        let mut tx = self.inner.db.system().await?;
        let account =
            accounts::account_by_email(&mut tx, &spellings(mail)).await?.ok_or(AuthError::NotFound("user"))?;
        let org =
            accounts::organisation_by_slug(&mut tx, org_slug).await?.ok_or(AuthError::NotFound("organisation"))?;
        accounts::insert_membership(&mut tx, org.id, account.id, role, self.now()).await?;
        self.publish_member_added(&mut tx, org.id, account.id, role).await?;
        // A reset link of one organisation must not open the other.
        links::delete_for(&mut tx, &account.email, LinkPurpose::Reset).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(user_id = %account.id, org_id = %org.id, role = role.as_str(), "member added");
        Ok(())
    }

    /// In the transaction that made the membership.
    pub(super) async fn publish_member_added(
        &self,
        tx: &mut Tx,
        org: OrgId,
        user_id: UserId,
        role: Role,
    ) -> Result<(), AuthError> {
        let event = MemberAdded { user_id, role: role.as_str() };
        events::publish(tx, &self.inner.clock, Some(org), &event).await?;
        Ok(())
    }
}
