//! Rows: the data of a limited dataset. Whatever the principal may not see holds a sentinel; in the twin of the world it
//! holds another one, there are other hidden rows, and what may be seen is the same.

use crate::limits::{Kind, Shown, WIDTH};

/// What sentinels hold, whatever else they do: of the world, and of its twin.
pub(crate) const TEXTS: [&str; 2] = ["SENTINEL", "GHOSTLY"];
pub(crate) const NUMBERS: [i64; 2] = [777_000_111, 888_000_222];
/// 2977-06-01 and 2966-06-01, as days since 1970.
pub(crate) const DAYS: [i32; 2] = [367_955, 363_938];

/// A row of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) province: Option<String>,
    pub(crate) sex: String,
    pub(crate) day: i32,
    pub(crate) income: i64,
    /// In hundredths.
    pub(crate) rate: i128,
    pub(crate) weight: i64,
}

/// Which of the two worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    World,
    Twin,
}

impl Side {
    fn at(self) -> usize {
        usize::from(self == Self::Twin)
    }

    pub(crate) fn text(self, number: usize) -> String {
        let mixed = (number as u64 + 11).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        format!("{}_{mixed:06x}", TEXTS[self.at()])
    }

    pub(crate) fn number(self) -> i64 {
        NUMBERS[self.at()]
    }

    fn day(self, number: usize) -> i32 {
        DAYS[self.at()] + i32::try_from(number % 20).unwrap()
    }
}

/// Rows of three files.
pub(crate) fn files(kind: Kind, dataset: &str, side: Side) -> Vec<Vec<Row>> {
    let rows = if kind.has_cells() { grouped(kind, dataset, side) } else { single(kind, dataset, side) };
    let third = rows.len().div_ceil(3);
    let mut files: Vec<Vec<Row>> = rows.chunks(third).map(<[Row]>::to_vec).collect();
    if kind.hides_rows() {
        for (at, file) in files.iter_mut().enumerate() {
            let hidden = match side {
                Side::World => 4 + at,
                Side::Twin => 9 - 3 * at,
            };
            for number in 0..hidden {
                let place = (number * 3 + side.at()) % (file.len() + 1);
                file.insert(place, hidden_row(kind, side, at * 10 + number, &rows));
            }
        }
    }
    files
}

/// A row that no filter lets through; some are like visible ones in what no filter looks at.
fn hidden_row(kind: Kind, side: Side, number: usize, visible: &[Row]) -> Row {
    let row = Row {
        id: side.text(number),
        name: side.text(number + 100),
        province: Some(side.text(number + 200)),
        sex: side.text(number + 300),
        day: side.day(number),
        income: side.number() + i64::try_from(number % 7).unwrap() * 1_000_000_000,
        rate: i128::from(side.number()) * 100 + 77,
        weight: side.number(),
    };
    match number % 4 {
        1 => Row { id: visible[number % visible.len()].id.clone(), ..row },
        2 if kind == Kind::Region || kind == Kind::CellsOfRows => Row { province: None, ..row },
        3 if kind == Kind::Literal => Row { province: Some("330000".to_owned()), sex: "f".to_owned(), ..row },
        _ => row,
    }
}

/// Rows that are seen one by one, as far as their items are.
fn single(kind: Kind, dataset: &str, side: Side) -> Vec<Row> {
    let all_hidden = !kind.is_visible();
    (0..24)
        .map(|number| {
            let home = number % 3 != 2 || kind == Kind::Region;
            let province = if home { "330000" } else { ["420000", "110000"][number / 3 % 2] };
            let plain = Row {
                id: format!("{}{number:02}", dataset.chars().next().unwrap()),
                name: format!("{} {}", ["Ai", "Bao", "Cai", "Dan", "Fen"][number % 5], number),
                province: Some(province.to_owned()),
                sex: ["f", "m"][number % 2].to_owned(),
                day: 18_262 + i32::try_from(number * 5).unwrap(),
                income: i64::try_from(number * number * 37 % 901 + 3).unwrap(),
                rate: i128::try_from(number * 725 + 50).unwrap(),
                weight: i64::try_from(number % 6 + 1).unwrap(),
            };
            if all_hidden {
                hidden_row(Kind::Closed, side, number * 4, &[plain])
            } else {
                veiled(kind, side, number, home, plain)
            }
        })
        .collect()
}

/// The row with a sentinel in each item that is not shown.
fn veiled(kind: Kind, side: Side, number: usize, home: bool, plain: Row) -> Row {
    let hides = |item: &str| match kind.shows(item) {
        Shown::Nothing | Shown::Absent => true,
        Shown::AtHome => !home,
        Shown::Clear | Shown::Hash | Shown::First | Shown::Range => false,
    };
    let text = |item: &str, value: String| match kind.shows(item) {
        _ if hides(item) => side.text(number),
        // A hash of it is shown: it is the same in both worlds.
        Shown::Hash => Side::World.text(number % 11),
        Shown::First => format!("{}{}", value.chars().next().unwrap(), side.text(number)),
        _ => value,
    };
    let wide = |item: &str, value: i64| match kind.shows(item) {
        _ if hides(item) => side.number() + value,
        Shown::Range => value * WIDTH + side.number(),
        _ => value,
    };
    let rate = match kind.shows("rate") {
        Shown::Range => i128::from(wide("rate", i64::try_from(plain.rate).unwrap())) * 100 + 7,
        _ => plain.rate,
    };
    Row {
        id: text("id", plain.id),
        name: text("name", plain.name),
        province: plain.province,
        sex: plain.sex,
        day: if hides("day") { side.day(number) } else { plain.day },
        income: wide("income", plain.income),
        rate,
        weight: plain.weight,
    }
}

/// How many rows a province, a sex and a month have, and the weight of each.
const GROUPS: [(&str, &str, i32, usize, i64); 9] = [
    ("330000", "f", 18_262, 8, 6),
    ("330000", "m", 18_262, 2, 1),
    ("420000", "f", 18_262, 6, 7),
    ("420000", "m", 18_262, 6, 5),
    ("110000", "f", 18_262, 1, 2),
    ("110000", "m", 18_262, 8, 8),
    ("330000", "f", 18_293, 6, 5),
    ("420000", "m", 18_293, 4, 1),
    ("110000", "m", 18_293, 10, 9),
];

/// Rows that are seen in groups. The worlds differ in who the units are, and in how measures lie within a group.
fn grouped(kind: Kind, dataset: &str, side: Side) -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, (province, sex, day, count, weight)) in GROUPS.into_iter().enumerate() {
        for number in 0..count {
            let unit = at * 20 + number;
            let base = i64::try_from(at * 100 + number * 13 + 40).unwrap();
            // Each second row takes back what the row before it has too much.
            let shift = match (number % 2, number + 1 == count) {
                (0, false) => side.number(),
                (0, true) => 0,
                _ => -side.number(),
            };
            let lone = count == 1;
            rows.push(Row {
                id: format!("{}_{dataset}", side.text(unit)),
                name: side.text(unit + 500),
                province: Some(province.to_owned()),
                sex: sex.to_owned(),
                day,
                income: if lone { NUMBERS[0] } else { base + shift },
                rate: if lone { i128::from(NUMBERS[0]) * 100 } else { i128::from(base + shift) * 100 + 25 },
                weight: if kind == Kind::WeightedCells { weight } else { side.number() },
            });
        }
    }
    rows
}
