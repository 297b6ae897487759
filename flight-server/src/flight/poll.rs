//! PollFlightInfo: the first poll starts the statement, the next ones tell how far it is, and DoGet takes its
//! rows over.
//!
//! A polled statement counts as done when its first rows are there, or it turned out to have none: what had
//! to be sorted, joined or summed up is then behind it, and the rest is computed while it is read. Between
//! polls the server owns the work: it ends when nobody polls or fetches in time, when it is cancelled, and
//! when the server drains. A poll in another process finds nothing and says so.

use std::time::Duration;

use arrow_flight::sql::Any;
use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use basin_engine::{Progress, QueryId};
use bytes::Bytes;
use prost::Message;

use super::call::Call;
use super::columns::ResultForm;
use super::command::{self, Readable};
use super::handle;
use super::polled::{Polled, Seen};
use super::service::{FlightSql, Opened};
use super::statement::{Described, rows_of};
use crate::error::{Result, ServerError};
use crate::seal::Purpose;

/// Tells the descriptor of a next poll from the commands of Flight SQL.
const TYPE_URL: &str = "type.googleapis.com/basin.ContinuedPoll";

/// A statement that is over so soon needs no second poll.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What the descriptor of a next poll holds, sealed.
#[derive(Clone, PartialEq, Message)]
struct PollContent {
    #[prost(string, tag = "1")]
    query_id: String,
}

impl FlightSql {
    /// Answers a poll: starts what a command asks for, or tells how far it is.
    ///
    /// # Errors
    /// The statement's, `UnknownPoll` when it is not running here, or those of [`handle::open`].
    pub(super) async fn poll(&self, opened: &Opened, descriptor: FlightDescriptor) -> Result<PollInfo> {
        let call = &opened.call;
        if let Some(id) = self.polled_query(call, &descriptor)? {
            let polled = self.polls.get(id).ok_or(ServerError::UnknownPoll)?;
            opened
                .run
                .step(async {
                    polled.changed().await;
                    Ok(())
                })
                .await?;
            return self.answer(call, id, &polled);
        }
        let described = match command::readable(command::of_descriptor(&descriptor)?)? {
            // What changes something runs in this call, and is done with it.
            Readable::Statement(query) if self.engine.is_change(&call.request(query.clone())) => {
                return done(Box::pin(self.info(opened, descriptor)).await?);
            }
            Readable::Prepared(handle) if self.is_prepared_change(call, &handle)? => {
                return done(Box::pin(self.info(opened, descriptor)).await?);
            }
            Readable::Statement(query) => opened.run.step(self.describe_statement(call, query)).await?,
            Readable::Prepared(handle) => opened.run.step(self.describe_prepared(call, &handle)).await?,
            Readable::Metadata(_) | Readable::Ticket(_) => {
                return done(Box::pin(self.info(opened, descriptor)).await?);
            }
        };
        // What was polled is one stream, whatever the session asks of exports.
        let described = Described { parts: 1, ..described };
        let (id, polled) = self.start(call, &described, descriptor)?;
        opened
            .run
            .step(async {
                polled.over_within(FIRST_WAIT).await;
                Ok(())
            })
            .await?;
        self.answer(call, id, &polled)
    }

    /// Returns the query that the descriptor of a next poll names, if it is one.
    ///
    /// # Errors
    /// Those of [`handle::open`].
    pub(super) fn polled_query(&self, call: &Call, descriptor: &FlightDescriptor) -> Result<Option<QueryId>> {
        let Some(sealed) = continued(descriptor) else { return Ok(None) };
        let content: PollContent = handle::open(&self.sealer, Purpose::Poll, call, &sealed)?;
        let id = content.query_id.parse().map_err(|_| ServerError::Internal("a sealed query id is none"))?;
        Ok(Some(id))
    }

    fn start(
        &self,
        call: &Call,
        described: &Described,
        descriptor: FlightDescriptor,
    ) -> Result<(QueryId, std::sync::Arc<Polled>)> {
        let info = self.info_of(call, described, descriptor)?;
        let content = described.content.clone();
        let (request, progress) = (content.request(call)?, Progress::default());
        let form = ResultForm::new(&content.options, !content.parameters.is_empty());
        let (id, run) = (request.query_id, self.running.enter(request.query_id)?);
        let rows = rows_of(self.engine.clone(), request, content.parameters, form, Some(progress.clone()));
        Ok((id, self.polls.start(info, progress, run, rows)))
    }

    fn answer(&self, call: &Call, id: QueryId, polled: &Polled) -> Result<PollInfo> {
        match polled.seen() {
            Seen::Working(progress) => {
                let content = PollContent { query_id: id.to_string() };
                let lifetime = self.lifetimes.ticket;
                let sealed = handle::seal(&self.sealer, Purpose::Poll, call, lifetime, &content)?;
                let any = Any { type_url: TYPE_URL.to_owned(), value: sealed.into() };
                let next = FlightDescriptor::new_cmd(any.encode_to_vec());
                // Without an endpoint there is nothing to fetch yet; the descriptor is there for CancelFlightInfo.
                let mut info = polled.info().clone().with_descriptor(next.clone());
                info.endpoint.clear();
                let mut poll = PollInfo::new().with_info(info).with_descriptor(next);
                poll = poll.try_with_progress(progress)?;
                poll.expiration_time = polled.expires_at().to_rfc3339().parse().ok();
                Ok(poll)
            }
            Seen::Ready => done(polled.info().clone()),
            Seen::Failed(error) => {
                self.polls.forget(id);
                Err(error)
            }
            Seen::Fetched => Err(ServerError::UnknownPoll),
        }
    }
}

fn done(info: FlightInfo) -> Result<PollInfo> {
    Ok(PollInfo::new().with_info(info).try_with_progress(1.0)?)
}

fn continued(descriptor: &FlightDescriptor) -> Option<Bytes> {
    let any = Any::decode(descriptor.cmd.clone()).ok()?;
    (any.type_url == TYPE_URL).then_some(any.value)
}
