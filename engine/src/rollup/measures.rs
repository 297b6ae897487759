//! Measures: an aggregate of a dataset's rows as aggregates of a rollup's groups, and what is made of those.

use super::flatten::Flat;
use super::matching::Matching;
use basin_catalog::{Function, Measure, Rollup, RollupVersion};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit, when};

/// An aggregate over groups.
#[derive(Debug)]
pub(super) struct Regrouped {
    /// What is computed over groups: one or two aggregates.
    pub(super) aggregates: Vec<Expr>,
    finish: Finish,
    /// Whether a whole dataset's statistics tell it without reading a row.
    pub(super) is_told: bool,
}

/// What is made of the aggregates over groups.
#[derive(Debug)]
enum Finish {
    /// The aggregate itself.
    Same,
    /// Nothing counts as 0.
    Count,
    /// The first divided by the second, as doubles.
    Average,
}

impl Regrouped {
    /// Makes the result out of the columns of the aggregates.
    pub(super) fn finished(&self, columns: &[Expr]) -> Option<Expr> {
        match (&self.finish, columns) {
            (Finish::Same, [only]) => Some(only.clone()),
            (Finish::Count, [only]) => Some(coalesce(vec![only.clone(), lit(0_i64)])),
            (Finish::Average, [sum, count]) => {
                Some(cast(sum.clone(), DataType::Float64) / cast(count.clone(), DataType::Float64))
            }
            (Finish::Same | Finish::Count | Finish::Average, _) => None,
        }
    }
}

/// A rollup's measures, to write aggregates in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measures<'a> {
    pub(super) matching: Matching<'a>,
    pub(super) made: &'a RollupVersion,
}

impl Measures<'_> {
    /// The same aggregate over groups; none when the rollup can't tell.
    pub(super) fn regrouped(&self, aggregate: &Expr, flat: &Flat<'_>) -> Option<Regrouped> {
        let function = match aggregate {
            Expr::Alias(alias) => return self.regrouped(&alias.expr, flat),
            Expr::AggregateFunction(function) => function,
            _ => return None,
        };
        let params = &function.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return None;
        }
        let args = params.args.iter().map(|arg| flat.over_items(arg)).collect::<Option<Vec<_>>>()?;
        let filter = match &params.filter {
            Some(filter) => Some(Box::new(self.matching.over_dimensions(&flat.over_items(filter)?)?)),
            None => None,
        };
        let of = Of { function, filter };
        match (function.func.name(), params.distinct, args.as_slice()) {
            ("count", true, args) => self.over_dimensions(&of, args),
            ("count", false, [arg]) => self.count(&of, arg),
            ("sum", false, [arg]) => self.sum(&of, arg),
            // Repetition changes neither.
            ("min", _, [arg]) => self.extreme(&of, Function::Min, arg),
            ("max", _, [arg]) => self.extreme(&of, Function::Max, arg),
            ("avg", false, [arg]) => self.average(&of, arg),
            _ => None,
        }
    }

    /// An aggregate to which it is all the same how often a value is there.
    fn over_dimensions(&self, of: &Of<'_>, args: &[Expr]) -> Option<Regrouped> {
        let args = args.iter().map(|arg| self.matching.over_dimensions(arg)).collect::<Option<Vec<_>>>()?;
        Some(of.same(args))
    }

    fn count(&self, of: &Of<'_>, arg: &Expr) -> Option<Regrouped> {
        let counted = self.counted(arg)?;
        let is_told = of.filter.is_none();
        Some(Regrouped { aggregates: vec![of.sum(counted)], finish: Finish::Count, is_told })
    }

    /// How many rows of a group have a value.
    fn counted(&self, arg: &Expr) -> Option<Expr> {
        let rows = || Expr::Column(Column::from_name(Rollup::ROWS));
        match arg {
            Expr::Literal(value, _) if !value.is_null() => return Some(rows()),
            Expr::Column(column) => {
                if !arg.nullable(self.matching.items).ok()? {
                    return Some(rows());
                }
                if let Some(counts) = self.measure(Function::Count, &column.name) {
                    return Some(counts);
                }
            }
            _ => {}
        }
        let value = self.matching.over_dimensions(arg)?;
        when(value.is_not_null(), rows()).otherwise(lit(0_i64)).ok()
    }

    fn sum(&self, of: &Of<'_>, arg: &Expr) -> Option<Regrouped> {
        let sums = self.summed(arg)?;
        Some(Regrouped { aggregates: vec![of.sum(sums)], finish: Finish::Same, is_told: false })
    }

    /// The sums of an item that is added up in the type that it always is.
    fn summed(&self, arg: &Expr) -> Option<Expr> {
        match arg {
            Expr::Column(item) => self.measure(Function::Sum, &item.name),
            Expr::Cast(cast) => {
                let Expr::Column(item) = cast.expr.as_ref() else { return None };
                let narrow = cast.expr.get_type(self.matching.items).ok()?;
                let as_always = match cast.field.data_type() {
                    DataType::Int64 => narrow.is_signed_integer(),
                    DataType::UInt64 => narrow.is_unsigned_integer(),
                    _ => false,
                };
                self.measure(Function::Sum, &item.name).filter(|_| as_always)
            }
            _ => None,
        }
    }

    fn extreme(&self, of: &Of<'_>, extreme: Function, arg: &Expr) -> Option<Regrouped> {
        if let Expr::Column(item) = arg
            && let Some(measure) = self.measure(extreme, &item.name)
        {
            return Some(of.same(vec![measure]));
        }
        self.over_dimensions(of, std::slice::from_ref(arg))
    }

    /// Averages of whole numbers, which are added up as doubles: only where that is exact.
    fn average(&self, of: &Of<'_>, arg: &Expr) -> Option<Regrouped> {
        let Expr::Cast(cast) = arg else { return None };
        let Expr::Column(item) = cast.expr.as_ref() else { return None };
        let exact = self.made.exact_in_doubles.iter().any(|known| known.as_str() == item.name);
        if !exact || *cast.field.data_type() != DataType::Float64 {
            return None;
        }
        let sums = self.measure(Function::Sum, &item.name)?;
        let counts = self.counted(&cast.expr)?;
        let aggregates = vec![of.sum(sums), of.sum(counts)];
        Some(Regrouped { aggregates, finish: Finish::Average, is_told: false })
    }

    fn measure(&self, function: Function, item: &str) -> Option<Expr> {
        let has = |known: &&Measure| known.function == function && known.item.as_str() == item;
        let measure = self.matching.rollup.measures.iter().find(has)?;
        Some(Expr::Column(Column::from_name(measure.column())))
    }
}

/// The aggregate that is replaced, and its filter over dimensions.
struct Of<'a> {
    function: &'a AggregateFunction,
    filter: Option<Box<Expr>>,
}

impl Of<'_> {
    /// The same function of other arguments.
    fn same(&self, args: Vec<Expr>) -> Regrouped {
        let params =
            AggregateFunctionParams { args, filter: self.filter.clone(), ..self.function.params.clone() };
        let function = AggregateFunction { func: std::sync::Arc::clone(&self.function.func), params };
        let is_told = self.filter.is_none() && !self.function.params.distinct;
        Regrouped { aggregates: vec![Expr::AggregateFunction(function)], finish: Finish::Same, is_told }
    }

    fn sum(&self, of: Expr) -> Expr {
        let function =
            AggregateFunction::new_udf(sum_udaf(), vec![of], false, self.filter.clone(), Vec::new(), None);
        Expr::AggregateFunction(function)
    }
}
