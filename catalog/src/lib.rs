//! The catalog: what datasets exist, who answers for them, who may ask, and which version of each is published.
//!
//! Everything is kept in one object store as a log of commits. A [`Snapshot`] is one immutable state of the whole catalog; a
//! query runs against exactly one. This crate knows policy as data (share types, grants) and decides nothing with it; it
//! knows neither SQL nor the wire.

mod access;
mod as_of;
mod catalog;
mod change;
mod codes;
mod definition;
mod demand;
mod entry;
mod error;
mod evolution;
mod expiry;
mod ids;
mod item;
mod item_type;
mod log;
mod organisation;
mod password;
mod policy;
mod rollup;
mod snapshot;
mod store;
mod text;
mod token;
mod version;
mod vocabulary;

pub use access::{CertificateLink, ExternalSignIn, Grant, Grantee, Principal, Role, User};
pub use as_of::AsOf;
pub use catalog::{
    Catalog, CommitSummary, Finding, KeyCheck, LogCheck, PublishedTable, PublishedVersion, TableKind,
    check_copy, copy_log, holds_catalog, verify_log,
};
pub use change::{Change, Publication};
pub use codes::{OrganisationCode, RegionCode, ResourceCode};
pub use definition::{DatasetDefinition, Layout, Sandbox};
pub use demand::{Decision, Demand, DemandState, Verdict};
pub use entry::{CatalogEntry, Licence, QualityDimension, QualityMeasurement, Region, Share};
pub use error::{CatalogError, ErrorClass, Result, store_error};
pub use expiry::Expiry;
pub use ids::{
    DatasetName, DeliveryId, DemandId, Digest, GrantId, ItemName, NodeId, RoleName, RollupName, SchemaName,
    SnapshotId, TokenId, UserName,
};
pub use item::{CodeList, Item};
pub use item_type::ItemType;
pub use organisation::{Node, Organisation};
pub use password::PasswordHash;
pub use policy::{DatasetPolicy, MinimumCell, RowFilter, Terms};
pub use rollup::{Dimension, Function, Measure, Period, Rollup, RollupFill, RollupState, RollupVersion};
pub use snapshot::{DatasetState, Snapshot};
pub use store::{Check, Conformance, S3Settings, Store, Unfinished, conformance};
pub use text::LocalText;
pub use token::{ServiceToken, TokenSecret};
pub use version::{DatasetVersion, DeliveredFile, Delivery, SliceKey};
pub use vocabulary::{Grade, ItemRole, Mask, NodeKind, OpenType, ShareMode, UpdateCycle};
