//! Worker: a worker's side. It answers what the supervisor asks, and reaches the other workers through it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use async_trait::async_trait;
use basin_engine::{Beside, OpenRecord, QueryId, RunningQuery};
use tokio::net::{TcpListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::frame::{Answer, Question, Tell};
use super::link::{Carrier, Hears, Link, link};
use crate::flight::Running;
use crate::metrics::Process;

/// What a worker inherits from its supervisor.
#[derive(Debug)]
pub struct Inherited {
    /// The socket that all workers accept from.
    pub listener: TcpListener,
    control: UnixStream,
}

impl Inherited {
    /// Takes the listening socket from standard input and the control socket from standard output.
    ///
    /// # Errors
    /// When they are none: the process was not started by a supervisor.
    pub fn take() -> io::Result<Self> {
        let listener = std::net::TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
        let control = std::os::unix::net::UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
        listener.set_nonblocking(true)?;
        control.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, control: UnixStream::from_std(control)? })
    }

    /// Begins to speak with the supervisor, under the name that it gave.
    #[must_use]
    pub fn connect(self, process: String) -> (TcpListener, WorkerLink, SupervisorLink) {
        let (link, carrier) = link(self.control);
        (self.listener, WorkerLink { process, link }, SupervisorLink { carrier })
    }
}

/// A worker's way to the others of its server.
#[derive(Debug, Clone)]
pub struct WorkerLink {
    process: String,
    link: Arc<Link>,
}

/// What carries a worker's link, for the server that the worker runs.
#[derive(Debug)]
pub struct SupervisorLink {
    carrier: Carrier,
}

impl WorkerLink {
    /// Tells the supervisor that connections are accepted.
    pub async fn ready(&self) {
        self.link.tell(Tell::Ready).await;
    }
}

#[async_trait]
impl Beside for WorkerLink {
    fn process(&self) -> &str {
        &self.process
    }

    async fn opened(&self, record: OpenRecord) {
        self.link.tell(Tell::Opened(record)).await;
    }

    fn closed(&self, record: OpenRecord) {
        self.link.tell_soon(Tell::Closed(record));
    }

    fn ended(&self, keys: Vec<QueryId>) {
        if !keys.is_empty() {
            self.link.tell_soon(Tell::Ended(keys));
        }
    }

    async fn settled(&self) {
        self.link.settled().await;
    }

    async fn running(&self) -> Vec<RunningQuery> {
        match self.link.ask(Question::Running).await {
            Some(Answer::Running(queries)) => queries,
            Some(Answer::Done(_) | Answer::Figures(_) | Answer::Ready(_)) | None => Vec::new(),
        }
    }

    async fn cancel(&self, query_id: QueryId) -> bool {
        match self.link.ask(Question::Cancel(query_id)).await {
            Some(Answer::Done(done)) => done,
            Some(Answer::Running(_) | Answer::Figures(_) | Answer::Ready(_)) | None => false,
        }
    }
}

impl SupervisorLink {
    /// Answers the supervisor until it says stop or is gone; either cancels `shutdown`.
    pub(crate) async fn carry(self, process: Process, running: Running, shutdown: CancellationToken) {
        let hears = Arc::new(Worker { process, running, shutdown: shutdown.clone() });
        if let Err(error) = self.carrier.carry(hears).await {
            tracing::error!(%error, "the control socket failed");
        }
        // Without its supervisor nobody could stop it later.
        shutdown.cancel();
    }
}

struct Worker {
    process: Process,
    running: Running,
    shutdown: CancellationToken,
}

impl Hears for Worker {
    fn told(&self, tell: Tell) {
        match tell {
            Tell::Stop => self.shutdown.cancel(),
            Tell::Ready | Tell::Opened(_) | Tell::Closed(_) | Tell::Ended(_) => {}
        }
    }

    async fn asked(&self, question: Question) -> Answer {
        match question {
            Question::Running => Answer::Running(self.process.engine.running_here()),
            Question::Cancel(id) => Answer::Done(self.running.cancel(id)),
            Question::Figures => Answer::Figures(self.process.figures()),
            Question::Ready => Answer::Ready(self.process.reaches_its_store().await),
            Question::Bury { records, cause } => {
                let buried = self.process.engine.bury(&records, &cause).await;
                if let Err(error) = &buried {
                    tracing::warn!(%error, "the ends of a dead worker's queries are not stored yet");
                }
                Answer::Done(true)
            }
        }
    }
}
