//! `pg_dump` of one snapshot, and the checks that its result must pass.
//!
//! No shell and no pipe between programs: the dump passes through this process, which sees how it ends. A dump counts if the tool exited
//! with 0 and printed nothing, its table of contents lists every table, and it is not suddenly much smaller than the last one.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::fd::AsRawFd as _,
    path::Path,
    pin::Pin,
    process::{ExitStatus, Stdio},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use rustix::{
    fs::{MemfdFlags, OFlags},
    process::Pid,
};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};
use tokio_util::io::ReaderStream;

use super::{
    manifest::Schema,
    schema,
    seal::{SealError, Sealed},
    sealer::Sealer,
};
use platform::{
    db::{
        DbError, RoleKind, Target,
        tools::{self, Tools, ToolsError},
    },
    pools::{CpuPool, WorkLost, yield_processor},
};

/// The table of contents is at the start of a dump; ours is about 200 KiB.
const HEAD_BYTES: usize = 8 << 20;
/// Limit on a tool's error output, bytes.
const MAX_WORDS: u64 = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error(transparent)]
    Tools(#[from] ToolsError),
    #[error("{tool} cannot be started")]
    Start { tool: &'static str, source: io::Error },
    #[error("{tool} failed ({status}): {words}")]
    Failed { tool: &'static str, status: ExitStatus, words: String },
    #[error("{tool} complained: {words}")]
    Complained { tool: &'static str, words: String },
    #[error("the dump's table of contents lacks {0}")]
    Incomplete(String),
    #[error("the dump holds {got} tables, the snapshot {expected}")]
    Tables { got: usize, expected: usize },
    #[error("the backup role may not do this: {0}; `holdfast doctor` prints the SQL for the server's administrator")]
    NotAllowed(String),
    #[error("the dump cannot be read")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Lost(#[from] WorkLost),
}

impl From<sqlx::Error> for DumpError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(e) if e.code().as_deref() == Some("42501") => {
                Self::NotAllowed(e.message().to_owned())
            }
            _ => Self::Db(error.into()),
        }
    }
}

/// A snapshot of the database, kept open so that the dump and the counts see the same rows.
pub struct Snapshot {
    conn: PgConnection,
    name: String,
    pub server_version: String,
    pub tools: Tools,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Connects as the backup role, checks that the tools fit the server, and takes the snapshot.
    pub async fn take(target: &Target, tools_dir: Option<&Path>, pool: &CpuPool) -> Result<Self, DumpError> {
        // Stays open as long as the dump takes.
        let options = target.connect_as(RoleKind::Backup).options([
            ("idle_in_transaction_session_timeout", "0"),
            // Parallel counting would slow down everybody else.
            ("max_parallel_workers_per_gather", "0"),
        ]);
        let mut conn = PgConnection::connect_with(&options).await?;
        let number: i32 =
            sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut conn).await?;
        let server_version: String =
            sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut conn).await?;
        let (dir, major) = (tools_dir.map(Path::to_owned), u32::try_from(number / 10_000).unwrap_or_default());
        let tools = pool.run(move || Tools::find(dir.as_deref(), major)).await??;
        conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let name: String = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut conn).await?;
        Ok(Self { conn, name, server_version, tools })
    }

    /// Dumps into an encrypted file and counts, both in this snapshot. `on_bytes` gets the bytes dumped so far.
    pub async fn dump(
        &mut self,
        target: &Target,
        sealer: &Sealer,
        file: &Path,
        on_bytes: impl FnMut(u64) + Send + 'static,
    ) -> Result<Dump, DumpError> {
        let (url, password) = tools::connection(&target.connect_as(RoleKind::Backup));
        let mut command = self.tools.command("pg_dump");
        command
            .args(["--format=custom", "--compress=0", "--schema=public", "--no-password", "--lock-wait-timeout=60s"])
            .arg(format!("--snapshot={}", self.name))
            .arg(format!("--dbname={url}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(password) = &password {
            command.env("PGPASSWORD", password);
        }
        let mut child = Tool::start("pg_dump", &mut command)?;
        let data = Dumped { pipe: child.blocking_output()?, head: Vec::new(), size: 0, on_bytes };
        let made = sealer.seal(data, file).await;
        let ended = child.finish().await;
        // A full disk also ends the tool, which then blames us.
        if let Err(error @ SealError::Output(_)) = made {
            return Err(error.into());
        }
        // The partial output of a failed tool would look complete.
        ended?;
        let (written, data) = made?;
        // One after the other: one busy server process is enough load.
        let schema = schema::describe(&mut self.conn).await?;
        let entries = contents(&self.tools, &data.head).await?;
        check_contents(&entries, &schema)?;
        Ok(Dump { sealed: written, schema, entries: entries.len() as u64, tool_version: self.tools.version.clone() })
    }

    /// Ends the transaction.
    pub async fn close(self) {
        let _ = self.conn.close().await;
    }
}

