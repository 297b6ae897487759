//! The engine against small Delta tables written by hand.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod audit;
mod demands;
mod limits;
mod lineage;
mod parameters;
mod parts;
mod policy;
mod readonly;
mod select;
mod substrait;
mod support;
mod system;
