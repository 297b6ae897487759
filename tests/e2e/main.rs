//! End-to-end tests: the real binary `basin`, real files, a real Flight SQL client.
//!
//! Each test drives the program from outside, as a user does: by its command line and its Flight
//! endpoint. No crate of Basin is linked. `tests/run build` makes the binary beforehand.

mod accounting;
mod audit;
mod bad_commands;
mod bad_files;
mod bad_requests;
mod bench;
mod bombs;
mod china_facts;
mod client;
mod concurrency;
mod corrupt;
mod corrupter;
mod crash;
mod floods;
mod limits;
mod metrics;
mod officer;
mod optimize;
mod pack;
mod partitions;
mod policy_cost;
mod policy_example;
mod policy_page;
mod program;
mod redelivery;
mod rollups;
mod s3;
mod said;
mod sign_in;
mod stops;
mod store;
mod tpch;
mod upkeep;
mod workers;
