//! One call: who asks, with which id, as of when. Made from request metadata, once, at the start.

use basin_catalog::{AsOf, Principal};
use basin_engine::{QueryId, QueryRequest};
use tonic::metadata::MetadataMap;

use crate::authn::{Identity, PURPOSE_HEADER};
use crate::error::{Result, ServerError};

/// The header that names an earlier state: a snapshot number, a date or a timestamp.
const AS_OF_HEADER: &str = "x-basin-as-of";

/// The longest purpose that is taken, in bytes.
const MAX_PURPOSE_BYTES: usize = 1024;

/// One authenticated call.
#[derive(Debug)]
pub(super) struct Call {
    /// Identity of the query, or of the call when it is none.
    pub(super) query_id: QueryId,
    /// Who asks, with the purpose that the session states.
    pub(super) principal: Principal,
    /// Which state of the data is asked.
    pub(super) as_of: AsOf,
    /// The purpose, as stated.
    pub(super) purpose: Option<String>,
    identity: Identity,
}

impl Call {
    /// Reads the session's headers of a call by an authenticated user.
    ///
    /// # Errors
    /// `InvalidRequest` when a header can't be read.
    pub(super) fn new(query_id: QueryId, identity: Identity, metadata: &MetadataMap) -> Result<Self> {
        let purpose = purpose(metadata)?;
        Ok(Self {
            query_id,
            principal: identity.principal(purpose.clone()),
            as_of: as_of(metadata)?,
            purpose,
            identity,
        })
    }

    /// Returns the name of the user who asks.
    pub(super) fn user(&self) -> String {
        self.principal.user().to_string()
    }

    /// Returns who asks, with the purpose that was stated when a handle was made.
    pub(super) fn principal_for(&self, purpose: Option<String>) -> Principal {
        self.identity.principal(purpose)
    }

    /// Returns the request for a statement as this session asks it.
    pub(super) fn request(&self, sql: String) -> QueryRequest {
        QueryRequest {
            query_id: self.query_id,
            principal: self.principal.clone(),
            sql,
            as_of: self.as_of.clone(),
            parameters: Vec::new(),
            timeout: None,
        }
    }
}

fn purpose(metadata: &MetadataMap) -> Result<Option<String>> {
    let Some(value) = metadata.get(PURPOSE_HEADER) else {
        return Ok(None);
    };
    // HTTP/2 carries bytes; clients write UTF-8, so that purposes may be Chinese.
    match std::str::from_utf8(value.as_encoded_bytes()) {
        Ok(text) if text.len() <= MAX_PURPOSE_BYTES => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Ok(_) | Err(_) => Err(ServerError::InvalidRequest(format!(
            "the header {PURPOSE_HEADER} must be UTF-8 text of at most {MAX_PURPOSE_BYTES} bytes"
        ))),
    }
}

fn as_of(metadata: &MetadataMap) -> Result<AsOf> {
    let Some(value) = metadata.get(AS_OF_HEADER) else {
        return Ok(AsOf::Latest);
    };
    let invalid = || {
        ServerError::InvalidRequest(format!(
            "the header {AS_OF_HEADER} must be a snapshot number, a date or an RFC 3339 timestamp"
        ))
    };
    let text = value.to_str().map_err(|_| invalid())?;
    text.trim().parse().map_err(|_| invalid())
}
