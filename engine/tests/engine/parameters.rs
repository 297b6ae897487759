//! Placeholders in both forms, their types, and their values.

use crate::support::World;
use basin_catalog::ErrorClass;
use basin_engine::ScalarValue;
use datafusion::arrow::datatypes::{DataType, TimeUnit};

fn number(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

fn words(value: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(value.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_work() {
    let world = World::new().await;
    for (sql, values, rows) in [
        ("SELECT city FROM health.city WHERE confirmed = ?", vec![number(45)], "Wuhan"),
        ("SELECT city FROM health.city WHERE confirmed = $1", vec![ScalarValue::Int32(Some(45))], "Wuhan"),
        ("SELECT city FROM health.city WHERE confirmed = $1", vec![words("45")], "Wuhan"),
        (
            "SELECT count(*) FROM health.city WHERE confirmed > $1",
            vec![ScalarValue::Float64(Some(41.5))],
            "1",
        ),
        ("SELECT city FROM health.city WHERE day = ? AND city <> '?'", vec![words("2020-01-11")], "武汉"),
        (
            "SELECT city FROM health.city WHERE city IN (?, ?) ORDER BY 1",
            vec![words("Wuhan"), words("x")],
            "Wuhan",
        ),
        ("SELECT city FROM health.city ORDER BY confirmed NULLS LAST LIMIT ?", vec![number(1)], "武汉"),
        (
            "SELECT city FROM health.city ORDER BY confirmed NULLS LAST LIMIT ? OFFSET ?",
            vec![ScalarValue::Int32(Some(1)), words("1")],
            "Wuhan",
        ),
        ("SELECT CASE WHEN ? THEN 'yes' ELSE 'no' END", vec![ScalarValue::Boolean(Some(true))], "yes"),
        (
            "SELECT CASE confirmed WHEN ? THEN 'a' ELSE ? END FROM health.city WHERE confirmed > 40 ORDER BY 1",
            vec![number(41), words("b")],
            "a\nb",
        ),
        ("SELECT $2 AS a, $1 AS b, $2 AS c", vec![number(1), words("two")], "two|1|two"),
        (
            "SELECT count(*) FROM health.city WHERE confirmed BETWEEN ? AND ?",
            vec![number(1), number(44)],
            "1",
        ),
        ("SELECT count(*) FROM health.city WHERE city LIKE ?", vec![words("Wu%")], "1"),
        ("SELECT count(*) FROM health.city WHERE confirmed = ?", vec![ScalarValue::Null], "0"),
    ] {
        assert_eq!(world.ask_with(sql, values).await.unwrap(), rows, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_refused() {
    let world = World::new().await;
    for (sql, values) in [
        ("SELECT ?", vec![]),
        ("SELECT ?", vec![number(1), number(2)]),
        ("SELECT 1", vec![number(1)]),
        ("SELECT ?, $1", vec![number(1)]),
        ("SELECT $0", vec![number(1)]),
        ("SELECT :name", vec![number(1)]),
        ("SELECT city FROM health.city WHERE day = ?", vec![words("soon")]),
        ("SELECT $99999999", vec![number(1)]),
    ] {
        let error = world.ask_with(sql, values).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prepares_without_values() {
    let world = World::new().await;
    let sql = "SELECT city, confirmed + ? AS more FROM health.city WHERE day = ? AND city LIKE ? LIMIT ?";
    let prepared = world.engine.prepare(world.request(sql)).await.unwrap();
    let types: Vec<_> = prepared.parameters.fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Int64, DataType::Date32, DataType::Utf8, DataType::Int64]);
    assert!(!prepared.is_update);
    let mut bound = world.request(sql);
    bound.parameters = vec![number(1), words("2020-01-11"), words("%"), number(5)];
    let planned = world.engine.plan(bound).await.unwrap();
    assert_eq!(prepared.schema, planned.schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_parameter_should_be_is_told_by_what_is_around_it() {
    let world = World::new().await;
    for (sql, expected) in [
        (
            "SELECT CAST(? AS DATE), TRY_CAST($2 AS DOUBLE)".replace('?', "$1"),
            vec![DataType::Date32, DataType::Float64],
        ),
        ("SELECT arrow_cast(?, 'Int16')".to_owned(), vec![DataType::Int16]),
        // Nothing tells: text, which every driver can write.
        ("SELECT ?".to_owned(), vec![DataType::Utf8]),
        // The JDBC driver writes milliseconds, whatever the unit.
        (
            "SELECT count(*) FROM basin.queries WHERE started_at < ?".to_owned(),
            vec![DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))],
        ),
        ("SELECT CAST(? AS TIME)".to_owned(), vec![DataType::Time32(TimeUnit::Millisecond)]),
    ] {
        let prepared = world.engine.prepare(world.request(&sql)).await.unwrap();
        let types: Vec<DataType> =
            prepared.parameters.fields().iter().map(|f| f.data_type().clone()).collect();
        assert_eq!(types, expected, "{sql}");
    }
    let time = ScalarValue::Time32Millisecond(Some(3_600_001));
    let sql = "SELECT CAST('01:00:00.001' AS TIME) = $1";
    assert_eq!(world.ask_with(sql, vec![time]).await.unwrap(), "true");
}
