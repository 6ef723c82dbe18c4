//! Operations on keys, except creating them.

use secrecy::SecretString;

use super::{Backups, Restore};
use crate::{BackupError, BackupId, KeyFile, seal};
use platform::http::Slice;

impl Backups {
    /// Opens the newest backup of each destination like a restore would. Returns the backups and their destinations.
    pub async fn check_key(&self, keys: &KeyFile) -> Result<Vec<(BackupId, String)>, BackupError> {
        self.check_is_ours(keys)?;
        let backups = self.list(&Slice::first(1000)).await?;
        let mut opened = Vec::new();
        for name in self.inner.config.destinations.keys() {
            let Some(newest) = backups.iter().find(|backup| backup.is_whole_at(name)) else { continue };
            Restore::open_newest(self.open_destination(name).await?, keys, newest.id).await?;
            opened.push((newest.id, name.clone()));
        }
        if opened.is_empty() { Err(BackupError::None) } else { Ok(opened) }
    }

    /// The problem of the configured key file, if any: it is missing, belongs to another installation, or does not decrypt new backups.
    pub fn key_problem(&self) -> Option<BackupError> {
        self.inner.config.key_file.as_ref()?;
        let fits = || {
            let (keys, recipients) = (self.key_file(None)?, self.recipients()?);
            keys.for_recipients(&recipients.names()).map(drop).map_err(BackupError::from)
        };
        fits().err()
    }

    /// Fails if a key file is for another installation: a restore would refuse our backups.
    pub(crate) fn check_is_ours(&self, keys: &KeyFile) -> Result<(), BackupError> {
        if platform::mutant(29) {
            return Ok(());
        }
        Ok(keys.check_is_for(&self.installation_named()?)?)
    }

    /// Stores the whole key file at every destination, encrypted with a passphrase, so that a restore with it trusts the signer that the file
    /// names. Returns the destinations.
    pub async fn wrap_keys(&self, keys: &KeyFile, passphrase: &SecretString) -> Result<Vec<String>, BackupError> {
        self.check_is_ours(keys)?;
        let named = KeyFile { installation: Some(self.installation_named()?), ..keys.clone() };
        let passphrase = passphrase.clone();
        let wrapped = self.inner.pool.run(move || seal::wrap(&named.text().into(), &passphrase)).await??;
        let mut done = Vec::new();
        for name in self.inner.config.destinations.keys() {
            let to = self.open_destination(name).await?;
            // One for each key: so each that an earlier passphrase opened is replaced.
            for identity in &keys.identities {
                to.put_small(&format!("keys/{}.age", identity.recipient()), wrapped.clone()).await?;
            }
            done.push(name.clone());
        }
        Ok(done)
    }
}
