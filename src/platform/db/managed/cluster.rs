//! Creates and configures the cluster's folder.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{Layout, ManagedError, io};

/// Only part of the socket's file name: nothing listens on TCP.
pub const PORT: u16 = 5432;

/// Runs initdb in a temporary folder and renames it when complete, so that a kill -9 leaves nothing that looks like a cluster. `shape`:
/// further arguments of initdb (checksums, segment size).
pub async fn initialise(
    layout: &Layout,
    superuser: &str,
    password: &str,
    shape: &[String],
) -> Result<(), ManagedError> {
    if layout.cluster.join("PG_VERSION").exists() {
        return Ok(());
    }
    tracing::info!(version = layout.binaries.major, dir = %layout.cluster.display(), "creating the private PostgreSQL cluster");
    let fresh = layout.cluster.with_extension("initialising");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(io("cannot remove a half-made cluster"))?;
    }
    fs::create_dir(&fresh).map_err(io(format!("cannot create {}", fresh.display())))?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o700)).map_err(io("cannot set the cluster's mode"))?;
    layout.own(&fresh)?;
    let password_file = layout.socket_dir.join("initdb-password");
    fs::write(&password_file, password).map_err(io("cannot write the password for initdb"))?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).map_err(io("cannot set a mode"))?;
    layout.own(&password_file)?;
    let output = layout
        .command("initdb")
        .arg("--pgdata")
        .arg(&fresh)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", superuser, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"])
        .args(shape)
        .output()
        .await;
    fs::remove_file(&password_file).map_err(io("cannot remove the password file"))?;
    let output = output.map_err(io("cannot start initdb"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ManagedError::Command { what: "initdb failed".into(), output: text });
    }
    let place = layout.cluster.display();
    fs::rename(&fresh, &layout.cluster).map_err(io(format!(
        "cannot move the new cluster to {place} (a disk for it is mounted at the data directory, not there)"
    )))
}

/// Writes our settings and access rules at each start, so that they match the binary.
pub fn configure(layout: &Layout) -> Result<(), ManagedError> {
    let socket_dir = layout.socket_dir.display().to_string().replace('\'', "''");
    let settings = format!(
        "# Written by Holdfast at each start; local changes belong in conf.d/*.conf.\n\
         listen_addresses = ''\n\
         port = {PORT}\n\
         unix_socket_directories = '{socket_dir}'\n\
         unix_socket_permissions = 0700\n\
         max_connections = 120\n\
         shared_buffers = 128MB\n\
         wal_level = replica\n\
         max_wal_senders = 6\n\
         max_replication_slots = 6\n\
         # An unused replication slot must not fill the disk.\n\
         max_slot_wal_keep_size = 2GB\n\
         max_wal_size = 1GB\n\
         wal_compression = on\n\
         # After a crash: one syncfs call instead of an fsync per file.\n\
         recovery_init_sync_method = syncfs\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_destination = stderr\n\
         logging_collector = off\n\
         log_line_prefix = ''\n\
         # Log lock waits above deadlock_timeout (1 s) and statements above one second.\n\
         log_lock_waits = on\n\
         log_min_duration_statement = 1s\n\
         # Parameter values may be users' texts and must not be logged.\n\
         log_parameter_max_length = 0\n\
         log_parameter_max_length_on_error = 0\n\
         {}{}",
        statements(layout),
        include_dir(layout)
    );
    let rules = "# Written by Holdfast at each start.\n\
                 local all all scram-sha-256\n\
                 local replication all scram-sha-256\n";
    for (name, text) in [("holdfast.conf", settings.as_str()), ("pg_hba.conf", rules)] {
        let path = layout.cluster.join(name);
        fs::write(&path, text).map_err(io(format!("cannot write {}", path.display())))?;
        layout.own(&path)?;
    }
    let main = layout.cluster.join("postgresql.conf");
    let text = fs::read_to_string(&main).map_err(io("cannot read postgresql.conf"))?;
    let include = "include = 'holdfast.conf'";
    if !text.lines().any(|l| l.trim() == include) {
        fs::write(&main, format!("{text}\n{include}\n")).map_err(io("cannot write postgresql.conf"))?;
    }
    Ok(())
}

/// Enables `pg_stat_statements` if the server's packages include it: a server told to load a missing module does not start.
fn statements(layout: &Layout) -> &'static str {
    if layout.binaries.has_module("pg_stat_statements") {
        "shared_preload_libraries = 'pg_stat_statements'\n\
         # Utility statements such as CREATE ROLE contain passwords.\n\
         pg_stat_statements.track_utility = off\n"
    } else {
        ""
    }
}

/// `include_dir` fails if the folder does not exist.
fn include_dir(layout: &Layout) -> &'static str {
    if layout.cluster.join("conf.d").is_dir() { "include_dir = 'conf.d'\n" } else { "" }
}
