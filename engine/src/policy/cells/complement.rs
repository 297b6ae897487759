//! Complement: which further cells of a result with margins are withheld, so that no small one follows from them.
//!
//! Each group of a coarser set is the sum of its groups in each finer one. With what is shown, these equations and what
//! everybody knows of a withheld cell (a small one has 1 to k-1 units, another k or more, counts are not negative) make a
//! linear programme. A withheld cell follows when the programme leaves it one value. While one does, the smallest shown
//! cell of one of its equations is withheld too. Source: Fischetti and Salazar (2000), "Models and algorithms for
//! optimizing cell suppression in tabular data with linear constraints"; the choice of cells here is a greedy one.

use crate::error::{EngineError, Result};
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Withheld cells that hang together and are still looked at as a whole.
const MAX_TOGETHER: usize = 2_000;
/// Objectives tried on all cells at once before each that still seems fixed is looked at alone.
const ROUNDS: u64 = 6;
/// Relative width below which a fraction counts as known.
const CLOSE: f64 = 1e-6;

/// Why a cell is withheld, or that it isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Free,
    Small,
    Complementary,
}

/// A group of a result.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Bit by bit, which columns of the groups it spans: not grouped by.
    pub(super) spans: u64,
    /// Its values, as numbers that are equal when they are; not looked at where it spans.
    pub(super) keys: Vec<u32>,
    /// How many units it has.
    pub(super) units: f64,
    /// Whether it has none for sure.
    pub(super) empty: bool,
}

/// A measure whose parts add up.
#[derive(Debug, Clone)]
pub(super) struct Additive {
    /// One value a group.
    pub(super) values: Vec<f64>,
    pub(super) whole_numbers: bool,
    /// Whether it is what the minimum cell goes by, or counts rows: its bounds follow from the status.
    pub(super) bounded: bool,
    /// Whether a small cell has fewer than k of it.
    pub(super) is_units: bool,
}

/// Groups of two sets with the same sum. Where one set divides the other's groups, `wholes` is one group.
#[derive(Debug)]
struct Equation {
    wholes: Vec<usize>,
    parts: Vec<usize>,
}

impl Equation {
    fn cells(&self) -> impl Iterator<Item = usize> {
        self.wholes.iter().chain(&self.parts).copied()
    }
}

/// Withholds what must be; one status a group.
///
/// # Errors
/// `TooLarge` when too many cells hang together to be sure.
pub(super) fn protect(
    groups: &[Group],
    small: &[bool],
    k: u32,
    measures: &[Additive],
) -> Result<Vec<Status>> {
    let units = Additive {
        values: groups.iter().map(|group| group.units).collect(),
        whole_numbers: true,
        bounded: true,
        is_units: true,
    };
    // Who counts rows most often counts units, and a count of units is no measure that adds up by itself.
    let measures: Vec<Additive> = measures.iter().cloned().chain([units]).collect();
    let status = small.iter().map(|small| if *small { Status::Small } else { Status::Free }).collect();
    let mut table = Table { groups, equations: equations(groups), status, k: f64::from(k) };
    table.hide_beside_lone_ones();
    loop {
        let mut follows = BTreeSet::new();
        for together in table.together()? {
            for measure in &measures {
                follows.extend(table.known(&together, measure));
            }
        }
        if !table.hide_beside(&follows) {
            return Ok(table.status);
        }
        table.hide_beside_lone_ones();
    }
}

/// The sums that hold in a result: between each two sets, for each value of the columns that both group by. Two sets of
/// which neither divides the other have the sums in common that a coarser set would show, whether it is there or not.
fn equations(groups: &[Group]) -> Vec<Equation> {
    let sets: BTreeSet<u64> = groups.iter().map(|group| group.spans).collect();
    let mut found = Vec::new();
    for coarse in &sets {
        for fine in sets.iter().filter(|fine| *fine < coarse) {
            let common = *coarse | *fine;
            // Where the sums in common are shown, each set is compared with them.
            if common != *coarse && sets.contains(&common) {
                continue;
            }
            let mut sums: BTreeMap<Vec<u32>, Equation> = BTreeMap::new();
            for (at, group) in groups.iter().enumerate() {
                let sum = || key(group, common);
                let empty = || Equation { wholes: Vec::new(), parts: Vec::new() };
                if group.spans == *coarse {
                    sums.entry(sum()).or_insert_with(empty).wholes.push(at);
                } else if group.spans == *fine {
                    sums.entry(sum()).or_insert_with(empty).parts.push(at);
                }
            }
            let both = |sum: &Equation| !sum.wholes.is_empty() && !sum.parts.is_empty();
            found.extend(sums.into_values().filter(both));
        }
    }
    found
}

