//! Make: the queries that a rollup's rows come from.

use basin_catalog::{DatasetDefinition, Dimension, Function, ItemName, ItemType, Rollup};

/// Whole numbers up to this are exact as doubles.
const EXACT_IN_DOUBLES: u64 = 1 << 53;

/// Returns the query whose rows are a rollup's, in its columns and order. It must not be answered from a rollup itself, so
/// that what is made does not rest on what was made before.
#[must_use]
pub fn rows_query(rollup: &Rollup, definition: &DatasetDefinition) -> String {
    let groups: Vec<String> =
        rollup.dimensions.iter().map(|dimension| group(dimension, definition)).collect();
    let names: Vec<String> = rollup.dimensions.iter().map(|dimension| quoted(&dimension.column())).collect();
    let measures = rollup.measures.iter().map(|measure| {
        let (function, item) = (measure.function.as_str(), quoted(measure.item.as_str()));
        format!("{function}({item}) AS {}", quoted(&measure.column()))
    });
    let groups_as = groups.iter().zip(&names).map(|(group, name)| format!("{group} AS {name}"));
    let rows = format!("count(*) AS {}", quoted(Rollup::ROWS));
    let columns: Vec<String> = groups_as.chain([rows]).chain(measures).collect();
    let places =
        |what: &str| (1..=names.len()).map(|at| format!("{at}{what}")).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {} FROM {} GROUP BY {} ORDER BY {}",
        columns.join(", "),
        rollup.dataset,
        places(""),
        places(" ASC NULLS LAST")
    )
}

/// Returns the items whose averages a rollup may answer if doubles add up their values exactly, and the query that tells
/// for each, in one row, whether they do.
#[must_use]
pub fn exactness_query(rollup: &Rollup, definition: &DatasetDefinition) -> Option<(Vec<ItemName>, String)> {
    let whole =
        |name: &ItemName| definition.item(name.as_str()).is_some_and(|item| item.r#type.arrow().is_integer());
    let sums = rollup.measures.iter().filter(|measure| measure.function == Function::Sum);
    let items: Vec<ItemName> = sums.map(|measure| measure.item.clone()).filter(whole).collect();
    let tests = items.iter().map(|item| {
        let item = quoted(item.as_str());
        let wide = |value: String| format!("CAST({value} AS DECIMAL(20, 0))");
        let greatest = format!("{}, -{}", wide(format!("max({item})")), wide(format!("min({item})")));
        format!("coalesce(greatest({greatest}) * count({item}) <= {EXACT_IN_DOUBLES}, true)")
    });
    let tests = tests.collect::<Vec<_>>().join(", ");
    (!items.is_empty()).then(|| (items, format!("SELECT {tests} FROM {}", rollup.dataset)))
}

fn group(dimension: &Dimension, definition: &DatasetDefinition) -> String {
    let item = quoted(dimension.item.as_str());
    let Some(period) = dimension.period else { return item };
    let cut = format!("date_trunc('{}', {item})", period.as_str());
    let is_date = definition.item(dimension.item.as_str()).is_some_and(|item| item.r#type == ItemType::Date);
    if is_date { format!("CAST({cut} AS DATE)") } else { cut }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
