//! What is done with keys beside making them.

use secrecy::SecretString;

use super::Backups;
use crate::backup::{BackupError, BackupId, KeyFile};

impl Backups {
    /// Opens the settings of the newest backup, the smallest thing in it. Returns which, and where.
    pub async fn check_key(&self, keys: &KeyFile) -> Result<(BackupId, String), BackupError> {
        let (backup, name) = self.newest_whole(None).await?;
        let from = self.open_destination(&name)?;
        let manifest = self.manifest(&from, backup.id).await?;
        self.reader(from, keys, &manifest)?.check(&manifest.settings).await?;
        Ok((backup.id, name))
    }

    /// Leaves every key of the file at every destination, sealed with a passphrase. Returns the destinations.
    pub async fn wrap_keys(&self, keys: &KeyFile, passphrase: &SecretString) -> Result<Vec<String>, BackupError> {
        let mut done = Vec::new();
        for name in self.inner.config.destinations.keys() {
            let to = self.open_destination(name)?;
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
