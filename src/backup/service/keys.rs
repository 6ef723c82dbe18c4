//! Operations on keys, except creating them.

use secrecy::SecretString;

use super::{Backups, Restore};
use crate::backup::{BackupError, BackupId, KeyFile};

impl Backups {
    /// Opens the newest backup like a restore would. Returns the backup and its destination.
    pub async fn check_key(&self, keys: &KeyFile) -> Result<(BackupId, String), BackupError> {
        self.check_is_ours(keys)?;
        let (backup, name) = self.newest_whole(None).await?;
        Restore::open(self.open_destination(&name).await?, keys, Some(backup.id)).await?;
        Ok((backup.id, name))
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
    pub(in crate::backup) fn check_is_ours(&self, keys: &KeyFile) -> Result<(), BackupError> {
        Ok(keys.check_is_for(&self.installation_named()?)?)
    }

    /// Stores every key of the file at every destination, encrypted with a passphrase. Returns the destinations.
    pub async fn wrap_keys(&self, keys: &KeyFile, passphrase: &SecretString) -> Result<Vec<String>, BackupError> {
        self.check_is_ours(keys)?;
        let mut done = Vec::new();
        for name in self.inner.config.destinations.keys() {
            let to = self.open_destination(name).await?;
            for identity in &keys.identities {
                let (identity, passphrase) = (identity.clone(), passphrase.clone());
                let key = format!("keys/{}.age", identity.recipient());
                let wrapped = self.inner.pool.run(move || identity.wrap(&passphrase)).await??;
                to.put_small(&key, wrapped).await?;
            }
            done.push(name.clone());
        }
        Ok(done)
    }
}
