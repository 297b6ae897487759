//! Which rows are this dataset's, where one delivery feeds several.

use std::collections::BTreeSet;

use arrow::array::{Array, BooleanArray, RecordBatch};

use super::Routing;
use super::expression::{Compiler, Expression};
use super::marks::Marks;
use crate::error::Result;

/// Compiled routes of a delivery.
#[derive(Debug)]
pub(super) struct Router {
    mine: usize,
    /// Per dataset; none takes all rows.
    routes: Vec<Option<Expression>>,
}

/// Where the rows of a batch belong.
pub(super) struct Routed {
    /// Rows of this dataset; `None`: all.
    pub(super) mine: Option<BooleanArray>,
    /// Rows that no dataset or more than one takes; filled for the first dataset, so that each is told of once.
    pub(super) failures: Marks,
}

impl Router {
    pub(super) fn new(routing: &Routing, kind: &str, compiler: &Compiler) -> Result<Self> {
        let key = format!("delivery.{kind}.route");
        let compile =
            |route: &Option<String>| route.as_ref().map(|sql| compiler.condition(&key, sql)).transpose();
        Ok(Self { mine: routing.mine, routes: routing.routes.iter().map(compile).collect::<Result<_>>()? })
    }

    /// Tells whether this dataset reports the rows that are nobody's.
    pub(super) fn is_first(&self) -> bool {
        self.mine == 0
    }

    /// Returns the raw columns that routes read.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        self.routes.iter().flatten().flat_map(Expression::columns).collect()
    }

    pub(super) fn route(&self, rows: &RecordBatch) -> Result<Routed> {
        let mut failures = Marks::default();
        if self.routes.len() <= 1 && self.routes.iter().flatten().next().is_none() {
            return Ok(Routed { mine: None, failures });
        }
        let mut claims = vec![0_usize; rows.num_rows()];
        let mut mine = vec![false; rows.num_rows()];
        for (dataset, route) in self.routes.iter().enumerate() {
            let taken = match route {
                None => None,
                Some(route) => Some(route.test(rows, &mut |row, error| {
                    failures.fail(row, "route", None, || format!("the route can't be decided: {error}"));
                })?),
            };
            let takes = |row| taken.as_ref().is_none_or(|taken| taken.is_valid(row) && taken.value(row));
            for (row, (claims, mine)) in claims.iter_mut().zip(&mut mine).enumerate() {
                if takes(row) {
                    *claims += 1;
                    *mine |= dataset == self.mine;
                }
            }
        }
        for (row, claims) in claims.iter().enumerate() {
            match claims {
                1 => {}
                0 => failures
                    .fail(row, "route", None, || "no dataset of the delivery takes this row".to_owned()),
                _ => failures
                    .fail(row, "route", None, || format!("{claims} datasets of the delivery take this row")),
            }
        }
        let mine =
            mine.iter().enumerate().map(|(row, mine)| Some(*mine && !failures.contains(row))).collect();
        let failures = if self.is_first() { failures } else { Marks::default() };
        Ok(Routed { mine: Some(mine), failures })
    }
}