/// Passes the output of `pg_dump` through, recording its size and its beginning.
struct Dumped<F> {
    pipe: File,
    head: Vec<u8>,
    size: u64,
    on_bytes: F,
}

impl<F: FnMut(u64)> Read for Dumped<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pipe.read(buffer)?;
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&buffer[..room.min(count)]);
        self.size += count as u64;
        (self.on_bytes)(self.size);
        Ok(count)
    }
}

/// A finished dump.
#[derive(Debug)]
pub struct Dump {
    pub sealed: Sealed,
    pub schema: Schema,
    pub entries: u64,
    pub tool_version: String,
}

/// The entries of a dump's table of contents, read from the beginning of the dump.
async fn contents(tools: &Tools, head: &[u8]) -> Result<Vec<String>, DumpError> {
    let mut command = tools.command("pg_restore");
    command.arg("--list").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Tool::start("pg_restore", &mut command)?;
    let mut stdin = child.child.stdin.take();
    let feed = async {
        if let Some(stdin) = &mut stdin {
            // It closes its input when it has read enough.
            let _ = stdin.write_all(head).await;
        }
        drop(stdin.take());
    };
    let read = async {
        let pieces: Vec<Bytes> = child.output().try_collect().await.unwrap_or_default();
        child.finish().await?;
        Ok::<_, DumpError>(String::from_utf8_lossy(&pieces.concat()).into_owned())
    };
    let ((), list) = futures::join!(feed, read);
    Ok(list?.lines().filter(|line| !line.starts_with(';') && !line.is_empty()).map(str::to_owned).collect())
}

/// Checks that every table is in a table of contents with rows, policies and row-level security.
fn check_contents(entries: &[String], schema: &Schema) -> Result<(), DumpError> {
    let data = entries.iter().filter(|line| line.contains(" TABLE DATA public ")).count();
    for table in schema.rows.keys() {
        if !entries.iter().any(|line| line.contains(&format!(" TABLE DATA public {table} "))) {
            return Err(DumpError::Incomplete(format!("the rows of table {table}")));
        }
    }
    for table in &schema.forced {
        if !entries.iter().any(|line| line.contains(&format!(" ROW SECURITY public {table} "))) {
            return Err(DumpError::Incomplete(format!("the row-level security of table {table}")));
        }
    }
    let policies = entries.iter().filter(|line| line.contains(" POLICY public ")).count();
    if policies != schema.policies.len() {
        return Err(DumpError::Incomplete(format!(
            "{} policies",
            schema.policies.len() - policies.min(schema.policies.len())
        )));
    }
    if data != schema.rows.len() {
        return Err(DumpError::Tables { got: data, expected: schema.rows.len() });
    }
    Ok(())
}

/// Creates the extensions of the search indexes: a dump of one schema contains none. As the owner, like the migrations. False where the
/// server lacks one, or has `pg_trgm` in another schema than the indexes name.
async fn make_extensions(target: &Target) -> Result<bool, DumpError> {
    let mut conn = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await?;
    for extension in [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public",
        "CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA public",
    ] {
        if let Err(error) = conn.execute(extension).await {
            tracing::warn!(%error, "this server refuses an extension of the search indexes");
        }
    }
    let made = schema::has_extensions(&mut conn).await?;
    let _ = conn.close().await;
    Ok(made)
}

/// The beginning of a dump, and the list for `--use-list` of its entries without the search indexes. In memory: the tool inherits the file.
async fn without_search_indexes<S, E>(
    tools: &Tools,
    schema: &Schema,
    data: &mut Pin<&mut S>,
) -> Result<(Bytes, File), DumpError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES
        && let Some(bytes) = data.next().await
    {
        head.extend_from_slice(&bytes.map_err(|error| DumpError::Source(Box::new(error)))?);
    }
    let names: Vec<&str> = schema.indexes.iter().filter_map(|index| schema::search_index(index)).collect();
    // An index of a partition has an entry `INDEX ATTACH` too.
    let is_left_out =
        |entry: &str| entry.contains(" INDEX ") && names.iter().any(|name| entry.contains(&format!(" public {name} ")));
    tracing::warn!(indexes = names.join(", "), "this server cannot have the search indexes: restoring without them");
    let mut entries = contents(tools, &head).await?;
    entries.retain(|entry| !is_left_out(entry));
    let failed = |source| DumpError::Start { tool: "pg_restore", source };
    let list = rustix::fs::memfd_create("pg_restore-list", MemfdFlags::empty());
    let mut list = File::from(list.map_err(|error| failed(error.into()))?);
    list.write_all((entries.join("\n") + "\n").as_bytes()).map_err(failed)?;
    Ok((head.into(), list))
}

