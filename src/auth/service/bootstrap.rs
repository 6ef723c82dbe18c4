//! The first start: creates an organisation and its administrator.

use secrecy::SecretString;

use super::Auth;
use crate::{
    AdminConfig, AuthError, FirstAdmin, Organisation,
    password::one_time_password,
    store::accounts::{self, NewUser},
};
use platform::{
    http::Role,
    ids::{OrgId, UserId},
};

impl Auth {
    /// Creates the organisation "Default" and its owner, an operator, when there are no users; otherwise `None`. A
    /// one-time password is only in the result: the caller shows it on the terminal.
    pub async fn bootstrap(&self, admin: &AdminConfig) -> Result<Option<FirstAdmin>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        if accounts::any_user(&mut tx).await? {
            return Ok(None);
        }
        // When hosts start together, one creates the administrator and the others find it.
        accounts::lock_bootstrap(&mut tx).await?;
        if accounts::any_user(&mut tx).await? {
            return Ok(None);
        }
        let (email, now) = (admin.email(), self.now());
        let generated = admin.password.is_none().then(one_time_password);
        let password = generated
            .as_deref()
            .or(admin.password.as_ref().map(secrecy::ExposeSecret::expose_secret))
            .unwrap_or_default();
        let hash = self.inner.hasher.hash(password).await?;
        let org = match accounts::organisation_by_slug(&mut tx, "default").await? {
            Some(org) => org,
            None => {
                let org = Organisation {
                    id: OrgId::generate(&self.inner.clock),
                    slug: "default".into(),
                    name: "Default".into(),
                    created_at: now,
                };
                accounts::insert_organisation(&mut tx, &org).await?;
                org
            }
        };
        let user = NewUser {
            id: UserId::generate(&self.inner.clock),
            email: &email,
            name: "",
            password_hash: &hash,
            must_change_password: generated.is_some(),
            is_operator: true,
            created_at: now,
        };
        accounts::insert_user(&mut tx, &user).await?;
        accounts::insert_membership(&mut tx, org.id, user.id, Role::Owner, now).await?;
        tx.commit().await?;
        tracing::info!("first administrator created");
        Ok(Some(FirstAdmin { email, one_time_password: generated.map(SecretString::from) }))
    }
}
