//! Runs the binary: one command to its end, or a server until it is dropped.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The demo pools the whole pack with an unoptimised binary before it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(600);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Gives what was printed when the command succeeded.
    pub(crate) fn success(self) -> Result<String> {
        ensure!(self.code == Some(0), "exit code {:?}: {}{}", self.code, self.stdout, self.stderr);
        Ok(self.stdout)
    }

    /// Everything printed, on either stream.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A command of the binary that cargo built into the folder above this test's own.
pub(crate) fn basin<I, S>(store: &Path, arguments: I) -> Result<Command>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(binary()?);
    command.arg("--store").arg(store).args(arguments).stdin(Stdio::null());
    for name in ["BASIN_STORE", "BASIN_CONFIG", "BASIN_PASSWORD", "BASIN_LOG"] {
        command.env_remove(name);
    }
    // Keys of whoever runs the tests are not for the stores of the tests.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// Runs a command to its end.
pub(crate) fn run<I, S>(store: &Path, arguments: I) -> Result<Ended>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    Ok(basin(store, arguments)?.output()?.into())
}

/// Runs one statement against the store itself and gives its rows as CSV lines, without the header.
pub(crate) fn sql(store: &Path, statement: &str, more: &[&str]) -> Result<Vec<String>> {
    let mut arguments = vec!["sql", statement, "--format", "csv"];
    arguments.extend(more);
    let printed = run(store, arguments)?.success().with_context(|| statement.to_owned())?;
    Ok(printed.lines().skip(1).map(str::to_owned).collect())
}

fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(Path::parent).context("the test has no target folder")?;
    let binary = profile.join(format!("basin{}", std::env::consts::EXE_SUFFIX));
    ensure!(binary.is_file(), "{} is missing; build it first: cargo build --bin basin", binary.display());
    Ok(binary)
}

/// A running `basin serve` or `basin demo`; killed when dropped, with its workers.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    logged: Option<thread::JoinHandle<String>>,
    printed: Vec<String>,
    address: String,
}

impl Server {
    /// Starts the command and waits for its line `ready ADDR`.
    pub(crate) fn start<I, S>(store: &Path, arguments: I) -> Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Self::spawn(basin(store, arguments)?)
    }

    /// Starts a prepared command and waits for its line `ready ADDR`.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let logged = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut server =
            Self { child, lines, logged: Some(logged), printed: Vec::new(), address: String::new() };
        if let Err(error) = server.wait_until_ready() {
            let log = server.end_now();
            bail!("{error:#}; printed:\n{}\n{log}", server.printed.join("\n"));
        }
        Ok(server)
    }

    /// Serves `store` on a free port of the loopback.
    pub(crate) fn serve(store: &Path) -> Result<Self> {
        Self::start(store, ["serve", "--listen", "127.0.0.1:0"])
    }

    /// Serves `store` on a free port of the loopback, with a configuration that is written into `folder`.
    pub(crate) fn configured(store: &Path, folder: &Path, config: &str) -> Result<Self> {
        let file = folder.join("basin.toml");
        std::fs::write(&file, config)?;
        let words = ["serve", "--listen", "127.0.0.1:0", "--config"].map(OsStr::new);
        Self::start(store, words.into_iter().chain([file.as_os_str()]))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = line.trim().strip_prefix("ready ") {
                        address.trim().clone_into(&mut self.address);
                        return Ok(());
                    }
                    self.printed.push(line);
                }
                Err(RecvTimeoutError::Timeout) => bail!("not ready after {READY_TIMEOUT:?}"),
                Err(RecvTimeoutError::Disconnected) => bail!("ended before it was ready"),
            }
        }
    }

    /// The host and port it serves on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it printed before it was ready.
    pub(crate) fn printed(&self) -> &[String] {
        &self.printed
    }

    /// What it answers at a path of its endpoint of metrics: the status and the text.
    pub(crate) fn told(&self, path: &str) -> Result<(u16, String)> {
        let said = self.printed.iter().find_map(|line| line.strip_prefix("metrics http://"));
        let address = said.and_then(|said| said.strip_suffix("/metrics")).context("it tells no metrics")?;
        let mut stream = std::net::TcpStream::connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, body.to_owned()))
    }

    /// Its metrics.
    pub(crate) fn metrics(&self) -> Result<String> {
        let (status, text) = self.told("/metrics")?;
        ensure!(status == 200, "{status}: {text}");
        Ok(text)
    }

    /// The id of the process that was started.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The ids of the processes that it started.
    pub(crate) fn children(&self) -> Result<Vec<u32>> {
        let id = self.child.id();
        let mut children = Vec::new();
        for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
            let text = std::fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            children.extend(text.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        Ok(children)
    }

    /// The memory that it and its workers occupy.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        Ok(self.kib("VmRSS:")? * 1024)
    }

    /// The most memory that one of its processes ever occupied.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        let all = [self.child.id()].into_iter().chain(self.children()?);
        all.map(|process| kib(process, "VmHWM:")).try_fold(0, |most, one| Ok(most.max(one?)))
    }

    /// Of it and its workers together.
    fn kib(&self, field: &str) -> Result<u64> {
        let all = [self.child.id()].into_iter().chain(self.children()?);
        all.map(|process| kib(process, field)).sum()
    }

    /// Ends it, which must still run with all of its workers, and gives what it wrote on stderr.
    pub(crate) fn end(mut self) -> Result<String> {
        let ended = self.child.try_wait()?;
        let log = self.end_now();
        ensure!(ended.is_none() && !log.contains("a worker died"), "a process died ({ended:?}):\n{log}");
        Ok(log)
    }

    /// Ends all of its processes at once, as a machine that fails does.
    fn kill(&mut self) {
        let workers = self.children().unwrap_or_default();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for worker in workers {
            let _ = Command::new("kill").args(["-9", &worker.to_string()]).stderr(Stdio::null()).status();
        }
    }

    fn end_now(&mut self) -> String {
        self.kill();
        self.logged.take().and_then(|logged| logged.join().ok()).unwrap_or_default()
    }

    /// Asks it to stop (SIGTERM) and gives its exit code.
    pub(crate) fn stop(mut self) -> Result<Option<i32>> {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(ended.success(), "the server is gone already");
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            ensure!(Instant::now() < deadline, "still runs {STOP_TIMEOUT:?} after SIGTERM");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The memory that a process occupies.
pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    Ok(kib(process, "VmRSS:")? * 1024)
}

fn kib(process: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context(field.to_owned())?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
