//! Signing in with e-mail and password, and changing the password.

use std::net::IpAddr;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;

use super::{Auth, Client, person};
use crate::{
    AuthError, LinkPurpose, SessionId, SignedIn,
    email::{normal_email, spellings},
    events::DeviceAdded,
    metrics::Login,
    model::{Account, current_org},
    password::{RuleBroken, Verified, check_rules, same},
    store::{accounts, links, sessions},
};
use console::Lang;
use platform::{
    crypto,
    http::{OrgRef, Principal, address_key},
    ids::{OrgId, UserId},
};

impl Auth {
    /// Checks e-mail and password and opens a session. Unknown e-mail, wrong password and disabled account give the
    /// same error after the same time.
    pub async fn sign_in(&self, email: &str, password: &SecretString, client: &Client) -> Result<SignedIn, AuthError> {
        let (spellings, email) = (spellings(email), normal_email(email));
        let address = client.address.to_string();
        let report = |outcome, known: Option<&Account>| {
            self.inner.metrics.login(outcome, known.map(|a| a.email.as_str()), &address);
        };

        if let Err(wait) = self.inner.by_address.check(&address_key(client.address)) {
            report(Login::LimitedByAddress, None);
            return Err(AuthError::TooMany(wait));
        }
        let (account, address_known) = self.find_account(&spellings, &address).await?;
        // A stranger can use up the account's allowance, but not that of addresses its owner signs in from.
        let key = if address_known { format!("{email} {}", address_key(client.address)) } else { email };
        if let Err(wait) = self.inner.by_account.check(&key) {
            report(Login::LimitedByAccount, account.as_ref());
            return Err(AuthError::TooMany(wait));
        }
        let stored = account.as_ref().map(|a| a.password_hash.as_str());
        let verified = self.inner.hasher.verify(password.expose_secret(), stored).await.inspect_err(|error| {
            if matches!(error, AuthError::Busy) {
                report(Login::Busy, account.as_ref());
            }
        })?;
        let Some(account) = account else {
            report(Login::UnknownAccount, None);
            return Err(AuthError::InvalidCredentials);
        };
        if matches!(verified, Verified::No) || account.disabled {
            report(if account.disabled { Login::Disabled } else { Login::WrongPassword }, Some(&account));
            return Err(AuthError::InvalidCredentials);
        }
        let mut tx = self.inner.db.system().await?;
        if let Verified::Rehashed(new) = &verified {
            accounts::rehash(&mut tx, account.id, &account.password_hash, new).await?;
        }
        let orgs = accounts::organisations_of(&mut tx, account.id).await?;
        let Some(org) = current_org(&orgs, None) else {
            report(Login::NoOrganisation, Some(&account));
            return Err(AuthError::NoOrganisation);
        };
        let is_new_device = is_new_device(&mut tx, account.id, client).await?;
        let signed_in = self.open_session(&mut tx, account.id, org.id, account.must_change_password, client).await?;
        if is_new_device {
            let event = DeviceAdded { user_id: account.id, session_id: signed_in.session_id };
            events::publish(&mut tx, &self.inner.clock, None, &event).await?;
        }
        tx.commit().await?;
        report(Login::Ok, Some(&account));
        Ok(signed_in)
    }

    /// The account, and whether its owner has signed in from this address. Runs the same statements for an unknown
    /// e-mail.
    async fn find_account(&self, spellings: &[String], address: &str) -> Result<(Option<Account>, bool), AuthError> {
        let mut tx = self.inner.db.system().await?;
        let account = accounts::account_by_email(&mut tx, spellings).await?;
        let id = account.as_ref().map_or(UserId(uuid::Uuid::nil()), |a| a.id);
        let known = sessions::address_known(&mut tx, id, address).await?;
        tx.commit().await?;
        Ok((account, known))
    }

    /// Stores a session for an authenticated person.
    pub(super) async fn open_session(
        &self,
        conn: &mut PgConnection,
        user_id: UserId,
        org_id: OrgId,
        must_change_password: bool,
        client: &Client,
    ) -> Result<SignedIn, AuthError> {
        let now = self.now();
        let token = crypto::random_token();
        let id = SessionId::generate(&self.inner.clock);
        let user_agent = shown_agent(client);
        let session = sessions::NewSession {
            id,
            user_id,
            token_hash: &crypto::sha256(&token),
            org_id,
            user_agent: &user_agent,
            address: &client.address.to_string(),
            created_at: now,
            expires_at: now + TimeDelta::days(self.inner.config.session_absolute_days.into()),
        };
        sessions::insert(conn, &session).await?;
        let code = |lang: Option<Lang>| lang.map(Lang::code);
        accounts::signed_in(conn, user_id, now, code(client.chosen), code(client.preferred)).await?;
        Ok(SignedIn { token, session_id: id, user_id, org_id, must_change_password })
    }

