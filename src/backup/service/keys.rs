//! What is done with keys beside making them.

use secrecy::SecretString;

use super::{Backups, Restore};
use crate::backup::{BackupError, BackupId, KeyFile};

impl Backups {
    /// Opens the newest backup as a restore would. Returns which, and where.
    pub async fn check_key(&self, keys: &KeyFile) -> Result<(BackupId, String), BackupError> {
        self.check_is_ours(keys)?;
        let (backup, name) = self.newest_whole(None).await?;
        Restore::open(self.open_destination(&name).await?, keys, Some(backup.id)).await?;
        Ok((backup.id, name))
    }

    /// What is wrong with the key file at hand, where one is configured: it is not there, is another's, or does not open new backups.
    pub fn key_problem(&self) -> Option<BackupError> {
        self.inner.config.key_file.as_ref()?;
        let fits = || {
            let (keys, recipients) = (self.key_file(None)?, self.recipients()?);
            keys.for_recipients(&recipients.names()).map(drop).map_err(BackupError::from)
        };
        fits().err()
    }

    /// Errors where a key file is for another installation: a restore would refuse what is made here.
    pub(in crate::backup) fn check_is_ours(&self, keys: &KeyFile) -> Result<(), BackupError> {
        Ok(keys.check_is_for(&self.installation_named()?)?)
    }

    /// Leaves every key of the file at every destination, sealed with a passphrase. Returns the destinations.
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
