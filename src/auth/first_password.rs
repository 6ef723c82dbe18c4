//! The first administrator's one-time password, where nobody sat at a terminal: a file that is there for as long as it opens the account.
//! Whoever finds it may believe it: after a restore, a reset or the first sign-in there is none.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{Auth, AuthError, email::spellings, password::Verified, store::accounts};

/// Below the data directory.
const FILE: &str = "first-admin-password";

impl Auth {
    /// Where the file is, for [`Self::keep_first_password`] and [`Self::review_first_password`]. The first call counts.
    pub fn keeps_first_password_in(&self, data_dir: &Path) {
        let _ = self.inner.first_password.set(data_dir.join(FILE));
    }

    /// Writes address and password, a line each, for their owner alone.
    pub fn keep_first_password(&self, email: &str, password: &SecretString) -> io::Result<PathBuf> {
        let path = self.inner.first_password.get().ok_or_else(|| io::Error::other("no data directory"))?;
        // Whole or not at all: a review must not find half of it.
        let new = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        // One that was there keeps its mode otherwise.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        writeln!(file, "{email}\n{}", password.expose_secret())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(path.clone())
    }

    /// Removes the file where it opens nothing any more. Costs a password hash where there is one, and nothing elsewhere.
    pub async fn review_first_password(&self) {
        let Some(path) = self.inner.first_password.get() else { return };
        let Ok(kept) = fs::read_to_string(path) else { return };
        let reviewed = async {
            // Not ours, or written anew meanwhile: it stays.
            let Some((email, password)) = kept.trim_end().split_once('\n') else { return Ok(false) };
            if self.opens(email, password).await? || fs::read_to_string(path)? != kept {
                return Ok(false);
            }
            fs::remove_file(path)?;
            Ok::<_, anyhow::Error>(true)
        };
        match reviewed.await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(file = %path.display(), "the first administrator's password file opened nothing any more: removed");
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot tell whether the first administrator's password file still holds, or remove it");
            }
        }
    }

    async fn opens(&self, email: &str, password: &str) -> Result<bool, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let account = accounts::account_by_email(&mut tx, &spellings(email)).await?;
        tx.commit().await?;
        let Some(account) = account.filter(|account| !account.disabled) else { return Ok(false) };
        Ok(!matches!(self.inner.hasher.verify(password, Some(&account.password_hash)).await?, Verified::No))
    }
}
