//! Rollback to the cluster that an upgrade set aside.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{Layout, ManagedError, binaries::Binaries, postmaster, usual_places},
    Folders, Kept, UpgradeError, folders, pair, recover, tools,
};

/// A rollback that was checked but not started.
#[derive(Debug)]
pub struct Rollback {
    pub kept: Kept,
    pub running: u32,
    /// Where the replaced cluster will go.
    pub aside: PathBuf,
    pub binaries: Binaries,
    folders: Folders,
}

impl Rollback {
    /// Requires the lock of the data directory and no running server.
    pub async fn look(data_dir: &Path, configured: Option<&Path>) -> Result<Self, UpgradeError> {
        recover(data_dir).await?;
        let folders = Folders::of(data_dir);
        let running = folders::major_of(&folders.cluster)
            .ok_or_else(|| UpgradeError::NoCluster(data_dir.display().to_string()))?;
        let kept = folders.kept().into_iter().find(|kept| kept.path == folders.before);
        let kept = kept.ok_or(UpgradeError::NothingToGoBackTo)?;
        let places: Vec<PathBuf> = configured.map(Path::to_owned).into_iter().chain(usual_places()).collect();
        let binaries = pair::of_major(&places, kept.major).ok_or_else(|| ManagedError::WrongVersion {
            dir: kept.path.display().to_string(),
            version: kept.major.to_string(),
        })?;
        // A server that outlived its Holdfast would go on running in the folder that is set aside.
        postmaster::stop_leftover(&folders.cluster).await?;
        let layout = Layout::of(data_dir, binaries.clone())?;
        let control = tools::control_data(&layout, &kept.path).await?;
        let _ = fs::remove_dir(&layout.socket_dir);
        let state = tools::value(&control, "Database cluster state");
        if state != "shut down" {
            return Err(UpgradeError::NotStopped { folder: kept.path.display().to_string(), state: state.to_owned() });
        }
        Ok(Self { kept, running, aside: folders.after.clone(), binaries, folders })
    }

    /// One exchange, like the upgrade.
    pub fn run(&self) -> Result<(), UpgradeError> {
        self.folders.switch_back()?;
        tracing::warn!(from = self.running, to = self.kept.major, aside = %self.aside.display(), "PostgreSQL is rolled back");
        Ok(())
    }
}
