//! The same journey on each server: it does what Basin rests on, a delivery is pooled, served, asked and recorded, and
//! concurrent writers make a serial history.
//!
//! s3s-fs runs always. moto and versitygw are programs of their own, which `tests/run stores` gets and names:
//! BASIN_MOTO and BASIN_VERSITYGW are their paths.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::cloud::{BUCKET, Cloud, KEY, SECRET};
use super::server::S3Server;
use crate::client::{login, rows};
use crate::store::{BEDS, PROVIDER, entry};

const WRITERS: usize = 6;
const USERS_EACH: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server of its own; killed when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts a server on a free port, which `command` is given, and waits until it takes connections.
    fn start(variable: &str, command: impl FnOnce(&mut Command, SocketAddr)) -> Result<Self> {
        let program = std::env::var_os(variable)
            .with_context(|| format!("{variable} does not name the server; run `tests/run stores`"))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut starting = Command::new(program);
        command(&mut starting, address);
        let child = starting.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { child, address };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "{variable} takes no connection after {READY_WITHIN:?}");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pools, serves, asks, records.
async fn journey(cloud: &Cloud) -> Result<()> {
    cloud.prepare()?;
    cloud.apply(&(entry("test.beds", 1) + BEDS))?;
    let file = cloud.folder().join("beds-1.csv");
    fs::write(&file, "month,clinic,beds\n2024-01-01,a,10\n2024-01-01,b,20\n2024-02-01,a,12\n")?;
    let file = file.to_string_lossy().into_owned();
    cloud.run(&["pool", "test.beds", &file, "--provider", PROVIDER])?.success()?;
    let server = cloud.serve()?;
    let mut client = login(server.address()).await?;
    let asked = "SELECT clinic, sum(beds) AS beds FROM test.beds GROUP BY clinic ORDER BY clinic";
    let found = rows(&mut client, asked).await?;
    ensure!(found == [["a", "22"], ["b", "20"]], "{found:?}");
    ensure!(server.stop()? == Some(0), "the server did not stop in order");
    cloud.run(&["audit", "roll"])?.success()?;
    let recorded = cloud.run(&["audit", "search", "--json"])?.success()?;
    ensure!(recorded.contains(asked), "not recorded: {recorded}");
    Ok(())
}

/// Processes that commit at once: each commit that was acknowledged is there, once.
fn writers_make_a_serial_history(cloud: &Cloud) -> Result<()> {
    let before = cloud.sql("SELECT count(*) FROM basin.datasets")?;
    let mut added = Vec::new();
    for round in 0..USERS_EACH {
        let names: Vec<String> = (0..WRITERS).map(|writer| format!("w{writer}-{round}")).collect();
        let adding = names
            .iter()
            .map(|name| Ok(cloud.command(&["user", "add", name])?.stdout(Stdio::null()).spawn()?));
        let children = adding.collect::<Result<Vec<Child>>>()?;
        for (name, mut child) in names.into_iter().zip(children) {
            ensure!(child.wait()?.success(), "{name} was not added");
            added.push(name);
        }
    }
    let listed = cloud.run(&["user", "list", "--json"])?.success()?;
    for name in &added {
        let times = listed.matches(&format!("\"{name}\"")).count();
        ensure!(times == 1, "{name} is there {times} times");
    }
    ensure!(cloud.sql("SELECT count(*) FROM basin.datasets")? == before, "other things changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3s_fs() -> Result<()> {
    let server = S3Server::start()?;
    let cloud = Cloud::new(&server.endpoint(), "journey/deep")?;
    cloud.check()?;
    journey(&cloud).await?;
    writers_make_a_serial_history(&cloud)?;
    ensure!(server.open_uploads()? == 0, "uploads in parts were left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto, which `tests/run stores` installs"]
async fn moto() -> Result<()> {
    let server = Program::start("BASIN_MOTO", |command, address| {
        command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
    })?;
    // It looks at no signature: a bucket is made by whoever asks.
    let put = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        server.address
    );
    let mut stream = TcpStream::connect(server.address)?;
    std::io::Write::write_all(&mut stream, put.as_bytes())?;
    let answer = std::io::read_to_string(stream)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "no bucket: {answer}");
    let cloud = Cloud::new(&server.endpoint(), "journey")?;
    cloud.check()?;
    journey(&cloud).await?;
    writers_make_a_serial_history(&cloud)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs versitygw, which `tests/run stores` builds"]
async fn versitygw() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join(BUCKET))?;
    let server = Program::start("BASIN_VERSITYGW", |command, address| {
        command.args(["--port", &address.to_string(), "--access", KEY, "--secret", SECRET]);
        command.args(["--region", "us-east-1", "--quiet", "posix"]).arg(folder.path());
    })?;
    let cloud = Cloud::new(&server.endpoint(), "journey")?;
    cloud.check()?;
    journey(&cloud).await?;
    writers_make_a_serial_history(&cloud)
}
