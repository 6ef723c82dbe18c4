//! Members of an organisation.

use super::{Auth, settled, text};
use crate::{
    AuthError, LinkPurpose, Member,
    events::MemberRemoved,
    store::{keys, links, members},
};
use platform::{
    db::Tx,
    http::{Actor, Principal, Role, Scope, Slice},
    ids::{OrgId, UserId},
};

/// Whether `actor` may grant `role`: owners any, admins any but owner.
pub fn may_grant(actor: Role, role: Role) -> bool {
    actor == Role::Owner || (actor == Role::Admin && role <= Role::Admin)
}

/// Whether `actor` may change or remove a `target`: owners anyone, admins those below them.
pub fn may_manage(actor: Role, target: Role) -> bool {
    actor == Role::Owner || (actor == Role::Admin && target < Role::Admin)
}

/// Whether a key has all scopes of the role: no key grants more than it has. For people see [`may_grant`].
fn covers(who: &Principal, role: Role, scopes: &[Scope]) -> bool {
    match &who.actor {
        Actor::User(_) => true,
        Actor::ApiKey(key) => scopes.iter().filter(|s| s.role() <= role).all(|s| key.scopes.contains(s.as_str())),
    }
}

impl Auth {
    /// The newest account first, or the oldest. The caller has checked the scope.
    pub async fn list_members(
        &self,
        who: &Principal,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Member>, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let list = members::list(&mut tx, search, slice).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// A member with the organisation, for notices; `None` if the person is no member any more.
    pub async fn membership(
        &self,
        org: OrgId,
        user: UserId,
    ) -> Result<Option<(Member, crate::Organisation)>, AuthError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let member = members::get(&mut tx, user).await?;
        let organisation = members::organisation(&mut tx).await?;
        tx.commit().await?;
        Ok(member.zip(organisation))
    }

    /// Owners and admins of an organisation who can sign in, for notices.
    pub async fn admins(&self, org: OrgId) -> Result<Vec<Member>, AuthError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let list = members::admins(&mut tx).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Changes a member's role.
    pub async fn set_member_role(&self, who: &Principal, user: UserId, role: Role) -> Result<Member, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let mut member = members::get(&mut tx, user).await?.ok_or(AuthError::NotFound("member"))?;
        let is_self = who.user().is_some_and(|u| u.user_id == user);
        // Compared with the row: another process may have an older role cached for some seconds.
        let lowers_self = is_self && role <= member.role;
        let manages = may_manage(who.role, member.role) && may_grant(who.role, role);
        if !(lowers_self || manages) {
            return Err(AuthError::Forbidden("your role does not allow this change".into()));
        }
        if role > member.role && !covers(who, role, self.scopes()) {
            return Err(AuthError::Forbidden("this API key lacks scopes that the new role has".into()));
        }
        if role != Role::Owner {
            keep_an_owner(&mut tx, user).await?;
        }
        members::set_role(&mut tx, user, role).await?;
        // Their reset links: the creator could manage the old role, perhaps not the new one.
        links::delete_for(&mut tx, &member.email, LinkPurpose::Reset).await?;
        if role < member.role {
            links::delete_made_by(&mut tx, user).await?;
        }
        tx.commit().await?;
        self.changed();
        tracing::info!(org_id = %who.org_id, user_id = %user, from = member.role.as_str(), to = role.as_str(), by = who.subject(), "member's role changed");
        member.role = role;
        Ok(member)
    }

    /// Removes a member; anyone may leave. Links that they created are revoked. Their API keys belong to the
    /// organisation and stay, unless `revoke_keys` (admins only), which also revokes keys created with those.
    pub async fn remove_member(&self, who: &Principal, user: UserId, revoke_keys: bool) -> Result<(), AuthError> {
        let is_self = settled(who).is_ok_and(|u| u.user_id == user);
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let member = members::get(&mut tx, user).await?.ok_or(AuthError::NotFound("member"))?;
        if revoke_keys {
            who.require(Scope::ADMIN).map_err(|_| AuthError::Forbidden("only an admin can revoke API keys".into()))?;
        }
        if !is_self && (who.require(Scope::ADMIN).is_err() || !may_manage(who.role, member.role)) {
            return Err(AuthError::Forbidden("your role does not allow this change".into()));
        }
        keep_an_owner(&mut tx, user).await?;
        links::delete_made_by(&mut tx, user).await?;
        let revoked = if revoke_keys { keys::revoke_made_by(&mut tx, user, self.now()).await? } else { 0 };
        members::delete(&mut tx, user).await?;
        events::publish(&mut tx, &self.inner.clock, Some(who.org_id), &MemberRemoved { user_id: user }).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(
            org_id = %who.org_id, user_id = %user, role = member.role.as_str(), by = who.subject(), keys_revoked = revoked,
            "member removed"
        );
        Ok(())
    }

    /// Renames the principal's own organisation; another's id is 404.
    pub async fn rename_organisation(
        &self,
        who: &Principal,
        id: OrgId,
        name: &str,
    ) -> Result<crate::Organisation, AuthError> {
        if id != who.org_id {
            return Err(AuthError::NotFound("organisation"));
        }
        let name = text("/name", name, 1, 200)?;
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        members::rename_organisation(&mut tx, id, &name).await?;
        let org = members::organisation(&mut tx).await?.ok_or(AuthError::NotFound("organisation"))?;
        tx.commit().await?;
        self.changed();
        tracing::info!(org_id = %id, by = who.subject(), "organisation renamed");
        Ok(org)
    }
}

/// `Err` when `leaving` is the only owner. Locks the owners' rows until the transaction ends.
async fn keep_an_owner(tx: &mut Tx, leaving: UserId) -> Result<(), AuthError> {
    if members::lock_owners(tx).await? == [leaving] { Err(AuthError::LastOwner) } else { Ok(()) }
}
