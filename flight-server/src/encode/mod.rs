//! Record batches to Flight data: the last step of the walk.
//!
//! Clients know few types: text is Utf8, bytes are Binary, decimals are Decimal128; views, large
//! offsets, dictionaries and run-length encoding end here, unless a session asks for views (`form`). It changes
//! representation, never values.

mod form;
mod kept;
mod schema;
mod stream;

pub(crate) use form::WireForm;
pub(crate) use kept::{Kept, Leaving};
pub(crate) use schema::schema_bytes;
#[cfg(test)]
pub(crate) use schema::{schema_from_bytes, schema_message};
pub use schema::{to_wire, wire_schema};
pub(crate) use stream::flight_data;

#[cfg(test)]
mod tests;