/// Restores a streamed dump of `schema` into an empty database in one transaction, stopping at the first error. Without the search indexes
/// where the server lacks their extensions.
pub async fn restore<S, E>(target: &Target, tools: &Tools, schema: &Schema, data: S) -> Result<(), DumpError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut data = std::pin::pin!(data);
    let mut left_out = None;
    if !make_extensions(target).await? && schema.indexes.iter().any(|index| schema::search_index(index).is_some()) {
        left_out = Some(without_search_indexes(tools, schema, &mut data).await?);
    }
    let (head, list) = left_out.unzip();
    let (url, password) = tools::connection(&target.admin);
    let mut command = tools.command("pg_restore");
    command
        // Only the schema's contents: an empty database has the schema itself, and its grants come with the roles.
        .args(["--exit-on-error", "--single-transaction", "--no-owner", "--no-password", "--schema=public"])
        .arg(format!("--role={}", target.role_name(RoleKind::Owner)))
        .arg(format!("--dbname={url}"))
        .args(list.as_ref().map(|list| format!("--use-list=/proc/self/fd/{}", list.as_raw_fd())))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(password) = &password {
        command.env("PGPASSWORD", password);
    }
    let mut child = Tool::start("pg_restore", &mut command)?;
    drop(list);
    let mut stdin = child.child.stdin.take();
    let feed = async {
        let mut data = futures::stream::iter(head.map(Ok)).chain(data);
        while let Some(bytes) = data.next().await {
            let bytes = bytes.map_err(|error| DumpError::Source(Box::new(error)))?;
            // The tool has exited; its status says why.
            if let Some(pipe) = &mut stdin
                && pipe.write_all(&bytes).await.is_err()
            {
                break;
            }
        }
        // Only at the end of the stream: on an error the tool is killed with its input open, which rolls back its transaction.
        drop(stdin.take());
        Ok::<_, DumpError>(())
    };
    match feed.await {
        Ok(()) => child.finish().await,
        Err(error) => Err(error),
    }
}

/// A running tool: its output, its error output, its exit status.
struct Tool {
    name: &'static str,
    child: Child,
    words: tokio::task::JoinHandle<String>,
}

impl Tool {
    #[expect(clippy::disallowed_methods, reason = "reads what the child says until it closes; ends with the child")]
    fn start(name: &'static str, command: &mut Command) -> Result<Self, DumpError> {
        let mut child = command.spawn().map_err(|source| DumpError::Start { tool: name, source })?;
        // Applies to the tool, not to the server process behind it, which holds locks that others wait for.
        yield_processor(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let stderr = child.stderr.take();
        let words = tokio::spawn(async move {
            let mut words = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = (&mut stderr).take(MAX_WORDS).read_to_end(&mut words).await;
                let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
            }
            String::from_utf8_lossy(&words).trim().to_owned()
        });
        Ok(Self { name, child, words })
    }

    /// The tool's output pipe, for a thread that may block.
    fn blocking_output(&mut self) -> Result<File, DumpError> {
        let failed = |source| DumpError::Start { tool: self.name, source };
        let pipe = self.child.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let pipe = pipe.into_owned_fd().map_err(failed)?;
        let flags = rustix::fs::fcntl_getfl(&pipe).map_err(|error| failed(error.into()))?;
        rustix::fs::fcntl_setfl(&pipe, flags - OFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        Ok(pipe.into())
    }

    fn output(&mut self) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
        let stdout = self.child.stdout.take();
        futures::stream::iter(stdout).flat_map(|stdout| ReaderStream::with_capacity(stdout, 256 << 10))
    }

    /// Waits for the end. Anything but status 0 and silence is an error: nobody reads the warnings of a nightly backup.
    async fn finish(mut self) -> Result<(), DumpError> {
        // No timeout here: building the indexes of a large database takes hours. The caller has one.
        let status = self.child.wait().await.map_err(|source| DumpError::Start { tool: self.name, source })?;
        let words = self.words.await.unwrap_or_default();
        if !status.success() {
            return Err(DumpError::Failed { tool: self.name, status, words });
        }
        if words.is_empty() { Ok(()) } else { Err(DumpError::Complained { tool: self.name, words }) }
    }
}
