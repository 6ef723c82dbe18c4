//! PostgreSQL's client tools (`pg_dump`, `pg_restore`): which to use, and how they connect.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tokio::process::Command;

use super::managed::usual_places;

/// A folder with `pg_dump` and `pg_restore`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    pub dir: PathBuf,
    pub major: u32,
    /// As reported by the tool, e.g. `15.18`.
    pub version: String,
}

/// No usable tools.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    #[error(
        "the server is PostgreSQL {server}, and the newest pg_dump here is {newest}: an older one writes incomplete dumps. Install \
         postgresql-client-{server}, or set backup.tools_dir"
    )]
    TooOld { server: u32, newest: u32 },
    #[error("no pg_dump found in {looked_in}; install postgresql-client-{server}, or set backup.tools_dir")]
    None { server: u32, looked_in: String },
}

impl Tools {
    /// The oldest tools that are at least as new as the server: the server's own version can read what they write. Blocking.
    pub fn find(dir: Option<&Path>, server_major: u32) -> Result<Self, ToolsError> {
        let places = dir.map_or_else(usual_places, |dir| vec![dir.to_owned()]);
        let mut found: Vec<Self> = places.iter().filter_map(|dir| Self::at(dir)).collect();
        found.sort_by_key(|tools| tools.major);
        let newest = found.last().map(|tools| tools.major);
        match (found.into_iter().find(|tools| tools.major >= server_major), newest) {
            (Some(tools), _) => Ok(tools),
            (None, Some(newest)) => Err(ToolsError::TooOld { server: server_major, newest }),
            (None, None) => {
                let looked_in = places.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
                Err(ToolsError::None { server: server_major, looked_in })
            }
        }
    }

    /// Whether dumps of these tools can be restored into a server of this version: since 17, `pg_restore` first sets a parameter that older
    /// servers do not know, and stops there. A drill does not reveal it, because it uses a server as new as the tools.
    pub fn restore_into(&self, server_major: u32) -> bool {
        self.major < 17 || server_major >= 17
    }

    fn at(dir: &Path) -> Option<Self> {
        let output = std::process::Command::new(dir.join("pg_dump")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.split_whitespace().nth(2)?.to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        dir.join("pg_restore").exists().then(|| Self { dir: dir.to_owned(), major, version })
    }

    /// A tool with a clean environment, killed on drop. It never prompts for a password.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.dir.join(tool));
        command
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("PGCONNECT_TIMEOUT", "10")
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Connection string for libpq, with the password separate: command lines are visible to everybody on the host.
pub fn connection(options: &PgConnectOptions) -> (String, Option<String>) {
    // sqlx writes both unescaped and panics if that is not a URL: an IPv6 address, a name with special characters.
    let mut url = options.clone().username("user").host("host").to_url_lossy();
    let _ = url.set_username(options.get_username());
    if options.get_socket().is_none() {
        let host = options.get_host();
        let _ = url.set_host(Some(&if host.contains(':') { format!("[{host}]") } else { host.to_owned() }));
    }
    let password = url.password().map(|p| percent_encoding::percent_decode_str(p).decode_utf8_lossy().into_owned());
    // Cannot fail for a URL with a host or a socket.
    let _ = url.set_password(None);
    let known: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| matches!(&**key, "host" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey"))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(known);
    (url.to_string(), password)
}

/// Environment variables that `libpq` would use in addition to or instead of its arguments: another address, password file or service.
pub const LIBPQ: [&str; 22] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGCHANNELBINDING",
    "PGSSLMODE",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLROOTCERT",
    "PGSSLNEGOTIATION",
    "PGGSSENCMODE",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGCLIENTENCODING",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::MasterKey, db::Target};

    #[test]
    fn an_address_is_handed_to_the_tools_as_it_was_meant() {
        let key = MasterKey::parse(&"0f".repeat(32)).unwrap();
        let told = |url: &str| connection(&Target::from_url(url, "holdfast".into(), key.clone()).unwrap().admin);
        for (url, address, secret) in [
            ("postgres://app:s@[::1]:5433/x?sslmode=disable", "postgres://app@[::1]:5433/x?sslmode=disable", "s"),
            ("postgres://app:s@db_1:5432/x", "postgres://app@db_1:5432/x?sslmode=prefer", "s"),
            (
                "postgres://a%2Fb%3Ac%40d:p%2F%40%23%25@db/x",
                "postgres://a%2Fb%3Ac%40d@db:5432/x?sslmode=prefer",
                "p/@#%",
            ),
            ("postgres:///x?host=/run/pg&user=ann&password=s", "postgres://ann@%2Frun%2Fpg:5432/x?sslmode=prefer", "s"),
        ] {
            assert_eq!(told(url), (address.to_owned(), Some(secret.to_owned())), "{url}");
        }
    }
}
