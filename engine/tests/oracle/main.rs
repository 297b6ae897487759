//! Tests that try to break the policy: a hunt for hidden data with random SQL, an attacker with linear programmes, a table
//! of who may do what, and rights that end while they are used.
//!
//! The long run of the hunt takes the same code further:
//!
//! ```text
//! BASIN_ORACLE_QUERIES=200000 BASIN_ORACLE_PRINCIPALS=50 BASIN_ORACLE_SEED=1 \
//!   cargo test --workspace --test oracle no_statement_shows_what_is_hidden -- --nocapture
//! ```
//!
//! Its last figures are in docs/security-tests.md. A finding names seed, principal and the smallest statement.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod actions;
mod actors;
mod answers;
mod attacker;
mod choices;
mod expressions;
mod heard;
mod hunt;
mod limits;
mod revocation;
mod rows;
mod statements;
#[path = "../engine/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the engine, which use more of it")]
mod support;
mod worlds;
