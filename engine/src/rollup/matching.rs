//! Matching: expressions over a dataset's items as expressions over the dimensions of a rollup.

use basin_catalog::{Dimension, Period, Rollup};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};
use datafusion::scalar::ScalarValue;

/// A rollup's dimensions, to write expressions in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matching<'a> {
    pub(super) rollup: &'a Rollup,
    /// The items, by bare names.
    pub(super) items: &'a DFSchema,
}

impl Matching<'_> {
    /// The same value from dimensions: all rows of a group have it. None when the rollup can't tell.
    pub(super) fn over_dimensions(&self, expr: &Expr) -> Option<Expr> {
        let mut fits = true;
        let over = expr.clone().transform_down(|expr| {
            if let Some(over) = self.period(&expr) {
                return Ok(Transformed::new(over, true, TreeNodeRecursion::Jump));
            }
            if let Expr::Column(column) = &expr
                && !self.is_dimension(&column.name)
            {
                fits = false;
                return Ok(Transformed::new(expr, false, TreeNodeRecursion::Stop));
            }
            Ok(Transformed::no(expr))
        });
        over.data().ok().filter(|_| fits)
    }

    fn is_dimension(&self, item: &str) -> bool {
        self.rollup.dimensions.iter().any(|known| known.period.is_none() && known.item.as_str() == item)
    }

    /// A part of a moment, told by a dimension that is cut to a period no longer than what the part is the same in.
    fn period(&self, expr: &Expr) -> Option<Expr> {
        let Expr::ScalarFunction(call) = expr else { return None };
        let [Expr::Literal(name, _), moment] = call.args.as_slice() else { return None };
        let name = text(name)?.to_lowercase();
        let item = moment_item(moment)?;
        if self.is_dimension(&item.name) {
            return None;
        }
        match call.func.name() {
            "date_trunc" => {
                let wanted = Period::ALL.into_iter().find(|period| period.as_str() == name)?;
                let known = self.cut(&item.name, |period| period.divides(wanted))?;
                let cut = Expr::Column(Column::from_name(known.column()));
                if known.period == Some(wanted) {
                    return self.cast(cut, &expr.get_type(self.items).ok()?, &item.name);
                }
                self.call(call, cut, moment, &item.name)
            }
            "date_part" => {
                let longest = same_within(&name)?;
                let known =
                    self.cut(&item.name, |period| longest.iter().any(|part| period.divides(*part)))?;
                self.call(call, Expr::Column(Column::from_name(known.column())), moment, &item.name)
            }
            _ => None,
        }
    }

    fn cut(&self, item: &str, fits: impl Fn(Period) -> bool) -> Option<&Dimension> {
        let of_item = |known: &&Dimension| known.item.as_str() == item;
        self.rollup.dimensions.iter().filter(of_item).find(|known| known.period.is_some_and(&fits))
    }

    /// The same call of a moment that is cut already.
    fn call(&self, call: &ScalarFunction, cut: Expr, moment: &Expr, item: &str) -> Option<Expr> {
        let cut = self.cast(cut, &moment.get_type(self.items).ok()?, item)?;
        let args = call.args.iter().take(1).cloned().chain([cut]).collect();
        Some(Expr::ScalarFunction(ScalarFunction { func: std::sync::Arc::clone(&call.func), args }))
    }

    /// A cut moment has its item's type.
    fn cast(&self, cut: Expr, data_type: &DataType, item: &str) -> Option<Expr> {
        let own = self.items.field_with_unqualified_name(item).ok()?.data_type();
        if own == data_type {
            return Some(cut);
        }
        Some(Expr::Cast(Cast::new(Box::new(cut), data_type.clone())))
    }
}

/// The item that a moment is, as it is or as a date's midnight.
fn moment_item(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => match (cast.expr.as_ref(), cast.field.data_type()) {
            // In another zone, or in coarser units (which round towards 1970), it could lie in another period.
            (
                Expr::Column(column),
                DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None),
            ) => Some(column),
            _ => None,
        },
        _ => None,
    }
}

/// The longest periods in which a part of a moment is always the same.
fn same_within(part: &str) -> Option<&'static [Period]> {
    match part {
        "year" => Some(&[Period::Year]),
        "quarter" => Some(&[Period::Quarter]),
        "month" => Some(&[Period::Month]),
        "week" | "isoyear" => Some(&[Period::Week]),
        "day" | "doy" | "dow" | "isodow" => Some(&[Period::Day]),
        "hour" => Some(&[Period::Hour]),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_deref()
        }
        _ => None,
    }
}
