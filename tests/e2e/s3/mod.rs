//! Basin on S3: against real servers, whole and through a proxy that lets requests fail.
//!
//! `server` runs s3s-fs in this process, `proxy` stands between it and the program, `cloud` runs the program against an
//! address. The tests: `secrets`, `real_servers` (more of them with `tests/run stores`), `disk`, `large`, `faults` and `soak`.

mod cloud;
mod disk;
mod faults;
mod large;
mod proxy;
mod real_servers;
mod secrets;
mod server;
mod soak;
