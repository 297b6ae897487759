//! Memory: what a process occupies, as the system counts it.

/// Returns the resident bytes of a process; none when it is gone or the system doesn't tell.
pub(super) async fn resident_bytes(process: u32) -> Option<u64> {
    // The second figure is resident pages.
    let text = tokio::fs::read_to_string(format!("/proc/{process}/statm")).await.ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}
