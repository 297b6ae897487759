//! Statements that are refused, with a sentence, and those that are not.

use crate::support::World;
use basin_catalog::ErrorClass;

#[tokio::test(flavor = "multi_thread")]
async fn refuses_all_that_is_not_reading() {
    let world = World::new().await;
    for sql in [
        "INSERT INTO health.city VALUES (1)",
        "UPDATE health.city SET confirmed = 1",
        "DELETE FROM health.city",
        "MERGE INTO health.city USING x ON a = b WHEN MATCHED THEN DELETE",
        "TRUNCATE TABLE health.city",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "CREATE SCHEMA s",
        "DROP TABLE health.city",
        "ALTER TABLE health.city ADD COLUMN x INT",
        "COPY health.city TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "SHOW ALL",
        "SHOW datafusion.execution.batch_size",
        "BEGIN",
        "COMMIT",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "GRANT SELECT ON health.city TO bob",
        "ANALYZE TABLE health.city",
        "VACUUM",
        "CALL something()",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN INSERT INTO health.city VALUES (1)",
        "WITH x AS (SELECT 1) INSERT INTO health.city SELECT * FROM x",
        "SELECT 1 INTO t",
        "(INSERT INTO health.city VALUES (1))",
        "/* SELECT */ DROP TABLE health.city",
    ] {
        let error = world.ask(sql).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidInput, "{sql}: {error}");
        assert!(error.to_string().contains("accept"), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_files_settings_and_several_statements() {
    let world = World::new().await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'file:///etc/passwd'",
        r#"SELECT * FROM "/etc/hosts.csv""#,
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM information_schema.df_settings",
        "SELECT 1; SELECT 2",
        "",
        "  ; ",
        "-- nothing",
        "SELEKT 1",
    ] {
        assert!(world.ask(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_there_is_not_is_an_error_of_the_statement() {
    let world = World::new().await;
    for sql in ["SELECT CAST(1 AS UTINYINT)", "SELECT arrow_cast(INTERVAL '1 month', 'Interval(YearMonth)')"]
    {
        let error = world.ask(sql).await.unwrap_err();
        assert!(matches!(error, basin_engine::EngineError::InvalidSql { .. }), "{sql}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_what_reads() {
    let world = World::new().await;
    for (sql, rows) in [
        ("SELECT 1", "1"),
        ("SELECT 1;", "1"),
        ("VALUES (1), (2)", "1\n2"),
        ("(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1", "1\n2"),
        ("WITH x AS (SELECT 2 AS a) SELECT a FROM x", "2"),
        ("SELECT count(*) FROM generate_series(1, 10)", "10"),
        (
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT max(i) FROM n",
            "5",
        ),
        ("SELECT sum(u) FROM (SELECT unnest([1, 2, 3]) AS u)", "6"),
        ("DESCRIBE health.city", "city|Utf8|NO\nday|Date32|NO\nconfirmed|Int64|YES\nprovince|Utf8|YES"),
    ] {
        assert_eq!(world.ask(sql).await.unwrap(), rows, "{sql}");
    }
    assert!(world.ask("SHOW TABLES").await.unwrap().contains("city"));
    assert!(world.ask("SHOW COLUMNS FROM health.city").await.unwrap().contains("confirmed"));
}
