//! One call: who asks, with which id, and what its session and headers chose. Made from request metadata, once, at the
//! start.

use std::time::Instant;

use basin_catalog::{AsOf, Principal};
use basin_engine::{Query, QueryId, QueryRequest};
use tonic::metadata::MetadataMap;

use super::options::SessionOptions;
use super::session;
use crate::authn::{Authenticator, Identity};
use crate::error::Result;
use crate::seal::Sealer;

/// One authenticated call.
#[derive(Debug)]
pub(super) struct Call {
    /// Identity of the query, or of the call when it is none.
    pub(super) query_id: QueryId,
    /// Who asks, with the purpose that the session states.
    pub(super) principal: Principal,
    /// Which state of the data is asked.
    pub(super) as_of: AsOf,
    /// What the session chose, as the client brought it.
    pub(super) session: SessionOptions,
    /// What is in force: the session's options, and the headers of this call over them.
    pub(super) options: SessionOptions,
    identity: Identity,
    /// When it came, before anything was looked at for it.
    pub(super) arrived: Instant,
}

impl Call {
    /// Reads the session and the headers of a call by an authenticated user.
    ///
    /// # Errors
    /// `InvalidRequest` when the session has ended or a header can't be read.
    pub(super) fn new(
        query_id: QueryId,
        identity: Identity,
        sealer: &Sealer,
        metadata: &MetadataMap,
        arrived: Instant,
    ) -> Result<Self> {
        let session = session::of_call(sealer, metadata, &identity.user(), identity.session())?;
        let mut options = session.clone();
        options.override_by(metadata)?;
        Ok(Self {
            query_id,
            principal: identity.principal(options.purpose.clone()),
            as_of: options.state()?,
            session,
            options,
            identity,
            arrived,
        })
    }

    /// Returns the name of the user who asks.
    pub(super) fn user(&self) -> String {
        self.principal.user().to_string()
    }

    /// Returns a bearer token for the caller, with the options of a session.
    ///
    /// # Errors
    /// `Internal` when sealing fails.
    pub(super) fn token(&self, authenticator: &Authenticator, session: Vec<u8>) -> Result<String> {
        authenticator.issue(&self.identity, session)
    }

    /// Returns the request for a statement as this call asks it.
    pub(super) fn request(&self, query: Query) -> QueryRequest {
        QueryRequest {
            query_id: self.query_id,
            principal: self.principal.clone(),
            query,
            as_of: self.as_of.clone(),
            parameters: Vec::new(),
            options: self.options.for_query(),
        }
    }

    /// Returns the request for a statement as it was asked when its handle was made, by the caller of today.
    ///
    /// # Errors
    /// `Internal` when the handle's state can't be read.
    pub(super) fn request_of(&self, query: Query, options: &SessionOptions) -> Result<QueryRequest> {
        Ok(QueryRequest {
            query_id: self.query_id,
            principal: self.identity.principal(options.purpose.clone()),
            query,
            as_of: options.state()?,
            parameters: Vec::new(),
            options: options.for_query(),
        })
    }
}
