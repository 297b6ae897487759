//! Expressions at random: of every type, some of which fail for some values.

use crate::choices::Choices;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Rate,
    Day,
    Truth,
}

/// A column by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    kind: Kind,
}

impl Column {
    pub(crate) fn of(name: &'static str) -> Self {
        let kind = match name {
            "income" | "weight" => Kind::Whole,
            "rate" => Kind::Rate,
            "day" => Kind::Day,
            _ => Kind::Text,
        };
        Self { name, kind }
    }
}

/// The columns that an expression may name.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) alias: String,
    columns: Vec<(String, Kind)>,
}

/// Conditions that the visible rows meet without a fault, and that hidden values would fail: `T` is a text, `N` a number,
/// `D` a date.
const TRAPS: [&str; 14] = [
    "1 / (N - 777000111) < 9",
    "1 / (N - 777000112) > -5",
    "CAST(CASE WHEN length(T) > 12 THEN T ELSE '1' END AS BIGINT) = 1",
    "1 / (CASE WHEN N > 700000000 THEN 0 ELSE 1 END) = 1",
    "1 / (CASE WHEN T LIKE '%\\_%' THEN 0 ELSE 1 END) = 1",
    "CAST(CASE WHEN date_part('year', D) > 2500 THEN 'x' ELSE '2' END AS INT) > 0",
    "N * CASE WHEN N > 700000000 THEN 9000000000000000000 ELSE 1 END > -9000",
    "substr(T, 1, CASE WHEN length(T) > 12 THEN -1 ELSE 2 END) <> 'zz'",
    "T LIKE 'SENT%'",
    "N BETWEEN 777000000 AND 888999999",
    "D > DATE '2900-01-01'",
    "T ~ '^[A-Z]{7,8}_'",
    "CAST(N AS INT) >= -1000000000",
    "T > 'F' AND 1 / (length(T) - 15) < 9",
];

impl Scope {
    pub(crate) fn of(alias: &str, columns: &[Column]) -> Self {
        let columns =
            columns.iter().map(|column| (format!("{alias}.{}", column.name), column.kind)).collect();
        Self { alias: alias.to_owned(), columns }
    }

    /// Adds the columns of another one.
    pub(crate) fn join(&mut self, other: &Self) {
        self.columns.extend(other.columns.clone());
    }

