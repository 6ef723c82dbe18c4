//! PostgreSQL binaries, the user that they run as, and the folders around the cluster.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{Layout, ManagedError, io};
use crate::crypto;

/// Major versions that we test.
pub const SUPPORTED: std::ops::RangeInclusive<u32> = 15..=18;

/// A folder of server binaries.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
    pub minor: u32,
}

impl std::fmt::Display for Binaries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL {}.{} ({})", self.major, self.minor, self.dir.display())
    }
}

/// An unprivileged user.
#[derive(Clone, Copy, Debug)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
}

impl Layout {
    /// Finds the binaries and the user, and creates the folders around the cluster.
    pub fn prepare(data_dir: &Path, bin_dir: Option<&Path>) -> Result<Self, ManagedError> {
        let binaries = Binaries::find(bin_dir, &data_dir.join("postgres"))?;
        Self::of(data_dir, binaries)
    }

    /// As [`Self::prepare`], with the given binaries.
    pub fn of(data_dir: &Path, binaries: Binaries) -> Result<Self, ManagedError> {
        let data_dir = fs::canonicalize(data_dir).map_err(io(format!("cannot open {}", data_dir.display())))?;
        let cluster = data_dir.join("postgres");
        let run_as = RunAs::choose()?;
        let socket_dir = socket_dir(&data_dir, run_as)?;
        Ok(Self { cluster, socket_dir, binaries, run_as })
    }

