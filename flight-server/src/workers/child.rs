//! Child: one worker process, from its start to its end.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child as Process, Command};
use tokio_util::task::AbortOnDropHandle;

use super::fleet::{Fleet, Member};
use super::frame::Tell;
use super::link::link;
use super::memory::resident_bytes;
use crate::error::{Result, ServerError};

/// How often a worker's memory is looked at: in that time one takes some hundred MiB more.
const LOOK: Duration = Duration::from_millis(100);
/// After its end, what a worker had said is read for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Beyond the drain, a worker that was told to stop gets this long to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the worker's name comes after them.
    pub arguments: Vec<OsString>,
    /// Memory beyond which a worker is ended, before the system runs out of it.
    ///
    /// Units: bytes.
    pub memory_limit_bytes: u64,
    /// How long a worker's running results may go on after it was told to stop.
    pub drain: Duration,
}

/// A worker process. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    pub(super) member: Arc<Member>,
    carrying: AbortOnDropHandle<()>,
    memory_limit_bytes: u64,
    drain: Duration,
}

/// How a worker ended.
#[derive(Debug)]
pub(super) struct Death {
    /// As the system tells it; none when it could not be asked.
    pub(super) status: Option<ExitStatus>,
    /// What is told to the users of its queries.
    pub(super) cause: String,
}

impl Child {
    /// Starts a worker under a name; it accepts connections once it has said that it is ready.
    ///
    /// # Errors
    /// `Workers` when the process can't be started.
    pub(super) fn start(
        command: &WorkerCommand,
        listener: &TcpListener,
        fleet: &Arc<Fleet>,
        name: String,
    ) -> Result<Self> {
        let failed = |source| ServerError::Workers { doing: "starting a worker", source };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let process = Command::new(&command.program)
            .args(&command.arguments)
            .arg("--worker")
            .arg(&name)
            .stdin(Stdio::from(OwnedFd::from(listener.try_clone().map_err(failed)?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (link, carrier) = link(UnixStream::from_std(ours).map_err(failed)?);
        let member = fleet.welcome(name, process.id(), link);
        let hears = Arc::new(fleet.seat(&member));
        let carrying = tokio::spawn(async move {
            if let Err(error) = carrier.carry(hears).await {
                tracing::debug!(%error, "a control socket ended");
            }
        });
        Ok(Self {
            process,
            member,
            carrying: AbortOnDropHandle::new(carrying),
            memory_limit_bytes: command.memory_limit_bytes,
            drain: command.drain,
        })
    }

    /// Waits for its end, which comes when it takes too much memory, if not before.
    pub(super) async fn ended(&mut self) -> Death {
        let id = self.process.id();
        let too_large = async {
            loop {
                tokio::time::sleep(LOOK).await;
                match id {
                    Some(id) if resident_bytes(id).await.is_some_and(|now| now > self.memory_limit_bytes) => {
                        return;
                    }
                    Some(_) | None => {}
                }
            }
        };
        let (status, cause) = tokio::select! {
            biased;
            status = self.process.wait() => {
                let status = status.ok();
                let how = status.map_or_else(|| "in an unknown way".to_owned(), |status| status.to_string());
                (status, format!("the server process that ran it ended: {how}"))
            }
            () = too_large => {
                let limit = self.memory_limit_bytes / (1024 * 1024);
                let cause = format!("the server process that ran it was ended: it took more than {limit} MiB of memory");
                // It is gone already when this fails.
                drop(self.process.start_kill());
                (self.process.wait().await.ok(), cause)
            }
        };
        // Until its end of the socket is closed, it may have said something that was not heard yet.
        drop(tokio::time::timeout(LAST_WORDS, &mut self.carrying).await);
        Death { status, cause }
    }

    /// Has it drain and end; kills it when it doesn't in time.
    pub(super) async fn retire(mut self) -> (Arc<Member>, Death) {
        self.member.link.tell(Tell::Stop).await;
        let limit = self.drain + FAREWELL;
        let death = match tokio::time::timeout(limit, self.ended()).await {
            Ok(death) => death,
            Err(_) => {
                tracing::error!(worker = self.member.name, "does not end, and is killed");
                drop(self.process.start_kill());
                self.ended().await
            }
        };
        (Arc::clone(&self.member), death)
    }
}
