//! The real program on its embedded default: own data directory, own PostgreSQL, free ports.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{
    app::{ADMIN_EMAIL, ADMIN_PASSWORD, Client, model_dir},
    cluster::{PATIENCE, binaries},
};

/// A place for an appliance; what it keeps outlives each run of the program.
pub struct Site {
    dir: tempfile::TempDir,
    pub address: SocketAddr,
    pub ops: SocketAddr,
    settings: Vec<(String, String)>,
}

/// The running program.
pub struct Running {
    child: Child,
    /// Standard output and error, line by line.
    lines: Arc<Mutex<Vec<String>>>,
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Site {
    /// With an administrator whose password is known.
    pub fn new() -> Self {
        let mut site = Self::without_admin();
        site.set("HOLDFAST_ADMIN__EMAIL", ADMIN_EMAIL);
        site.set("HOLDFAST_ADMIN__PASSWORD", ADMIN_PASSWORD);
        site
    }

    /// With an administrator, and these settings besides.
    pub fn with(settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut site = Self::new();
        for (name, value) in settings {
            site.set(name, &value);
        }
        site
    }

    pub fn without_admin() -> Self {
        let dir = tempfile::Builder::new().prefix("hfproc").tempdir().unwrap();
        // The database's user must be able to cross it.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (address, ops) = (free_address(), free_address());
        let mut site = Self { dir, address, ops, settings: Vec::new() };
        site.set("HOLDFAST_DATA_DIR", &site.data_dir().display().to_string());
        site.set("HOLDFAST_SERVER__LISTEN", &address.to_string());
        site.set("HOLDFAST_OPS__LISTEN", &ops.to_string());
        site.set("HOLDFAST_LLM__EMBEDDING__MODEL_DIR", &model_dir().display().to_string());
        site
    }

    /// Sets a variable of the program's environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(n, _)| n != name);
        self.settings.push((name.into(), value.into()));
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn program() -> std::ffi::OsString {
        let built = || env!("CARGO_BIN_EXE_holdfast").into();
        std::env::var_os("HOLDFAST_TEST_BINARY").unwrap_or_else(built)
    }

    /// What the program's environment says, and `PROGRAM`: the program itself. For scripts.
    pub fn environment(&self) -> Vec<(String, String)> {
        let program = ("PROGRAM".to_owned(), Self::program().to_string_lossy().into_owned());
        let binaries = ("HOLDFAST_DATABASE__BIN_DIR".to_owned(), binaries().display().to_string());
        self.settings.iter().cloned().chain([program, binaries]).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Self::program());
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("HOLDFAST_DATABASE__BIN_DIR", binaries())
            .envs(std::env::vars().filter(|(name, _)| name == "HF_MUTANT"))
            .envs(self.settings.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// As [`Self::run`], with a standard output that nobody reads.
    pub async fn run_unread(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            child.wait_with_output().unwrap()
        })
        .await
        .unwrap()
    }

    /// As [`Self::run`], with standard output into a file.
    pub async fn run_into(&self, file: &Path, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.stdout(fs::OpenOptions::new().write(true).open(file).unwrap());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// As [`Self::run`], in a folder.
    pub async fn run_in(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.current_dir(folder);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Starts the appliance, without waiting for anything.
    pub fn launch(&self) -> Running {
        self.launch_command(&["serve"])
    }

    /// Starts a command, without waiting for anything.
    pub fn launch_command(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), lines.clone());
        collect(child.stderr.take().unwrap(), lines.clone());
        Running { child, lines }
    }

    /// Starts the appliance and waits until it is ready.
    pub async fn start(&self) -> Running {
        self.wait_for(self.launch()).await
    }

    /// As [`Self::start`], with one of the roles.
    pub async fn start_role(&self, role: &str) -> Running {
        self.wait_for(self.launch_command(&["serve", "--role", role])).await
    }

    async fn wait_for(&self, mut running: Running) -> Running {
        let (deadline, client) = (Instant::now() + PATIENCE, Client::new(&format!("http://{}", self.ops)));
        while !client.is_ready().await {
            assert!(running.child.try_wait().unwrap().is_none(), "it ended:\n{}", running.output());
            assert!(Instant::now() < deadline, "it does not become ready:\n{}", running.output());
            sleep(Duration::from_millis(50)).await;
        }
        running
    }

    pub fn anonymous(&self) -> Client {
        Client::new(&format!("http://{}", self.address))
    }

    pub async fn admin(&self) -> Client {
        self.anonymous().sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await
    }

    /// The private PostgreSQL's postmaster, where one runs.
    pub fn postmaster(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.data_dir().join("postgres/postmaster.pid")).ok()?;
        let pid: i32 = file.lines().next()?.trim().parse().ok()?;
        let cluster = self.data_dir().join("postgres").display().to_string();
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains(&cluster).then(|| Pid::from_raw(pid)).flatten()
    }

    /// Every process whose command line names this site.
    pub fn processes(&self) -> Vec<String> {
        let marker = self.dir.path().display().to_string();
        let commands = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| fs::read(e.path().join("cmdline")).ok());
        commands.map(|c| String::from_utf8_lossy(&c).replace('\0', " ")).filter(|c| c.contains(&marker)).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that failed half-way must not leave a database behind.
        if let Some(pid) = self.postmaster() {
            let _ = kill_process(pid, Signal::QUIT);
        }
    }
}

fn collect(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// All output so far.
    pub fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end.
    pub async fn stop(mut self) -> (ExitStatus, String) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.output());
            }
            assert!(Instant::now() < deadline, "it does not stop:\n{}", self.output());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Resident memory, bytes.
    pub fn resident(&self) -> u64 {
        resident(Path::new(&format!("/proc/{}/statm", self.pid().as_raw_nonzero())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resident(statm: &Path) -> u64 {
    let text = fs::read_to_string(statm).unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * u64::try_from(rustix::param::page_size()).unwrap()
}