    /// Ends the current session.
    pub async fn sign_out(&self, who: &Principal) -> Result<(), AuthError> {
        let user = person(who)?;
        let mut tx = self.inner.db.system().await?;
        sessions::delete(&mut tx, user.user_id, user.session_id.into()).await?;
        tx.commit().await?;
        self.changed();
        Ok(())
    }

    /// Sets a new password and ends the person's other sessions.
    pub async fn change_password(
        &self,
        who: &Principal,
        current: &SecretString,
        new: &SecretString,
    ) -> Result<(), AuthError> {
        let user = person(who)?;
        let (current, new) = (current.expose_secret(), new.expose_secret());
        // Limited: the thief of a cookie must not be able to guess the password.
        self.inner.by_account.check(&format!("change {}", user.user_id)).map_err(AuthError::TooMany)?;
        let mut tx = self.inner.db.system().await?;
        let account = accounts::account_by_id(&mut tx, user.user_id).await?.ok_or(AuthError::InvalidCredentials)?;
        tx.commit().await?;
        if matches!(self.inner.hasher.verify(current, Some(&account.password_hash)).await?, Verified::No) {
            return Err(AuthError::WrongPassword);
        }
        check_rules(new, &account.email)?;
        if same(current, new) {
            return Err(RuleBroken::Unchanged.into());
        }
        let hash = self.inner.hasher.hash(new).await?;
        let mut tx = self.inner.db.system().await?;
        accounts::set_password(&mut tx, account.id, &hash, false).await?;
        let ended = sessions::delete_others(&mut tx, account.id, Some(user.session_id.into())).await?;
        // Someone who got hold of an unused link must not set the password again.
        links::delete_for(&mut tx, &account.email, LinkPurpose::Reset).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(user_id = %account.id, sessions_ended = ended, "password changed");
        self.review_first_password().await;
        Ok(())
    }

    /// Sets the person's display name.
    pub async fn rename_self(&self, who: &Principal, name: &str) -> Result<(), AuthError> {
        let user = super::settled(who)?;
        let name = super::text("/name", name, 0, 200)?;
        let mut tx = self.inner.db.system().await?;
        accounts::set_name(&mut tx, user.user_id, &name).await?;
        tx.commit().await?;
        self.changed();
        Ok(())
    }

    /// Makes another of the person's organisations the current one of this session; 404 for others.
    pub async fn switch_organisation(&self, who: &Principal, org: OrgId) -> Result<OrgRef, AuthError> {
        let user = super::settled(who)?;
        let mut tx = self.inner.db.system().await?;
        let orgs = accounts::organisations_of(&mut tx, user.user_id).await?;
        let org = orgs.into_iter().find(|o| o.id == org).ok_or(AuthError::NotFound("organisation"))?;
        sessions::set_organisation(&mut tx, user.session_id.into(), org.id).await?;
        tx.commit().await?;
        self.changed();
        Ok(org)
    }
}

/// Whether the person has signed in before, but no session that is kept has this browser and address. The browser as people read it: its version
/// changes all the time.
async fn is_new_device(conn: &mut PgConnection, user: UserId, client: &Client) -> Result<bool, AuthError> {
    if !accounts::has_signed_in(conn, user).await? {
        return Ok(false);
    }
    let (agent, address) = (shown_agent(client), address_key(client.address));
    let is_it = |(other, at): &(String, String)| {
        browser_of(other) == browser_of(&agent) && at.parse::<IpAddr>().is_ok_and(|at| address_key(at) == address)
    };
    Ok(!sessions::devices(conn, user).await?.iter().any(is_it))
}

/// As it is stored.
fn shown_agent(client: &Client) -> String {
    client.user_agent.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Browser and system; of unknown browsers all that they say.
fn browser_of(agent: &str) -> String {
    console::browser(agent).unwrap_or_else(|| agent.to_owned())
}
