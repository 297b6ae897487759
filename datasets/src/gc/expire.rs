//! Which versions expire: those that the caller wants kept no longer, and that nobody is likely to read any more.

use basin_catalog::{Expiry, LogCheck, PublishedTable, PublishedVersion, TableKind};
use chrono::{DateTime, Utc};

use super::report::ExpiredVersions;
use super::{GcRequest, earlier};

/// Decides it. A version expires only when every rule that was given lets it go; the newest of a dataset never does.
pub(super) fn decide(check: &LogCheck, request: &GcRequest, now: DateTime<Utc>) -> Expiry {
    let mut expiry = Expiry::default();
    if request.keep_versions.is_none() && request.keep.is_none() {
        return expiry;
    }
    for table in check.published.values().filter(|table| table.kind == TableKind::Data) {
        let expires = |(rank, version): &(u64, &PublishedVersion)| expires(*rank, version, request, now);
        let is_dropped = table.newest().is_some_and(|newest| newest.superseded_at.is_some());
        // Nobody can ask for a dropped dataset: its versions have no rank.
        let rank = |from_newest: usize| if is_dropped { u64::MAX } else { from_newest as u64 + 1 };
        let ranked = table.versions.values().rev().enumerate().map(|(index, version)| (rank(index), version));
        let ranked: Vec<_> = ranked.collect();
        let gone = ranked.iter().rev().take_while(|ranked| expires(ranked)).count();
        let kept = table.versions.values().nth(gone).map(|version| version.table_version);
        let from = kept.or_else(|| Some(table.newest()?.table_version + 1)).unwrap_or_default();
        if gone_between(check, table, from).next().is_some() {
            expiry.kept_from.insert(table.dataset.clone(), from);
        }
    }
    expiry
}

fn expires(rank: u64, version: &PublishedVersion, request: &GcRequest, now: DateTime<Utc>) -> bool {
    let longer = |than| version.superseded_at.is_some_and(|at| at < earlier(now, than));
    longer(request.grace)
        && request.keep.is_none_or(longer)
        && request.keep_versions.is_none_or(|keep| rank > keep)
}

/// The versions that have not expired yet and do now.
fn gone_between<'a>(
    check: &LogCheck,
    table: &'a PublishedTable,
    from: u64,
) -> impl Iterator<Item = &'a PublishedVersion> {
    let before =
        check.newest.as_ref().and_then(|newest| newest.kept_from(&table.dataset)).unwrap_or_default();
    table.versions.values().filter(move |version| (before..from).contains(&version.table_version))
}

/// The same for the report.
pub(super) fn told(check: &LogCheck, expiry: &Expiry) -> Vec<ExpiredVersions> {
    let data = check.published.values().filter(|table| table.kind == TableKind::Data);
    data.filter_map(|table| {
        let from = *expiry.kept_from.get(&table.dataset)?;
        Some(ExpiredVersions {
            dataset: table.dataset.clone(),
            versions: gone_between(check, table, from).count() as u64,
            kept: table.versions.values().filter(|version| version.table_version >= from).count() as u64,
        })
    })
    .collect()
}
