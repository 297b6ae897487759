//! Workers: a server as several processes, so that what kills one takes only its own queries with it.
//!
//! ```text
//! supervisor ── listening socket (stdin) ──► worker 1, worker 2, …   accept, and do everything else
//!      └─────── control socket (stdout) ───► frames, both ways
//! ```
//! The supervisor listens, starts workers, starts those that died anew, and stops them. It reads neither statements nor
//! files: of the workers' open queries it keeps the audit records as they are, so that another worker can end them when
//! theirs dies. Workers reach each other through it: to list what runs, and to cancel.
//!
//! | file | what it does |
//! |---|---|
//! | `frame`, `link` | what is said over a control socket; one end of it |
//! | `worker` | a worker's side |
//! | `supervisor`, `keeper`, `fleet` | the supervisor: all of it, one place among the workers, who is there |
//! | `child`, `memory` | one worker process; how much memory it takes |

mod child;
mod fleet;
mod frame;
mod keeper;
mod link;
mod memory;
mod supervisor;
mod worker;

pub use supervisor::{Supervisor, WorkerCommand};
pub use worker::{Inherited, SupervisorLink, WorkerLink};