/// The values of a group in the columns that a set does not span.
fn key(group: &Group, spans: u64) -> Vec<u32> {
    let grouped = |at: usize| spans & (1 << at) == 0;
    group.keys.iter().enumerate().filter(|(at, _)| grouped(*at)).map(|(_, key)| *key).collect()
}

struct Table<'a> {
    groups: &'a [Group],
    equations: Vec<Equation>,
    status: Vec<Status>,
    k: f64,
}

impl Table<'_> {
    fn is_hidden(&self, cell: usize) -> bool {
        self.status.get(cell).is_some_and(|status| *status != Status::Free)
    }

    fn hidden<'a>(&'a self, equation: &'a Equation) -> impl Iterator<Item = usize> + 'a {
        equation.cells().filter(|cell| self.is_hidden(*cell))
    }

    /// A cell that is withheld alone in its sum follows from the others.
    fn hide_beside_lone_ones(&mut self) {
        loop {
            let lone = self.equations.iter().position(|equation| {
                self.hidden(equation).count() == 1 && self.smallest_shown(equation).is_some()
            });
            let chosen = lone.and_then(|at| self.smallest_shown(self.equations.get(at)?));
            let Some(status) = chosen.and_then(|cell| self.status.get_mut(cell)) else { return };
            *status = Status::Complementary;
        }
    }

    /// The smallest shown part that is not empty, else the smallest sum.
    fn smallest_shown(&self, equation: &Equation) -> Option<usize> {
        let group = |cell: usize| self.groups.get(cell);
        let shown = |cell: &usize| !self.is_hidden(*cell) && group(*cell).is_some_and(|group| !group.empty);
        let units = |cell: &usize| group(*cell).map_or(f64::MAX, |group| group.units);
        let parts = equation.parts.iter().copied().filter(shown);
        let wholes = equation.wholes.iter().copied().filter(shown);
        let smallest = parts.min_by(|a, b| units(a).total_cmp(&units(b)));
        smallest.or_else(|| wholes.min_by(|a, b| units(a).total_cmp(&units(b))))
    }

    /// Withholds one cell more for each that follows; tells whether there was any to withhold.
    fn hide_beside(&mut self, follows: &BTreeSet<usize>) -> bool {
        let mut chosen = BTreeSet::new();
        for cell in follows {
            let own = self.equations.iter().filter(|equation| equation.cells().any(|other| other == *cell));
            let near = self.equations.iter().filter(|equation| {
                self.hidden(equation).any(|other| other != *cell && follows.contains(&other))
            });
            if let Some(beside) = own.chain(near).find_map(|equation| self.smallest_shown(equation)) {
                chosen.insert(beside);
            }
        }
        for cell in &chosen {
            if let Some(status) = self.status.get_mut(*cell) {
                *status = Status::Complementary;
            }
        }
        !chosen.is_empty()
    }

    /// Withheld cells by what hangs together.
    fn together(&self) -> Result<Vec<Vec<usize>>> {
        let mut leader: BTreeMap<usize, usize> = BTreeMap::new();
        fn find(leader: &BTreeMap<usize, usize>, mut cell: usize) -> usize {
            while let Some(next) = leader.get(&cell).copied().filter(|next| *next != cell) {
                cell = next;
            }
            cell
        }
        for equation in &self.equations {
            let mut hidden = self.hidden(equation);
            let Some(first) = hidden.next() else { continue };
            let first = find(&leader, first);
            leader.entry(first).or_insert(first);
            for other in hidden {
                let other = find(&leader, other);
                leader.insert(other, first);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for cell in leader.keys() {
            groups.entry(find(&leader, *cell)).or_default().push(*cell);
        }
        if groups.values().any(|cells| cells.len() > MAX_TOGETHER) {
            return Err(EngineError::TooLarge(
                "the result has too many small groups for its margins to be shown safely; group by fewer items, or ask without margins"
                    .to_owned(),
            ));
        }
        Ok(groups.into_values().collect())
    }

    /// The cells among `cells` whose value in a measure follows from what is shown.
    fn known(&self, cells: &[usize], measure: &Additive) -> Vec<usize> {
        let programme = Programme::new(self, cells, measure);
        let mut ranges: Vec<(f64, f64)> = programme.actual.iter().map(|value| (*value, *value)).collect();
        for round in 0..ROUNDS {
            let objective: Vec<f64> = (0..cells.len() as u64).map(|at| direction(round, at)).collect();
            programme.widen(&objective, &mut ranges);
        }
        let narrow = |(low, high): &(f64, f64)| {
            let width = if measure.whole_numbers { 1.0 - CLOSE } else { CLOSE * low.abs().max(1.0) };
            high - low < width
        };
        for at in 0..cells.len() {
            for sign in [1.0, -1.0] {
                if ranges.get(at).is_some_and(narrow) {
                    let mut objective = vec![0.0; cells.len()];
                    if let Some(own) = objective.get_mut(at) {
                        *own = sign;
                    }
                    programme.widen(&objective, &mut ranges);
                }
            }
        }
        let known = cells.iter().zip(&ranges).filter(|(_, range)| narrow(range));
        known.map(|(cell, _)| *cell).collect()
    }
}

/// A direction to look into, the same in each run: from -1 to 1.
fn direction(round: u64, at: u64) -> f64 {
    let mixed = (round.wrapping_mul(0x9E37_79B9) ^ at.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0xC2B2_AE35);
    let small = u32::try_from((mixed >> 16) & 0xFFFF).unwrap_or_default();
    f64::from(small) / f64::from(0x7FFF) - 1.0
}

/// What is known of withheld cells.
struct Programme {
    actual: Vec<f64>,
    bounds: Vec<(f64, f64)>,
    /// Sums over withheld cells, by their position, and what they give.
    sums: Vec<(Vec<(usize, f64)>, f64)>,
}

impl Programme {
    fn new(table: &Table<'_>, cells: &[usize], measure: &Additive) -> Self {
        let value = |cell: usize| measure.values.get(cell).copied().unwrap_or_default();
        let place: HashMap<usize, usize> = cells.iter().enumerate().map(|(at, cell)| (*cell, at)).collect();
        let all: f64 = measure.values.iter().map(|value| value.abs()).sum();
        let far = 10.0 * (all + 1.0);
        let negative = measure.values.iter().any(|value| *value < 0.0);
        let bounds = cells.iter().map(|cell| {
            let floor = if negative { -far } else { 0.0 };
            let (low, high) = match table.status.get(*cell) {
                Some(Status::Small) if measure.is_units => (1.0, table.k - 1.0),
                Some(Status::Small) if measure.bounded => (1.0, far),
                Some(Status::Complementary) if measure.bounded => (table.k, far),
                _ => (floor, far),
            };
            // What holds of the cell is possible, whatever else is taken to be known.
            (low.min(value(*cell)), high.max(value(*cell)))
        });
        let bounds = bounds.collect();
        let mut sums = Vec::new();
        for equation in &table.equations {
            let mut terms: Vec<(usize, f64)> =
                equation.parts.iter().filter_map(|cell| Some((*place.get(cell)?, 1.0))).collect();
            terms.extend(equation.wholes.iter().filter_map(|cell| Some((*place.get(cell)?, -1.0))));
            if !terms.is_empty() {
                let given =
                    terms.iter().map(|(at, sign)| sign * cells.get(*at).map_or(0.0, |cell| value(*cell)));
                let given = given.sum();
                sums.push((terms, given));
            }
        }
        Self { actual: cells.iter().map(|cell| value(*cell)).collect(), bounds, sums }
    }

    /// Finds the possible cells that go furthest in a direction, and widens the ranges to hold them. When that can't be
    /// computed the ranges stay, and so the cells count as known.
    fn widen(&self, objective: &[f64], ranges: &mut [(f64, f64)]) {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let variables: Vec<Variable> = objective
            .iter()
            .zip(&self.bounds)
            .map(|(coefficient, bounds)| problem.add_var(*coefficient, *bounds))
            .collect();
        for (terms, given) in &self.sums {
            let terms: Vec<(Variable, f64)> =
                terms.iter().filter_map(|(at, sign)| Some((*variables.get(*at)?, *sign))).collect();
            problem.add_constraint(&terms, ComparisonOp::Eq, *given);
        }
        let Ok(outcome) = problem.solve() else { return };
        let Ok(solution) = outcome.into_solution() else { return };
        for (range, variable) in ranges.iter_mut().zip(variables) {
            let value = solution.var_value(variable);
            *range = (range.0.min(value), range.1.max(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of counts by two items, with its margins: `None` is the sum.
    fn cube(counts: &[&[u32]]) -> Vec<Group> {
        let group = |spans, row: usize, column: usize, units: u32| Group {
            spans,
            keys: vec![u32::try_from(row).unwrap(), u32::try_from(column).unwrap()],
            units: f64::from(units),
            empty: units == 0,
        };
        let mut groups = vec![];
        for (row, line) in counts.iter().enumerate() {
            for (column, count) in line.iter().enumerate() {
                groups.push(group(0, row, column, *count));
            }
            groups.push(group(2, row, 0, line.iter().sum()));
        }
        for column in 0..counts[0].len() {
            groups.push(group(1, 0, column, counts.iter().map(|line| line[column]).sum()));
        }
        groups.push(group(3, 0, 0, counts.iter().flat_map(|line| line.iter()).sum()));
        groups
    }

    fn statuses(counts: &[&[u32]]) -> String {
        let groups = cube(counts);
        let small: Vec<bool> = groups.iter().map(|group| group.units > 0.0 && group.units < 5.0).collect();
        let status = protect(&groups, &small, 5, &[]).unwrap();
        let letter = |status: &Status| match status {
            Status::Free => 'F',
            Status::Small => 'A',
            Status::Complementary => 'D',
        };
        status.iter().map(letter).collect()
    }

    #[test]
    fn a_table_without_small_cells_is_shown() {
        assert_eq!(statuses(&[&[10, 20], &[30, 40]]), "FFFFFFFFF");
        assert_eq!(statuses(&[&[0, 20], &[30, 0]]), "FFFFFFFFF");
    }

    #[test]
    fn a_lone_small_cell_takes_a_rectangle_with_it() {
        // Rows: the cells of a line, then its sum; last the sums of columns and of all.
        assert_eq!(statuses(&[&[3, 20, 50], &[30, 40, 60]]), "ADFFDDFFFFFF");
    }

    #[test]
    fn small_cells_whose_sum_gives_them_away_take_another() {
        // 4 + 4 = 8 can only be two cells of four.
        let found = statuses(&[&[4, 4, 50], &[30, 40, 60]]);
        assert!(found.starts_with("AAD"), "{found}");
        // Whatever is asked beside: rows that are counted may be more than units, but need not be.
        let groups = cube(&[&[4, 4, 50], &[30, 40, 60]]);
        let small: Vec<bool> = groups.iter().map(|group| group.units < 5.0).collect();
        let values = groups.iter().map(|group| group.units).collect();
        let rows = Additive { values, whole_numbers: true, bounded: true, is_units: false };
        assert_eq!(protect(&groups, &small, 5, &[rows]).unwrap()[2], Status::Complementary);
    }

    #[test]
    fn sets_that_do_not_divide_each_other_have_their_sums_in_common() {
        let groups: Vec<Group> = cube(&[&[1, 2], &[30, 40], &[8, 9]])
            .into_iter()
            .filter(|group| [1, 2].contains(&group.spans))
            .collect();
        let small: Vec<bool> = groups.iter().map(|group| group.units < 5.0).collect();
        let status = protect(&groups, &small, 5, &[]).unwrap();
        assert_eq!(small.iter().filter(|small| **small).count(), 1);
        assert!(
            status.contains(&Status::Complementary),
            "the line of three is the total of the columns less the others"
        );
    }
}
