//! The two versions of an upgrade: the cluster's, and the target.

use std::path::{Path, PathBuf};

use super::{
    super::{ManagedError, SUPPORTED, binaries::Binaries, usual_places},
    Folders, UpgradeError, folders,
};

/// Binaries of both versions.
#[derive(Clone, Debug)]
pub struct Pair {
    pub old: Binaries,
    pub new: Binaries,
}

impl Pair {
    /// The cluster's version, and the newest installed or the requested one. `configured`: `database.bin_dir`; `given`: folder of the new
    /// version's binaries. `None` if the cluster already has that version.
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

/// Binaries of a major version.
pub(super) fn of_major(places: &[PathBuf], major: u32) -> Option<Binaries> {
    Binaries::newest_first(places).into_iter().find(|found| found.major == major)
}

/// Newest installed version above `running`; `configured` (`database.bin_dir`) restricts the search to that folder.
pub fn newest_installed(configured: Option<&Path>, running: u32) -> Option<u32> {
    let places = configured.map_or_else(usual_places, |dir| vec![dir.to_owned()]);
    let newest = Binaries::newest_first(&places).into_iter().find(|found| SUPPORTED.contains(&found.major));
    newest.map(|found| found.major).filter(|major| *major > running)
}
