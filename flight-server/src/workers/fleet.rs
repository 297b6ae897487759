//! Fleet: the workers that are there, and the open records of each. What one worker asks of the others goes through here.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use basin_engine::{OpenRecord, QueryId, RunningQuery};
use futures::future::join_all;
use tokio::sync::watch;

use crate::metrics::{Family, Kind, figure, merged};

use super::frame::{Answer, Question, Tell};
use super::link::{Hears, Link};
use super::memory::resident_bytes;

/// The workers of a server.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    members: Mutex<BTreeMap<String, Arc<Member>>>,
    /// Of dead workers, until a living one has taken them.
    orphans: Mutex<Vec<(Vec<OpenRecord>, String)>>,
    deaths: AtomicU64,
}

/// A worker that is there.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    process: Option<u32>,
    pub(super) link: Arc<Link>,
    open: Mutex<HashMap<QueryId, OpenRecord>>,
    ready: watch::Sender<bool>,
}

impl Fleet {
    /// Takes a worker in.
    pub(super) fn welcome(&self, name: String, process: Option<u32>, link: Arc<Link>) -> Arc<Member> {
        let member = Member {
            name: name.clone(),
            process,
            link,
            open: Mutex::default(),
            ready: watch::Sender::new(false),
        };
        let member = Arc::new(member);
        lock(&self.members).insert(name, Arc::clone(&member));
        member
    }

    /// The supervisor's ear for a worker.
    pub(super) fn seat(self: &Arc<Self>, member: &Arc<Member>) -> Seat {
        Seat { fleet: Arc::clone(self), member: Arc::clone(member) }
    }

    /// Removes a worker that ended; the queries that it left open end by another one's hand.
    pub(super) async fn dismiss(&self, member: &Member, cause: String) {
        lock(&self.members).remove(&member.name);
        let records: Vec<OpenRecord> = lock(&member.open).drain().map(|(_, record)| record).collect();
        if !records.is_empty() {
            tracing::error!(
                worker = member.name,
                queries = records.len(),
                cause,
                "a worker left records of queries"
            );
            lock(&self.orphans).push((records, cause));
        }
        self.bury().await;
    }

    /// Hands what dead workers left to a living one, if there is any.
    pub(super) async fn bury(&self) {
        let orphans = std::mem::take(&mut *lock(&self.orphans));
        for (records, cause) in orphans {
            let question = Question::Bury { records: records.clone(), cause: cause.clone() };
            if !self.first_done(None, question).await {
                lock(&self.orphans).push((records, cause));
            }
        }
    }

    /// Counts a worker that ended though nobody told it to.
    pub(super) fn died(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }

    /// Gathers the figures of all workers, and those of the fleet itself.
    pub(super) async fn figures(&self) -> Vec<Family> {
        let others = self.others(None);
        let answers = join_all(others.iter().map(|member| member.link.ask(Question::Figures))).await;
        let mut processes = Vec::with_capacity(others.len());
        let mut resident =
            Family::new(Kind::Gauge, "basin_worker_resident_bytes", "Memory that a worker occupies.");
        for (member, answer) in others.iter().zip(answers) {
            if let Some(Answer::Figures(families)) = answer {
                processes.push((member.name.clone(), families));
            }
            if let Some(process) = member.process
                && let Some(bytes) = resident_bytes(process).await
            {
                resident = resident.with(&[("worker", &member.name)], figure(bytes));
            }
        }
        let ready = figure(others.len() as u64);
        let mut all = vec![
            Family::gauge("basin_workers_ready", "Workers that accept connections.", ready),
            Family::counter(
                "basin_worker_deaths_total",
                "Workers that ended though nobody told them to.",
                figure(self.deaths.load(Ordering::Relaxed)),
            ),
            resident,
        ];
        all.extend(merged(processes));
        all
    }

    /// Checks that a worker takes queries.
    ///
    /// # Errors
    /// Why none does.
    pub(super) async fn takes_queries(&self) -> Result<(), String> {
        let mut why = "no worker accepts connections".to_owned();
        for member in self.others(None) {
            match member.link.ask(Question::Ready).await {
                Some(Answer::Ready(Ok(()))) => return Ok(()),
                Some(Answer::Ready(Err(reason))) => why = reason,
                Some(Answer::Done(_) | Answer::Running(_) | Answer::Figures(_)) | None => {
                    why = format!("worker {} does not answer", member.name);
                }
            }
        }
        Err(why)
    }

    fn others(&self, name: Option<&str>) -> Vec<Arc<Member>> {
        let members = lock(&self.members);
        let others = members.values().filter(|member| Some(member.name.as_str()) != name);
        others.filter(|member| *member.ready.borrow()).map(Arc::clone).collect()
    }

    async fn running(&self, name: &str) -> Vec<RunningQuery> {
        let others = self.others(Some(name));
        let answers = join_all(others.iter().map(|member| member.link.ask(Question::Running))).await;
        let lists = answers.into_iter().filter_map(|answer| match answer {
            Some(Answer::Running(queries)) => Some(queries),
            Some(Answer::Done(_) | Answer::Figures(_) | Answer::Ready(_)) | None => None,
        });
        lists.flatten().collect()
    }

    /// Asks one after the other until one has done it.
    async fn first_done(&self, except: Option<&str>, question: Question) -> bool {
        for member in self.others(except) {
            if matches!(member.link.ask(question.clone()).await, Some(Answer::Done(true))) {
                return true;
            }
        }
        false
    }
}

impl Member {
    /// Waits until it accepts connections.
    pub(super) async fn is_ready(&self) {
        // Its sender is in `self`.
        drop(self.ready.subscribe().wait_for(|ready| *ready).await);
    }

    /// Nothing is asked of it any more.
    pub(super) fn leaves(&self) {
        self.ready.send_replace(false);
    }
}

/// The supervisor's ear for one worker.
#[derive(Debug)]
pub(super) struct Seat {
    fleet: Arc<Fleet>,
    member: Arc<Member>,
}

impl Hears for Seat {
    fn told(&self, tell: Tell) {
        match tell {
            Tell::Ready => drop(self.member.ready.send_replace(true)),
            Tell::Opened(record) | Tell::Closed(record) => {
                lock(&self.member.open).insert(record.key, record);
            }
            Tell::Ended(keys) => {
                let mut open = lock(&self.member.open);
                for key in keys {
                    open.remove(&key);
                }
            }
            Tell::Stop => {}
        }
    }

    async fn asked(&self, question: Question) -> Answer {
        match question {
            Question::Running => Answer::Running(self.fleet.running(&self.member.name).await),
            Question::Cancel(_) => {
                Answer::Done(self.fleet.first_done(Some(&self.member.name), question).await)
            }
            Question::Bury { .. } | Question::Figures | Question::Ready => Answer::Done(false),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
