//! A file with the first administrator's one-time password, for starts without a terminal. It is removed once it no
//! longer opens the account (after a sign-in, a reset or a restore), so its content can be trusted.

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
    /// Sets the data directory for [`Self::keep_first_password`] and [`Self::review_first_password`]. Only the first
    /// call counts.
    pub fn keeps_first_password_in(&self, data_dir: &Path) {
        let _ = self.inner.first_password.set(data_dir.join(FILE));
    }

    /// Writes address and password, one per line, readable by the file's owner only.
    pub fn keep_first_password(&self, email: &str, password: &SecretString) -> io::Result<PathBuf> {
        let path = self.inner.first_password.get().ok_or_else(|| io::Error::other("no data directory"))?;
        // Written atomically: a review must not read half of it.
        let new = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        // An existing file would keep its mode.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        writeln!(file, "{email}\n{}", password.expose_secret())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(path.clone())
    }

    /// Removes the file when it no longer opens the account. Costs a password hash when the file exists, nothing
    /// otherwise.
    pub async fn review_first_password(&self) {
        let Some(path) = self.inner.first_password.get() else { return };
        let Ok(kept) = fs::read_to_string(path) else { return };
        let reviewed = async {
            // Not ours, or rewritten meanwhile: keep it.
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
                tracing::info!(file = %path.display(), "removed the first administrator's password file: it no longer opens the account");
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot check or remove the first administrator's password file");
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
