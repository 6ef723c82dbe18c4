//! Which versions: the one that made the cluster, and the one it shall become.

use std::path::{Path, PathBuf};

use super::{
    super::{ManagedError, SUPPORTED, binaries::Binaries, usual_places},
    Folders, UpgradeError, folders,
};

/// The programs of both versions.
#[derive(Clone, Debug)]
pub struct Pair {
    pub old: Binaries,
    pub new: Binaries,
}

impl Pair {
    /// The version that made the cluster, and the newest that is installed, or the one that is wanted. `configured` is
    /// `database.bin_dir`, `given` the folder of the new version's programs. `None` where the cluster is of that version already.
    pub fn find(
        data_dir: &Path,
        configured: Option<&Path>,
        given: Option<&Path>,
        wanted: Option<u32>,
    ) -> Result<Option<Self>, UpgradeError> {
        let cluster = Folders::of(data_dir).cluster;
        let running =
            folders::major_of(&cluster).ok_or_else(|| UpgradeError::NoCluster(data_dir.display().to_string()))?;
        match wanted {
            Some(wanted) if wanted == running => return Ok(None),
            Some(wanted) if wanted < running || !SUPPORTED.contains(&wanted) => {
                return Err(UpgradeError::NotUpwards { running, wanted });
            }
            _ => {}
        }
        let mut places: Vec<PathBuf> = configured.map(Path::to_owned).into_iter().chain(usual_places()).collect();
        let old = of_major(&places, running).ok_or_else(|| ManagedError::WrongVersion {
            dir: cluster.display().to_string(),
            version: running.to_string(),
        })?;
        if let Some(given) = given {
            places = vec![given.to_owned()];
        }
        let newer = |b: &Binaries| b.major > running && wanted.map_or(SUPPORTED.contains(&b.major), |w| b.major == w);
        let new = Binaries::newest_first(&places).into_iter().find(newer);
        match (new, wanted) {
            (Some(new), _) => Ok(Some(Self { old, new })),
            (None, Some(wanted)) => {
                let looked_in = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
                Err(UpgradeError::NotInstalled { wanted, looked_in })
            }
            (None, None) if running >= *SUPPORTED.end() => Ok(None),
            (None, None) => Err(UpgradeError::NothingNewer { running }),
        }
    }
}

/// The programs of a version.
pub(super) fn of_major(places: &[PathBuf], major: u32) -> Option<Binaries> {
    Binaries::newest_first(places).into_iter().find(|found| found.major == major)
}

/// The newest version that is installed and newer than `running`; `configured` is `database.bin_dir`, beside which nothing is looked at.
pub fn newest_installed(configured: Option<&Path>, running: u32) -> Option<u32> {
    let places = configured.map_or_else(usual_places, |dir| vec![dir.to_owned()]);
    let newest = Binaries::newest_first(&places).into_iter().find(|found| SUPPORTED.contains(&found.major));
    newest.map(|found| found.major).filter(|major| *major > running)
}
