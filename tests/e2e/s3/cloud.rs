//! The program against a store on S3: an address, a configuration file and a profile with keys.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::program::{Ended, Server, basin};
use crate::store::{PASSWORD, PROVIDER, USER};

/// The key of the account that the servers of these tests know.
pub(crate) const KEY: &str = "AKIATESTOFBASIN";
/// Its secret; no output of the program may have it.
pub(crate) const SECRET: &str = "canary-Secret/of+Basin";
/// The bucket that they have.
pub(crate) const BUCKET: &str = "basin-tests";

/// A store at an endpoint, and the files with which the program finds it.
#[derive(Debug)]
pub(crate) struct Cloud {
    url: PathBuf,
    folder: TempDir,
}

impl Cloud {
    /// A store in a folder of the bucket; nothing is asked of the endpoint yet.
    pub(crate) fn new(endpoint: &str, prefix: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let credentials = folder.path().join("credentials");
        fs::write(
            &credentials,
            format!("[tests]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"),
        )?;
        let config = format!(
            "[s3]\nendpoint = '{endpoint}'\nallow_http = true\nregion = 'us-east-1'\nprofile = 'tests'\n\
             credentials_file = '{}'\n",
            credentials.display()
        );
        fs::write(folder.path().join("basin.toml"), config)?;
        Ok(Self { url: PathBuf::from(format!("s3://{BUCKET}/{prefix}")), folder })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("basin.toml")
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, text: &str) -> Result<()> {
        let all = fs::read_to_string(self.config())? + text;
        Ok(fs::write(self.config(), all)?)
    }

    /// A command on this store.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Command> {
        let mut command = basin(&self.url, ["--config".as_ref(), self.config().as_os_str()])?;
        command.args(arguments).env("BASIN_PASSWORD", PASSWORD);
        Ok(command)
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Ended> {
        Ok(self.command(arguments)?.output()?.into())
    }

    /// Runs one statement; gives its rows as CSV lines without the header.
    pub(crate) fn sql(&self, statement: &str) -> Result<Vec<String>> {
        let printed = self.run(&["sql", statement, "--format", "csv"])?.success()?;
        Ok(printed.lines().skip(1).map(str::to_owned).collect())
    }

    /// Serves the store on a free port of the loopback.
    pub(crate) fn serve(&self) -> Result<Server> {
        let config = self.config();
        let words = ["--config".as_ref(), config.as_os_str(), "serve".as_ref(), "--listen".as_ref()];
        Server::start(&self.url, words.into_iter().chain(["127.0.0.1:0".as_ref()]))
    }

    /// Makes the organisation and the user of the tests.
    pub(crate) fn prepare(&self) -> Result<()> {
        self.run(&["org", "put", PROVIDER, "--name-en", "Test provider", "--name-zh", "测试机构"])?
            .success()?;
        self.run(&["user", "add", USER])?.success()?;
        Ok(())
    }

    /// Defines a dataset.
    pub(crate) fn apply(&self, manifest: &str) -> Result<()> {
        let file = self.folder.path().join("manifest.toml");
        fs::write(&file, manifest)?;
        self.run(&["dataset".as_ref(), "apply".as_ref(), file.as_os_str()])?.success()?;
        Ok(())
    }

    /// Asks whether the store does what Basin rests on.
    pub(crate) fn check(&self) -> Result<()> {
        let ended = self.run(&["store", "check"])?;
        ensure!(ended.code == Some(0), "{}", ended.text());
        Ok(())
    }

    /// A folder for deliveries.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