    /// A column of a type, or a value where there is none.
    pub(crate) fn column(&self, choices: &mut Choices, kind: Kind) -> String {
        let fitting: Vec<&String> =
            self.columns.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name).collect();
        if fitting.is_empty() { value(choices, kind) } else { choices.pick(&fitting).clone() }
    }

    /// A condition that fails on hidden values only.
    pub(crate) fn trap(&self, choices: &mut Choices) -> String {
        let trap = choices.pick(&TRAPS);
        let mut text = String::new();
        let mut chosen: [Option<String>; 3] = [const { None }; 3];
        for (at, letter) in trap.char_indices() {
            let alone = |at: usize| !trap.as_bytes().get(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
            let place = "TND".find(letter).filter(|_| alone(at + 1) && (at == 0 || alone(at - 1)));
            match place {
                Some(place) => {
                    let kind = [Kind::Text, Kind::Whole, Kind::Day][place];
                    text.push_str(chosen[place].get_or_insert_with(|| self.column(choices, kind)));
                }
                None => text.push(letter),
            }
        }
        format!("({text})")
    }

    /// An expression.
    pub(crate) fn expr(&self, choices: &mut Choices, kind: Kind, depth: usize) -> String {
        if depth == 0 || choices.below(3) == 0 {
            return match kind {
                Kind::Truth => format!("{} IS NOT NULL", self.column(choices, Kind::Text)),
                _ => self.column(choices, kind),
            };
        }
        if choices.once_in(8) {
            let condition = self.expr(choices, Kind::Truth, depth - 1);
            let (yes, no) = (self.expr(choices, kind, depth - 1), value(choices, kind));
            return format!("CASE WHEN {condition} THEN {yes} ELSE {no} END");
        }
        match kind {
            Kind::Text => self.text(choices, depth - 1),
            Kind::Whole => self.whole(choices, depth - 1),
            Kind::Rate => self.rate(choices, depth - 1),
            Kind::Day => self.day(choices, depth - 1),
            Kind::Truth => self.truth(choices, depth - 1),
        }
    }

    fn text(&self, choices: &mut Choices, depth: usize) -> String {
        let text = self.expr(choices, Kind::Text, depth);
        match choices.below(18) {
            0 => format!("upper({text})"),
            1 => format!("lower({text})"),
            2 => format!("reverse({text})"),
            3 => format!("concat({text}, '-', {})", self.expr(choices, Kind::Text, depth)),
            4 => format!("substr({text}, {})", choices.below(5)),
            5 => format!("md5({text})"),
            6 => format!("to_hex({})", self.expr(choices, Kind::Whole, depth)),
            7 => format!("encode({text}, 'base64')"),
            8 => format!("encode({text}, 'hex')"),
            9 => format!("CAST({} AS VARCHAR)", self.expr(choices, Kind::Whole, depth)),
            10 => format!("CAST({} AS VARCHAR)", self.expr(choices, Kind::Day, depth)),
            11 => format!("arrow_cast({}, 'Utf8')", self.expr(choices, Kind::Rate, depth)),
            12 => format!("replace({text}, 'a', '')"),
            13 => format!("CAST(sha256({text}) AS VARCHAR)"),
            14 => format!("arrow_typeof({text})"),
            15 => format!("coalesce({text}, 'none')"),
            16 => format!("{text} || CAST({} AS VARCHAR)", self.expr(choices, Kind::Rate, depth)),
            _ => format!("split_part({text}, '_', 2)"),
        }
    }

    fn whole(&self, choices: &mut Choices, depth: usize) -> String {
        let whole = self.expr(choices, Kind::Whole, depth);
        match choices.below(16) {
            0 => format!("({whole} + 1)"),
            1 => format!("({whole} * {})", choices.pick(&["10", "2", "4611686018427387904"])),
            2 => format!("(100 / {whole})"),
            3 => format!("({whole} % 10)"),
            4 => format!("length({})", self.expr(choices, Kind::Text, depth)),
            5 => format!("TRY_CAST({} AS BIGINT)", self.expr(choices, Kind::Text, depth)),
            6 => format!("ascii({})", self.expr(choices, Kind::Text, depth)),
            7 => format!("CAST(date_part('year', {}) AS BIGINT)", self.expr(choices, Kind::Day, depth)),
            8 => format!("strpos({}, 'E')", self.expr(choices, Kind::Text, depth)),
            9 => format!("CAST({} AS BIGINT)", self.expr(choices, Kind::Rate, depth)),
            10 => format!("nullif({whole}, 3)"),
            11 => format!("abs({whole})"),
            12 => format!("CAST({} AS BIGINT)", self.column(choices, Kind::Text)),
            13 => format!("({whole} - 777000111)"),
            14 => format!("array_element([{whole}, 2], 1)"),
            _ => format!("coalesce({whole}, 0)"),
        }
    }

    fn rate(&self, choices: &mut Choices, depth: usize) -> String {
        let rate = self.expr(choices, Kind::Rate, depth);
        match choices.below(6) {
            0 => format!("({rate} + 0.5)"),
            1 => format!("CAST({rate} AS DOUBLE)"),
            2 => format!("({rate} / 10)"),
            3 => format!("round({rate}, 1)"),
            4 => format!("CAST({} AS DECIMAL(20, 3))", self.expr(choices, Kind::Whole, depth)),
            _ => format!("sqrt({rate})"),
        }
    }

    fn day(&self, choices: &mut Choices, depth: usize) -> String {
        let day = self.expr(choices, Kind::Day, depth);
        match choices.below(4) {
            0 => format!("CAST(date_trunc('month', {day}) AS DATE)"),
            1 => format!("({day} + INTERVAL '1 day')"),
            2 => format!("TRY_CAST({} AS DATE)", self.expr(choices, Kind::Text, depth)),
            _ => format!("coalesce({day}, DATE '2020-01-01')"),
        }
    }

    fn truth(&self, choices: &mut Choices, depth: usize) -> String {
        let kind = *choices.pick(&[&Kind::Text, &Kind::Whole, &Kind::Day, &Kind::Rate]);
        let left = self.expr(choices, kind, depth);
        match choices.below(9) {
            0 => format!("{left} = {}", value(choices, kind)),
            1 => format!("{left} > {}", value(choices, kind)),
            2 => format!("{left} <> {}", self.expr(choices, kind, depth)),
            3 => format!("{left} IN ({}, {})", value(choices, kind), value(choices, kind)),
            4 => format!("{left} BETWEEN {} AND {}", value(choices, kind), value(choices, kind)),
            5 => format!("{} LIKE '%a%'", self.expr(choices, Kind::Text, depth)),
            6 => format!("NOT ({})", self.expr(choices, Kind::Truth, depth)),
            7 => format!("({} OR {})", self.expr(choices, Kind::Truth, depth), self.trap(choices)),
            _ => format!(
                "({} AND {})",
                self.expr(choices, Kind::Truth, depth),
                self.expr(choices, Kind::Truth, depth)
            ),
        }
    }
}

/// A constant; some are what hidden rows hold.
fn value(choices: &mut Choices, kind: Kind) -> String {
    let values: &[&str] = match kind {
        Kind::Text => &["'330000'", "'f'", "'Ai 0'", "'p03'", "''", "'A'", "NULL"],
        Kind::Whole => &["3", "0", "777000111", "200", "-1", "1000000", "NULL"],
        Kind::Rate => &["0.5", "50", "7770001110.77", "NULL"],
        Kind::Day => &["DATE '2020-01-11'", "DATE '2977-06-01'", "DATE '2500-01-01'", "NULL"],
        Kind::Truth => &["true", "false", "NULL"],
    };
    choices.pick(values).to_owned()
}
