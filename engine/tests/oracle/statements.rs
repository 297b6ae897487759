//! Statements: SQL at random, of what somebody would try who looks for hidden rows and values.
//!
//! Long because it has a function for each shape of statement, and nothing else.

use crate::answers::Statement;
use crate::choices::Choices;
use crate::expressions::{Column, Kind, Scope};
use crate::limits::{ITEMS, Shown};
use crate::worlds::{HIDDEN_NAMES, Scenario};
use basin_engine::ScalarValue;

/// A table as the one who asks knows it: its columns are no secret, though some are not there.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) shown: Vec<Column>,
    pub(crate) absent: Vec<Column>,
    pub(crate) in_groups: bool,
}

/// The tables that a principal can ask, and those that it can't.
pub(crate) struct Tables {
    seen: Vec<Table>,
    unseen: Vec<Table>,
}

impl Tables {
    pub(crate) fn of(scenario: Scenario) -> Self {
        let names = [
            ("health.person", "person"),
            ("health.visit", "visit"),
            ("health.city", "city"),
            ("sandbox_ann.mine", "mine"),
            ("sandbox_bob.theirs", "theirs"),
            ("health.vault_one", "vault"),
            ("health.vault_two", "vault"),
        ];
        let (mut seen, mut unseen) = (vec![], vec![]);
        for (name, short) in names {
            let kind = scenario.of(short);
            let columns = ITEMS.iter().map(|item| (kind.shows(item) == Shown::Absent, Column::of(item)));
            let (absent, shown): (Vec<_>, Vec<_>) = columns.partition(|(absent, _)| *absent);
            let columns = |of: Vec<(bool, Column)>| of.into_iter().map(|(_, column)| column).collect();
            let table =
                Table { name, shown: columns(shown), absent: columns(absent), in_groups: kind.has_cells() };
            if scenario.sees(short) { seen.push(table) } else { unseen.push(table) }
        }
        Self { seen, unseen }
    }
}

/// Makes one statement.
pub(crate) fn statement(choices: &mut Choices, tables: &Tables) -> Statement {
    let mut maker = Maker { choices, tables, parameters: vec![], aliases: 0 };
    let sql = match maker.choices.below(24) {
        0..=18 => maker.query(0),
        19 => maker.explained(),
        20 => maker.metadata(),
        21 | 22 => maker.with_parameters(),
        _ => maker.trick(),
    };
    Statement { sql, parameters: maker.parameters }
}

struct Maker<'a> {
    choices: &'a mut Choices,
    tables: &'a Tables,
    parameters: Vec<ScalarValue>,
    aliases: usize,
}

