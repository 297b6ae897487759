//! End-to-end tests of Basin live in this crate's test targets: `tidy` holds the house rules, `e2e` runs the
//! real binary; `clients/` holds the Python clients that `tests/run` starts. This library is empty.
