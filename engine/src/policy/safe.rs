//! Safe: expressions that can neither fail nor be observed, whatever rows they see. Only they may be evaluated on rows
//! that a principal does not see, or sees only in groups.
//!
//! A comparison, a test for NULL, a list, a pattern and their combinations with AND, OR and NOT; no arithmetic (it
//! overflows or divides), no cast that can fail, no function of a user's choice, nothing volatile, no subquery.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator};

/// Tells whether an expression over columns of known types is safe. `type_of` gives none for a column that must not be
/// looked at.
pub(super) fn is_safe(expr: &Expr, type_of: &dyn Fn(&Column) -> Option<DataType>) -> bool {
    let safe = |expr: &Expr| is_safe(expr, type_of);
    match expr {
        Expr::Column(column) => type_of(column).is_some(),
        Expr::Literal(..) | Expr::Placeholder(_) => true,
        // A pattern that comes from rows could be a costly one.
        Expr::Like(Like { expr, pattern, .. }) => {
            safe(expr) && matches!(pattern.as_ref(), Expr::Literal(..) | Expr::Placeholder(_))
        }
        Expr::Cast(cast) => {
            let from = cast_from(&cast.expr, type_of);
            from.is_some_and(|from| cannot_fail(&from, cast.field.data_type())) && safe(&cast.expr)
        }
        other => parts(other).is_some_and(|parts| parts.into_iter().all(safe)),
    }
}

/// The parts of a comparison, a test, a list or a choice, which can't fail unless one of its parts does; none when an
/// expression is anything else.
pub(super) fn parts(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Alias(alias) => Some(vec![&alias.expr]),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compares(*op).then(|| vec![left.as_ref(), right]),
        Expr::Not(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => Some(vec![inner]),
        Expr::Between(Between { expr, low, high, .. }) => Some(vec![expr, low, high]),
        Expr::InList(InList { expr, list, .. }) => Some(std::iter::once(expr.as_ref()).chain(list).collect()),
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            let branches = when_then_expr.iter().flat_map(|(when, then)| [when, then]);
            Some(expr.iter().chain(branches).chain(else_expr).map(AsRef::as_ref).collect())
        }
        _ => None,
    }
}

/// The type of what is cast, when it is simple enough to know.
fn cast_from(expr: &Expr, type_of: &dyn Fn(&Column) -> Option<DataType>) -> Option<DataType> {
    match expr {
        Expr::Column(column) => type_of(column),
        Expr::Literal(value, _) => Some(value.data_type()),
        Expr::Cast(inner) => Some(inner.field.data_type().clone()),
        _ => None,
    }
}

/// Tells whether each value of one type is a value of another.
pub(super) fn cannot_fail(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Null, UInt8, UInt16, UInt32,
    };
    let is_text = |data_type: &DataType| data_type.is_string();
    if from == to || *from == Null || (is_text(from) && is_text(to)) {
        return true;
    }
    match (from, to) {
        (Int8, Int16 | Int32 | Int64 | Float32 | Float64)
        | (Int16 | UInt8, Int32 | Int64 | Float32 | Float64)
        | (UInt8, Int16 | UInt16 | UInt32)
        | (Int32 | UInt16 | UInt32, Int64 | Float64)
        | (UInt16, UInt32 | Int32)
        | (Int64 | Float32, Float64)
        | (Decimal128(..), Float64) => true,
        (whole, Decimal128(precision, scale)) if whole.is_integer() => {
            i16::from(*precision) - i16::from(*scale) >= digits(whole)
        }
        (Decimal128(p1, s1), Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        (Date32, DataType::Date64) => true,
        _ => false,
    }
}

fn digits(whole: &DataType) -> i16 {
    match whole {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        _ => 20,
    }
}

/// Tells whether an operator compares values or combines comparisons.
fn compares(op: Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | And | Or | IsDistinctFrom | IsNotDistinctFrom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{cast, col, lit};

    fn known(column: &Column) -> Option<DataType> {
        match column.name.as_str() {
            "n" => Some(DataType::Int32),
            "t" => Some(DataType::Utf8View),
            _ => None,
        }
    }

    #[test]
    fn comparisons_are_safe_and_whatever_can_fail_is_not() {
        let safe = [
            col("n").gt(lit(3)),
            col("t").eq(lit("x")).and(col("n").is_null()),
            col("t").like(lit("%x%")),
            col("n").in_list(vec![lit(1), lit(2)], true),
            cast(col("n"), DataType::Int64).eq(lit(3_i64)),
        ];
        for expr in safe {
            assert!(is_safe(&expr, &known), "{expr}");
        }
        let unsafe_ones = [
            (col("n") / lit(0)).eq(lit(1)),
            (col("n") + lit(1)).eq(lit(1)),
            cast(col("t"), DataType::Int64).eq(lit(3_i64)),
            cast(col("n"), DataType::Int8).eq(lit(3_i8)),
            col("masked").eq(lit(1)),
            col("t").like(col("t")),
            datafusion::functions::math::expr_fn::random().gt(lit(0.5)),
            Expr::IsNull(Box::new(cast(col("t"), DataType::Date32))),
        ];
        for expr in unsafe_ones {
            assert!(!is_safe(&expr, &known), "{expr}");
        }
    }
}