impl Maker<'_> {
    fn table(&mut self) -> Table {
        let unseen = !self.tables.unseen.is_empty() && self.choices.once_in(24);
        let from = if unseen { &self.tables.unseen } else { &self.tables.seen };
        // The first ones are the limited ones.
        let at = self.choices.below(from.len() + 2);
        from[if at < from.len() { at } else { at - from.len() }.min(from.len() - 1)].clone()
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// A table under an alias, and its columns.
    fn source(&mut self) -> (String, Scope, Table) {
        let table = self.table();
        let alias = self.alias();
        let mut columns = table.shown.clone();
        if self.choices.once_in(40) {
            columns.extend(table.absent.clone());
        }
        let scope = Scope::of(&alias, &columns);
        (format!("{} AS {alias}", table.name), scope, table)
    }

    fn query(&mut self, depth: usize) -> String {
        let (from, scope, table) = self.source();
        if table.in_groups && !self.choices.once_in(8) {
            return self.grouped_only(&from, &scope, depth);
        }
        match self.choices.below(if depth < 2 { 14 } else { 6 }) {
            0 => self.plain(&from, &scope),
            1 | 2 => self.filtered(&from, &scope, depth),
            3 | 4 => self.grouped(&from, &scope, depth),
            5 => self.windowed(&from, &scope),
            6..=8 => self.joined(&from, &scope, depth),
            9 => self.united(depth),
            10 => {
                let inner = self.query(depth + 1);
                let outer =
                    self.choices.pick(&["count(*)", "*", "count(*), min(a0), max(a0)", "DISTINCT a0"]);
                format!("WITH w AS ({inner}) SELECT {outer} FROM w")
            }
            11 => {
                let inner = self.query(depth + 1);
                let alias = self.alias();
                let end = self.choices.pick(&[
                    "",
                    " ORDER BY 1",
                    " LIMIT 3",
                    " OFFSET 2",
                    " ORDER BY 1 DESC LIMIT 2 OFFSET 1",
                ]);
                format!("SELECT * FROM ({inner}) AS {alias}{end}")
            }
            12 => self.correlated(&from, &scope),
            _ => self.scalar(depth),
        }
    }

    fn expr(&mut self, scope: &Scope, kind: Kind) -> String {
        scope.expr(self.choices, kind, 2)
    }

    fn any(&mut self, scope: &Scope) -> String {
        let kind = self.choices.pick(&[&Kind::Text, &Kind::Whole, &Kind::Day, &Kind::Rate, &Kind::Truth]);
        self.expr(scope, *kind)
    }

    fn list(&mut self, scope: &Scope) -> String {
        let count = 1 + self.choices.below(3);
        let exprs: Vec<String> = (0..count).map(|at| format!("{} AS a{at}", self.any(scope))).collect();
        exprs.join(", ")
    }

    fn plain(&mut self, from: &str, scope: &Scope) -> String {
        let distinct = self.choices.pick(&["", "", "DISTINCT "]);
        let list = if self.choices.once_in(6) { "*".to_owned() } else { self.list(scope) };
        let end = self.choices.pick(&[
            "",
            " ORDER BY 1",
            " ORDER BY 1 DESC LIMIT 5",
            " LIMIT 4",
            " LIMIT 3 OFFSET 20",
        ]);
        format!("SELECT {distinct}{list} FROM {from}{end}")
    }

    fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        if depth >= 2 || !self.choices.once_in(4) {
            return if self.choices.once_in(4) {
                scope.trap(self.choices)
            } else {
                self.expr(scope, Kind::Truth)
            };
        }
        let (from, inner, table) = self.source();
        if table.in_groups {
            let column = self.choices.pick(&["province", "sex"]);
            let alias = &inner.alias;
            return format!(
                "{} IN (SELECT {alias}.{column} FROM {from} GROUP BY {alias}.{column} HAVING count(*) > 3)",
                self.expr(scope, Kind::Text)
            );
        }
        let condition = self.condition(&inner, depth + 1);
        match self.choices.below(4) {
            0 => format!(
                "{} IN (SELECT {} FROM {from})",
                self.expr(scope, Kind::Text),
                inner.column(self.choices, Kind::Text)
            ),
            1 => format!("EXISTS (SELECT 1 FROM {from} WHERE {condition})"),
            2 => format!(
                "{} NOT IN (SELECT {} FROM {from} WHERE {condition})",
                self.expr(scope, Kind::Whole),
                inner.column(self.choices, Kind::Whole)
            ),
            _ => {
                format!("{} > (SELECT count(*) FROM {from} WHERE {condition})", self.expr(scope, Kind::Whole))
            }
        }
    }

    fn filtered(&mut self, from: &str, scope: &Scope, depth: usize) -> String {
        let condition = self.condition(scope, depth);
        let list = match self.choices.below(3) {
            0 => "count(*) AS a0".to_owned(),
            1 => self.list(scope),
            _ => self.measures(scope),
        };
        let join = self.choices.pick(&[" AND ", " OR "]);
        let also = if self.choices.once_in(3) {
            format!("{join}{}", scope.trap(self.choices))
        } else {
            String::new()
        };
        format!("SELECT {list} FROM {from} WHERE {condition}{also}")
    }

    /// Aggregates over whatever there is.
    fn measures(&mut self, scope: &Scope) -> String {
        let count = 1 + self.choices.below(2);
        let one = |maker: &mut Self, at: usize| {
            let call = match maker.choices.below(9) {
                0 => "count(*)".to_owned(),
                1 => format!("min({})", maker.any(scope)),
                2 => format!("max({})", maker.any(scope)),
                3 => format!("sum({})", maker.expr(scope, Kind::Whole)),
                4 => format!("count(DISTINCT {})", maker.any(scope)),
                5 => format!("array_agg({})", maker.any(scope)),
                6 => format!("string_agg({}, ',')", maker.expr(scope, Kind::Text)),
                7 => format!("avg({})", maker.expr(scope, Kind::Rate)),
                _ => format!("max({}) FILTER (WHERE {})", maker.any(scope), scope.trap(maker.choices)),
            };
            format!("{call} AS a{at}")
        };
        (0..count).map(|at| one(self, at)).collect::<Vec<_>>().join(", ")
    }

    fn grouped(&mut self, from: &str, scope: &Scope, depth: usize) -> String {
        let keys: Vec<String> = (0..=self.choices.below(2))
            .map(|_| {
                if self.choices.once_in(3) { self.any(scope) } else { scope.column(self.choices, Kind::Text) }
            })
            .collect();
        let keys = keys.join(", ");
        let by = match self.choices.below(4) {
            0 | 1 => keys.clone(),
            2 => format!("CUBE ({keys})"),
            _ => format!("ROLLUP ({keys})"),
        };
        let measures = self.measures(scope);
        let end = match self.choices.below(5) {
            0 => format!(
                " HAVING {}",
                self.choices.pick(&["count(*) > 1", "max(1 / (2 - 1)) = 1", "count(*) = 9"])
            ),
            1 => " ORDER BY 1 LIMIT 3".to_owned(),
            2 => format!(" HAVING min({}) IS NOT NULL", self.expr(scope, Kind::Whole)),
            _ => String::new(),
        };
        let filter = if self.choices.once_in(3) {
            format!(" WHERE {}", self.condition(scope, depth))
        } else {
            String::new()
        };
        format!("SELECT {measures}, {keys} FROM {from}{filter} GROUP BY {by}{end}")
    }

    fn keys_of_groups(&mut self, alias: &str) -> Vec<String> {
        match self.choices.below(7) {
            0 => vec![],
            1 => vec![format!("{alias}.sex")],
            2 => vec![format!("{alias}.province")],
            3 => vec![format!("{alias}.province"), format!("{alias}.sex")],
            4 => vec![format!("upper({alias}.sex)"), format!("{alias}.day")],
            5 => vec![format!("substr({alias}.province, 1, 2)"), format!("{alias}.sex")],
            _ => vec![format!("CASE WHEN {alias}.province = '110000' THEN 'x' ELSE {alias}.sex END")],
        }
    }

    fn filter_of_groups(&mut self, scope: &Scope, depth: usize) -> String {
        let alias = &scope.alias;
        match self.choices.below(8) {
            0 => format!(" WHERE {alias}.province = '330000'"),
            1 => format!(" WHERE {alias}.sex = 'm' AND {alias}.day < DATE '2020-01-20'"),
            2 => format!(" WHERE {alias}.province IN ('110000', '420000')"),
            3 if depth == 0 => format!(" WHERE {}", self.condition(scope, depth + 1)),
            _ => String::new(),
        }
    }

    fn join_of_groups(&mut self, alias: &str, depth: usize) -> String {
        match self.choices.below(8) {
            0 => format!(
                " JOIN (VALUES ('330000', 'east'), ('110000', 'north')) AS v(code, label) ON {alias}.province = v.code"
            ),
            1 => format!(" LEFT JOIN (VALUES ('f'), ('x')) AS v(s) ON {alias}.sex = v.s"),
            2 if depth == 0 => format!(" JOIN health.city AS c ON {alias}.province = c.province"),
            _ => String::new(),
        }
    }

    /// What is answered where rows are not shown, mostly.
    fn grouped_only(&mut self, from: &str, scope: &Scope, depth: usize) -> String {
        let alias = &scope.alias;
        let keys = self.keys_of_groups(alias);
        let measure = self.choices.pick(&[
            "count(*)",
            "sum(income)",
            "avg(income)",
            "count(DISTINCT id)",
            "sum(rate)",
            "count(income)",
            "sum(weight)",
            "count(*), sum(income)",
            "min(income)",
            "max(rate)",
            "avg(rate)",
            "count(DISTINCT income)",
            "sum(income) / count(*)",
            "array_agg(income)",
            "sum(income + 1)",
            "sum(CASE WHEN sex = 'f' THEN income END)",
            "count(id)",
        ]);
        let filter = self.filter_of_groups(scope, depth);
        let join = self.join_of_groups(alias, depth);
        let measure = measure
            .replace("income", &format!("{alias}.income"))
            .replace("rate", &format!("{alias}.rate"))
            .replace("(id", &format!("({alias}.id"))
            .replace("T id", &format!("T {alias}.id"))
            .replace("(weight", &format!("({alias}.weight"))
            .replace("N sex", &format!("N {alias}.sex"));
        if keys.is_empty() {
            return format!("SELECT {measure} FROM {from}{join}{filter}");
        }
        let keys = keys.join(", ");
        let by = match self.choices.below(6) {
            0 => format!("CUBE ({keys})"),
            1 => format!("ROLLUP ({keys})"),
            2 => format!("GROUPING SETS (({keys}), ())"),
            _ => keys.clone(),
        };
        let end = self.choices.pick(&[
            "",
            "",
            " ORDER BY 1",
            " HAVING count(*) > 4",
            " ORDER BY count(*) DESC LIMIT 2",
            " HAVING sum(1) < 5",
        ]);
        let query = format!("SELECT {keys}, {measure} FROM {from}{join}{filter} GROUP BY {by}{end}");
        match self.choices.below(8) {
            0 => format!("SELECT count(*), string_agg(CAST(q AS VARCHAR), ',') FROM ({query}) AS g(p, q)"),
            1 => format!("SELECT *, row_number() OVER () AS n FROM ({query}) AS g"),
            _ => query,
        }
    }

    fn windowed(&mut self, from: &str, scope: &Scope) -> String {
        let by = scope.column(self.choices, Kind::Text);
        let order = self.any(scope);
        let function = match self.choices.below(6) {
            0 => "row_number()".to_owned(),
            1 => format!("lag({})", self.any(scope)),
            2 => format!("sum({})", self.expr(scope, Kind::Whole)),
            3 => format!("first_value({})", self.any(scope)),
            4 => "rank()".to_owned(),
            _ => format!("max({})", self.any(scope)),
        };
        let partition = if self.choices.once_in(2) { format!("PARTITION BY {by} ") } else { String::new() };
        format!("SELECT {by} AS a0, {function} OVER ({partition}ORDER BY {order}) AS a1 FROM {from}")
    }

    fn joined(&mut self, left: &str, scope: &Scope, depth: usize) -> String {
        let kind = self.choices.pick(&[
            "JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
            "CROSS JOIN",
        ]);
        let (right, other) = match self.choices.below(3) {
            0 => {
                let alias = self.alias();
                let values = "(VALUES ('330000', 3, 'f'), ('420000', 777, 'm'), ('110000', 40, 'Ai 0'))";
                (
                    format!("{values} AS {alias}(id, income, name)"),
                    Scope::of(&alias, &["id", "income", "name"].map(Column::of)),
                )
            }
            _ => {
                let (from, scope, _) = self.source();
                (from, scope)
            }
        };
        let mut on = match self.choices.below(4) {
            0 => format!(
                "{} = {}",
                scope.column(self.choices, Kind::Text),
                other.column(self.choices, Kind::Text)
            ),
            1 => format!(
                "{} = {}",
                scope.column(self.choices, Kind::Whole),
                other.column(self.choices, Kind::Whole)
            ),
            2 => format!(
                "{} < {}",
                scope.column(self.choices, Kind::Whole),
                other.column(self.choices, Kind::Whole)
            ),
            _ => format!("{} = {}", self.expr(scope, Kind::Text), self.expr(&other, Kind::Text)),
        };
        if self.choices.once_in(3) {
            on = format!("{on} AND {}", scope.trap(self.choices));
        }
        let on = if kind == "CROSS JOIN" { String::new() } else { format!(" ON {on}") };
        let mut both = scope.clone();
        if !kind.contains("SEMI") && !kind.contains("ANTI") {
            both.join(&other);
        }
        let list = if self.choices.once_in(2) { self.list(&both) } else { self.measures(&both) };
        let filter = if self.choices.once_in(3) {
            format!(" WHERE {}", self.condition(&both, depth + 1))
        } else {
            String::new()
        };
        format!("SELECT {list} FROM {left} {kind} {right}{on}{filter} LIMIT 60")
    }

    fn united(&mut self, depth: usize) -> String {
        let operation = self.choices.pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT"]);
        let kind = *self.choices.pick(&[&Kind::Text, &Kind::Whole]);
        let side = |maker: &mut Self| {
            let (from, scope, table) = maker.source();
            if table.in_groups {
                return format!("SELECT {0}.province AS a0 FROM {from} GROUP BY {0}.province", scope.alias);
            }
            let (expr, condition) = (maker.expr(&scope, kind), maker.condition(&scope, depth + 1));
            format!("SELECT {expr} AS a0 FROM {from} WHERE {condition}")
        };
        format!("{} {operation} {}", side(self), side(self))
    }

    fn correlated(&mut self, from: &str, scope: &Scope) -> String {
        let (inner_from, inner, _) = self.source();
        let (outer, own) = (scope.column(self.choices, Kind::Text), inner.column(self.choices, Kind::Text));
        let value = self
            .choices
            .pick(&["count(*)", "max(income)", "min(name)"])
            .replace('(', &format!("({}.", inner.alias))
            .replace(".*", "*");
        let value = value.replace(&format!("count({}*", inner.alias), "count(*");
        format!(
            "SELECT {outer} AS a0, (SELECT {value} FROM {inner_from} WHERE {own} = {outer}) AS a1 FROM {from}"
        )
    }

    fn scalar(&mut self, depth: usize) -> String {
        let (from, scope, _) = self.source();
        let condition = self.condition(&scope, depth + 1);
        let value = scope.column(self.choices, Kind::Text);
        let shape = self.choices.pick(&[
            "(SELECT max(V) F)",
            "(SELECT V F)",
            "(SELECT V F LIMIT 1)",
            "EXISTS (SELECT V F)",
        ]);
        let shape = shape.replace('V', &value).replace('F', &format!("FROM {from} WHERE {condition}"));
        format!("SELECT {shape} AS a0")
    }

    fn explained(&mut self) -> String {
        let query = self.query(0);
        let how = self.choices.pick(&[
            "",
            "VERBOSE ",
            "FORMAT TREE ",
            "FORMAT INDENT ",
            "ANALYZE ",
            "FORMAT PGJSON ",
        ]);
        format!("EXPLAIN {how}{query}")
    }

    fn metadata(&mut self) -> String {
        let table = self.table().name;
        let hidden = HIDDEN_NAMES[self.choices.below(2)];
        match self.choices.below(14) {
            0 => format!("DESCRIBE {table}"),
            1 => format!("SHOW COLUMNS FROM {table}"),
            2 => "SHOW TABLES".to_owned(),
            3 => "SELECT * FROM information_schema.tables ORDER BY 1, 2, 3".to_owned(),
            4 => {
                "SELECT * FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position"
                    .to_owned()
            }
            5 => "SELECT * FROM basin.datasets ORDER BY 1, 2".to_owned(),
            6 => "SELECT * FROM basin.items ORDER BY 1, 2, 4".to_owned(),
            7 => "SELECT * FROM basin.versions ORDER BY 1, 2".to_owned(),
            8 => "SELECT * FROM basin.deliveries".to_owned(),
            9 => "SELECT * FROM basin.rejects".to_owned(),
            10 => format!("SELECT * FROM health.{hidden}"),
            11 => "SELECT * FROM information_schema.table_constraints".to_owned(),
            12 => "SELECT user_name, sql, rows FROM basin.queries WHERE user_name <> 'ann'".to_owned(),
            _ => format!("SELECT * FROM {table}s"),
        }
    }

    fn with_parameters(&mut self) -> String {
        let (from, scope, table) = self.source();
        let value = match self.choices.below(4) {
            0 => ScalarValue::from("330000"),
            1 => ScalarValue::from("x"),
            2 => ScalarValue::Utf8(None),
            _ => ScalarValue::from("f"),
        };
        self.parameters = vec![value];
        if table.in_groups {
            return format!(
                "SELECT {0}.sex, count(*) FROM {from} WHERE {0}.province = $1 GROUP BY {0}.sex",
                scope.alias
            );
        }
        let column = scope.column(self.choices, Kind::Text);
        match self.choices.below(3) {
            0 => format!("SELECT count(*) FROM {from} WHERE {column} = $1"),
            1 => format!(
                "SELECT {column} AS a0 FROM {from} WHERE {column} < $1 AND {}",
                scope.trap(self.choices)
            ),
            _ => format!("SELECT {column} || $1 AS a0 FROM {from}"),
        }
    }

    /// Odd ones.
    fn trick(&mut self) -> String {
        let table = self.table().name;
        match self.choices.below(8) {
            0 => format!("SELECT arrow_typeof(t) FROM {table} AS t"),
            1 => format!(
                "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT count(*) FROM {table})) SELECT max(n) FROM r"
            ),
            2 => format!("SELECT count(*) FROM {table} AS t, generate_series(1, 3) AS g"),
            3 => format!("SELECT unnest(array_agg(income)) FROM {table}"),
            4 => format!("SELECT DISTINCT ON (sex) sex, name FROM {table} ORDER BY sex, name"),
            5 => format!("SELECT approx_percentile_cont(income, 0.5), median(income) FROM {table}"),
            6 => format!("SELECT * FROM {table} NATURAL JOIN health.city"),
            _ => format!("TABLE {table}"),
        }
    }
}
