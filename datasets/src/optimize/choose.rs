//! Which files are written again, and why. Nothing is read or written here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::table::{FILE_BYTES, FileSet, TableFile};

/// A file below this is small: opening it costs as much as reading it.
const SMALL_BYTES: u64 = 32 << 20;

/// Why a file is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// It is small and has others beside it.
    Small,
    /// Its rows are in another order than the layout's.
    OtherOrder,
    /// Its distinct values were not counted.
    NotCounted,
}

/// The files of one partition that become new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Values of the partition items.
    pub(super) partition: BTreeMap<String, Option<String>>,
    pub(super) files: Vec<TableFile>,
    pub(super) reasons: BTreeSet<Reason>,
}

impl Group {
    /// Rows of its files.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// Chooses everything that is not as the layout asks. `orders` gives the order of each file.
pub(super) fn all(
    files: &FileSet,
    orders: &BTreeMap<String, Vec<String>>,
    declared: &[String],
) -> Vec<Group> {
    let other_order = |file: &TableFile| {
        orders.get(&file.path).is_none_or(|order| !order.starts_with(declared)) && !declared.is_empty()
    };
    let mut groups = Vec::new();
    for (partition, files) in by_partition(files) {
        let stale = |file: &&TableFile| other_order(file) || file.counts.is_none();
        let (mut chosen, fresh): (Vec<_>, Vec<_>) = files.into_iter().partition(stale);
        let mut reasons = BTreeSet::new();
        if chosen.iter().any(|file| other_order(file)) {
            reasons.insert(Reason::OtherOrder);
        }
        if chosen.iter().any(|file| file.counts.is_none()) {
            reasons.insert(Reason::NotCounted);
        }
        let small: Vec<_> = fresh.into_iter().filter(|file| file.size_bytes < SMALL_BYTES).collect();
        if is_worth_merging(&chosen, &small) {
            chosen.extend(small);
            reasons.insert(Reason::Small);
        }
        if !chosen.is_empty() {
            groups.push(group(partition, chosen, reasons));
        }
    }
    groups
}

/// Chooses the small files of partitions that have more than `limit` of them.
pub(super) fn crowded(files: &FileSet, limit: usize) -> Vec<Group> {
    let crowded = by_partition(files).into_iter().filter_map(|(partition, mut files)| {
        files.retain(|file| file.size_bytes < SMALL_BYTES);
        let chosen = files.len() > limit && is_worth_merging(&[], &files);
        chosen.then(|| group(partition, files, BTreeSet::from([Reason::Small])))
    });
    crowded.collect()
}

/// Whether small files, put together with those that are written anyway, become fewer.
fn is_worth_merging(chosen: &[&TableFile], small: &[&TableFile]) -> bool {
    let bytes: u64 = chosen.iter().chain(small).map(|file| file.size_bytes).sum();
    let after = bytes.div_ceil(FILE_BYTES);
    !small.is_empty() && after < (chosen.len() + small.len()) as u64
}

fn by_partition(files: &FileSet) -> BTreeMap<&BTreeMap<String, Option<String>>, Vec<&TableFile>> {
    let mut partitions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in files.values() {
        partitions.entry(&file.partition).or_default().push(file);
    }
    partitions
}

fn group(
    partition: &BTreeMap<String, Option<String>>,
    files: Vec<&TableFile>,
    reasons: BTreeSet<Reason>,
) -> Group {
    Group { partition: partition.clone(), files: files.into_iter().cloned().collect(), reasons }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Counts;

    fn file(path: &str, megabytes: u64, partition: &str) -> (String, TableFile) {
        let file = TableFile {
            path: path.to_owned(),
            size_bytes: megabytes << 20,
            rows: 1,
            modified_ms: 0,
            partition: BTreeMap::from([("p".to_owned(), Some(partition.to_owned()))]),
            stats: String::new(),
            counts: Some(Counts { offset: 0, bytes: 0 }),
            checksum: None,
        };
        (path.to_owned(), file)
    }

    fn paths(groups: &[Group]) -> Vec<Vec<&str>> {
        groups.iter().map(|group| group.files.iter().map(|file| file.path.as_str()).collect()).collect()
    }

    #[test]
    fn small_files_join_those_of_their_partition() {
        let files: FileSet =
            [file("a", 1, "x"), file("b", 2, "x"), file("c", 100, "x"), file("d", 1, "y")].into();
        let sorted = |path: &str| (path.to_owned(), vec!["s".to_owned(), "k".to_owned()]);
        let orders: BTreeMap<_, _> = ["a", "b", "c", "d"].map(sorted).into();
        let declared = ["s".to_owned()];
        let groups = all(&files, &orders, &declared);
        assert_eq!(paths(&groups), [vec!["a", "b"]], "one small file alone stays");
        assert_eq!(groups[0].reasons, BTreeSet::from([Reason::Small]));
        assert!(crowded(&files, 2).is_empty());
        assert_eq!(paths(&crowded(&files, 1)), [vec!["a", "b"]]);
    }

    #[test]
    fn files_in_another_order_or_uncounted_are_written_again() {
        let mut files: FileSet = [file("a", 100, "x"), file("b", 100, "x"), file("c", 1, "x")].into();
        let orders = BTreeMap::from([
            ("a".to_owned(), vec!["s".to_owned()]),
            ("b".to_owned(), vec!["k".to_owned()]),
            ("c".to_owned(), vec!["s".to_owned()]),
        ]);
        let declared = ["s".to_owned()];
        let groups = all(&files, &orders, &declared);
        assert_eq!(paths(&groups), [vec!["b", "c"]]);
        assert_eq!(groups[0].reasons, BTreeSet::from([Reason::Small, Reason::OtherOrder]));
        assert!(all(&files, &orders, &[]).is_empty(), "without a layout no order is wrong");
        files.get_mut("a").unwrap().counts = None;
        assert_eq!(paths(&all(&files, &orders, &[])), [vec!["a", "c"]]);
    }
}