    /// Runs a tool of this server with a clean environment as the right user.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(tool));
        command.env_clear().env("LC_ALL", "C.UTF-8").env("PATH", "/usr/bin:/bin").env("TZ", "UTC").current_dir("/");
        if let Some(user) = self.run_as {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Makes the user that PostgreSQL runs as the owner of a path.
    pub fn own(&self, path: &Path) -> Result<(), ManagedError> {
        match self.run_as {
            Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
                .map_err(io(format!("cannot change the owner of {} to the database's user", path.display()))),
            None => Ok(()),
        }
    }
}

impl Binaries {
    /// The binaries of the cluster's version, or the newest for a new cluster.
    fn find(bin_dir: Option<&Path>, cluster: &Path) -> Result<Self, ManagedError> {
        let wanted = fs::read_to_string(cluster.join("PG_VERSION")).ok().map(|v| v.trim().to_owned());
        let candidates = match bin_dir {
            Some(dir) => vec![dir.to_owned()],
            None => usual_places(),
        };
        let found = Self::newest_first(&candidates);
        match wanted {
            Some(version) => found
                .into_iter()
                .find(|b| b.major.to_string() == version)
                .ok_or_else(|| ManagedError::WrongVersion { dir: cluster.display().to_string(), version }),
            None => found.into_iter().find(|b| SUPPORTED.contains(&b.major)).ok_or_else(|| ManagedError::NoBinaries {
                looked_in: candidates.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Installed versions in these folders; the first folder wins for a version.
    pub fn newest_first(places: &[PathBuf]) -> Vec<Self> {
        let mut found: Vec<Self> = places.iter().filter_map(|dir| Self::at(dir)).collect();
        found.sort_by_key(|b| std::cmp::Reverse(b.major));
        found
    }

    /// Whether a loadable server module is installed.
    pub fn has_module(&self, name: &str) -> bool {
        let asked = std::process::Command::new(self.dir.join("pg_config")).arg("--pkglibdir").output().ok();
        let told =
            asked.filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
        // Debian ships pg_config in the development package.
        let usual = self.dir.parent().map(|prefix| prefix.join("lib"));
        let places = told.map(|dir| PathBuf::from(dir.trim())).into_iter().chain(usual);
        places.map(|dir| dir.join(format!("{name}.so"))).any(|file| file.is_file())
    }

    fn at(dir: &Path) -> Option<Self> {
        let output = std::process::Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().nth(2)?;
        let mut parts = number.split(|c: char| !c.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        // `18beta1` has no minor version.
        let minor = parts.next().and_then(|part| part.parse().ok()).unwrap_or_default();
        let complete = ["initdb", "pg_ctl"].iter().all(|tool| dir.join(tool).exists());
        complete.then(|| Self { dir: dir.to_owned(), major, minor })
    }
}

/// Install paths of PostgreSQL: Debian and Ubuntu, Fedora and relatives, then the default ones.
pub fn usual_places() -> Vec<PathBuf> {
    let versions = SUPPORTED.rev();
    let mut dirs: Vec<PathBuf> = versions
        .flat_map(|v| [format!("/usr/lib/postgresql/{v}/bin"), format!("/usr/pgsql-{v}/bin")])
        .map(PathBuf::from)
        .collect();
    dirs.extend(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    dirs
}

impl RunAs {
    /// `None` unless we are root; PostgreSQL refuses to run as root.
    fn choose() -> Result<Option<Self>, ManagedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(io("cannot read /etc/passwd"))?;
        let find = |name: &str| {
            passwd.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == name).then_some(())?;
                Some(Self { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
            })
        };
        ["holdfast", "postgres"].into_iter().find_map(find).map(Some).ok_or(ManagedError::NoUser)
    }
}

/// `/run/holdfast-<hash>` or `/tmp/holdfast-<hash>`: short, and stable for a data directory.
fn socket_place(data_dir: &Path, is_root: bool) -> PathBuf {
    let name = format!("holdfast-{}", &crypto::sha256_hex(data_dir.as_os_str().as_encoded_bytes())[..12]);
    let base = if is_root && Path::new("/run").is_dir() { "/run" } else { "/tmp" };
    Path::new(base).join(name)
}

/// Socket folder of the server that runs in `data_dir`: the fifth line of its `postmaster.pid`. Another user may run it, with a different
/// folder than ours; while it starts, ours is assumed.
pub(super) fn running_socket_dir(data_dir: &Path) -> Result<PathBuf, ManagedError> {
    let data_dir = fs::canonicalize(data_dir).map_err(io(format!("cannot open {}", data_dir.display())))?;
    let written = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap_or_default();
    let told = written.lines().nth(4).map(str::trim).filter(|line| line.starts_with('/')).map(PathBuf::from);
    Ok(told.unwrap_or_else(|| socket_place(&data_dir, rustix::process::geteuid().is_root())))
}

/// Creates the socket folder, or uses the existing one if it is ours.
fn socket_dir(data_dir: &Path, run_as: Option<RunAs>) -> Result<PathBuf, ManagedError> {
    let dir = socket_place(data_dir, run_as.is_some());
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io(format!("cannot create {}", dir.display()))(e)),
    }
    // Another user could have created the folder in /tmp first.
    let meta = fs::symlink_metadata(&dir).map_err(io(format!("cannot read the metadata of {}", dir.display())))?;
    let us = rustix::process::geteuid().as_raw();
    let owner_ok = meta.uid() == us || run_as.is_some_and(|u| meta.uid() == u.uid);
    if !meta.is_dir() || !owner_ok {
        let error = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "it belongs to another user");
        return Err(io(format!("cannot use {}", dir.display()))(error));
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
        .map_err(io(format!("cannot set the mode of {}", dir.display())))?;
    if let Some(user) = run_as {
        std::os::unix::fs::chown(&dir, Some(user.uid), Some(user.gid))
            .map_err(io(format!("cannot chown {}", dir.display())))?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_the_running_server_says() {
        let dir = tempfile::tempdir().unwrap();
        let here = fs::canonicalize(dir.path()).unwrap();
        let guess = running_socket_dir(dir.path()).unwrap();
        assert_eq!(guess, socket_place(&here, rustix::process::geteuid().is_root()));
        assert!(!guess.exists(), "to look makes nothing");
        fs::create_dir(dir.path().join("postgres")).unwrap();
        let pid = dir.path().join("postgres/postmaster.pid");
        fs::write(&pid, "4711\n/var/lib/holdfast/postgres\n1700000000\n5432\n/tmp/holdfast-0123456789ab\n\n").unwrap();
        assert_eq!(running_socket_dir(dir.path()).unwrap(), Path::new("/tmp/holdfast-0123456789ab"));
        // It has begun, and not got there yet.
        fs::write(&pid, "4711\n/var/lib/holdfast/postgres\n1700000000\n5432\n\n\n").unwrap();
        assert_eq!(running_socket_dir(dir.path()).unwrap(), guess);
    }
}
