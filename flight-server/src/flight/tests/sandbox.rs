use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use arrow_flight::FlightDescriptor;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandStatementIngest, CommandStatementQuery, ProstMessageExt, TableDefinitionOptions,
    TableExistsOption, TableNotExistOption,
};
use futures::stream;
use prost::Message;
use tonic::Request;

use super::*;

/// Runs a statement that changes something and gives its count.
async fn change(client: &mut Client, sql: &str) -> i64 {
    let rows = query(client, sql).await;
    rows[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Gives all cells of a query as text, rows by line.
async fn table(client: &mut Client, sql: &str) -> String {
    let rows = query(client, sql).await;
    let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    let lines = text.lines().skip(3).filter(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|"));
    cells.collect::<Vec<_>>().join("\n")
}

async fn refused(client: &mut Client, sql: &str) -> (Code, String) {
    let error = client.execute(sql.to_owned(), None).await.unwrap_err();
    (code_of(&error), error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_filled_changed_and_dropped() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    let t = "sandbox_sam.t";
    assert_eq!(change(&mut sam, "CREATE TABLE sandbox_sam.t (n BIGINT NOT NULL, place VARCHAR)").await, 0);
    assert_eq!(table(&mut sam, "SELECT count(*) FROM sandbox_sam.t").await, "0");
    let sql = format!("INSERT INTO {t} VALUES (1, '武汉'), (2, '北京'), (3, NULL)");
    assert_eq!(change(&mut sam, &sql).await, 3);
    assert_eq!(
        change(&mut sam, &format!("INSERT INTO {t} (place, n) SELECT place, n + 10 FROM {t}")).await,
        3
    );
    assert_eq!(change(&mut sam, &format!("UPDATE {t} SET place = 'x', n = n * 2 WHERE n > 11")).await, 2);
    assert_eq!(change(&mut sam, &format!("DELETE FROM {t} WHERE place = '武汉'")).await, 2);
    let left = table(&mut sam, &format!("SELECT * FROM {t} ORDER BY n")).await;
    assert_eq!(left, "2|北京\n3|\n24|x\n26|x");
    assert_eq!(change(&mut sam, "CREATE TABLE u AS SELECT n, upper(place) AS p FROM sandbox_sam.t").await, 4);
    assert_eq!(table(&mut sam, "SELECT p FROM sandbox_sam.u WHERE n = 24").await, "X");
    assert_eq!(change(&mut sam, &format!("DROP TABLE {t}")).await, 0);
    assert_eq!(refused(&mut sam, &format!("SELECT * FROM {t}")).await.0, Code::NotFound);
    assert_eq!(change(&mut sam, &format!("DROP TABLE IF EXISTS {t}")).await, 0);
    assert_eq!(refused(&mut sam, &format!("DROP TABLE {t}")).await.0, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_runs_once_whether_its_result_is_fetched_or_not() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    change(&mut sam, "CREATE TABLE t (n BIGINT)").await;
    let info = sam.execute("INSERT INTO t VALUES (1)".to_owned(), None).await.unwrap();
    assert_eq!(table(&mut sam, "SELECT count(*) FROM sandbox_sam.t").await, "1");
    for _ in 0..2 {
        fetch(&mut sam, info.clone()).await;
    }
    assert_eq!(sam.execute_update("INSERT INTO t VALUES (2), (3)".to_owned(), None).await.unwrap(), 2);
    assert_eq!(table(&mut sam, "SELECT count(*), sum(n) FROM sandbox_sam.t").await, "3|6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_asked_without_running_anything() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    change(&mut sam, "CREATE TABLE t (n BIGINT)").await;
    let mut statement = sam.prepare("INSERT INTO t VALUES (?)".to_owned(), None).await.unwrap();
    assert_eq!(statement.dataset_schema().unwrap().fields().len(), 0);
    assert_eq!(statement.parameter_schema().unwrap().fields().len(), 1);
    assert_eq!(table(&mut sam, "SELECT count(*) FROM sandbox_sam.t").await, "0");
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(9)]));
    statement
        .set_parameters(RecordBatch::try_from_iter_with_nullable([("a", values, true)]).unwrap())
        .unwrap();
    assert_eq!(statement.execute_update().await.unwrap(), 3);
    assert_eq!(table(&mut sam, "SELECT count(*), sum(n) FROM sandbox_sam.t").await, "3|16");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_runs_a_change_once_and_a_schema_runs_nothing() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    change(&mut sam, "CREATE TABLE t (n BIGINT)").await;
    let command =
        CommandStatementQuery { query: "INSERT INTO t VALUES (1)".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(Any::encode_to_vec(&command.as_any()));
    let mut raw = FlightServiceClient::new(
        Endpoint::new(format!("http://{}", served.address)).unwrap().connect().await.unwrap(),
    );
    let with_token = |descriptor: &FlightDescriptor| {
        let mut request = Request::new(descriptor.clone());
        let token = format!("Bearer {}", sam.token().unwrap());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    };
    raw.get_schema(with_token(&descriptor)).await.unwrap();
    let poll = raw.poll_flight_info(with_token(&descriptor)).await.unwrap().into_inner();
    assert!(poll.flight_descriptor.is_none());
    assert_eq!(poll.progress, Some(1.0));
    assert_eq!(table(&mut sam, "SELECT count(*) FROM sandbox_sam.t").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_anywhere_else() {
    let served = Served::start().await;
    let (mut sam, mut ana) = (served.sam().await, served.ana().await);
    change(&mut sam, "CREATE TABLE t (n BIGINT)").await;
    for sql in ["INSERT INTO sandbox_sam.t VALUES (1)", "CREATE TABLE t (n INT)", "DROP TABLE sandbox_sam.t"]
    {
        assert_eq!(refused(&mut ana, sql).await.0, Code::InvalidArgument, "{sql}");
    }
    let (code, text) = refused(&mut ana, "SELECT * FROM sandbox_sam.t").await;
    assert_eq!(code, Code::NotFound, "{text}");
    for schema in ["health", "sandbox_ana", "basin", "information_schema"] {
        let (code, text) = refused(&mut sam, &format!("CREATE TABLE {schema}.t AS SELECT 1 AS n")).await;
        assert!(code == Code::InvalidArgument && text.contains("sandbox_sam"), "{text}");
    }
    assert_eq!(table(&mut sam, "SELECT count(*) FROM sandbox_sam.t").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_changes_nothing_and_clauses_are_not_ignored() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    change(&mut sam, "CREATE TABLE t (n BIGINT NOT NULL)").await;
    change(&mut sam, "INSERT INTO t VALUES (1), (2)").await;
    let late = "INSERT INTO t SELECT 10 / (90000 - value) FROM generate_series(1, 100000)";
    for sql in [
        late,
        "INSERT INTO t VALUES (3), (NULL)",
        "INSERT INTO t VALUES ('three')",
        "INSERT INTO t (m) VALUES (1)",
        "INSERT INTO t VALUES (1, 2)",
        "INSERT INTO t VALUES (1) RETURNING n",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT OVERWRITE t VALUES (1)",
        "UPDATE t SET m = 1",
        "UPDATE t SET n = 1, n = 2",
        "UPDATE t SET n = NULL",
        "UPDATE t SET n = 1 FROM t AS u",
        "DELETE FROM t USING t AS u WHERE t.n = u.n",
        "DELETE FROM t WHERE n = 1 LIMIT 1",
        "CREATE TABLE t (n BIGINT)",
        "CREATE TEMPORARY TABLE v (n BIGINT)",
        "CREATE TABLE v (n BIGINT PRIMARY KEY)",
        "CREATE TABLE v (n BIGINT DEFAULT 1)",
        "CREATE VIEW v AS SELECT 1 AS n",
        "DROP TABLE t CASCADE",
        "DROP TABLE t, t",
        "TRUNCATE TABLE t",
        "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)",
        "INSERT INTO t SELECT * FROM '/etc/passwd'",
    ] {
        let error = sam.execute(sql.to_owned(), None).await;
        assert!(error.is_err(), "{sql}");
    }
    assert_eq!(table(&mut sam, "SELECT n FROM sandbox_sam.t ORDER BY n").await, "1\n2");
    let (_, text) = refused(&mut sam, "SELECT * FROM sandbox_sam.v").await;
    assert!(text.contains("query id"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_all_count() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    change(&mut sam, "CREATE TABLE t (n BIGINT)").await;
    let writers = (0..8).map(|n| {
        let mut client = sam.clone();
        tokio::spawn(async move { change(&mut client, &format!("INSERT INTO t VALUES ({n})")).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap(), 1);
    }
    assert_eq!(table(&mut sam, "SELECT count(*), sum(n) FROM sandbox_sam.t").await, "8|28");
}

fn rows(values: Vec<i64>) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(values.iter().map(|n| format!("第{n}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from(values));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("name", names, true)]).unwrap()
}

async fn ingest(
    client: &mut Client,
    exists: TableExistsOption,
    missing: TableNotExistOption,
    values: Vec<i64>,
) -> std::result::Result<i64, Code> {
    let options = TableDefinitionOptions { if_exists: exists.into(), if_not_exist: missing.into() };
    let command = CommandStatementIngest {
        table_definition_options: Some(options),
        table: "taken".to_owned(),
        schema: None,
        catalog: None,
        temporary: false,
        transaction_id: None,
        options: Default::default(),
    };
    let batches = values.chunks(2).map(|values| Ok(rows(values.to_vec()))).collect::<Vec<_>>();
    client.execute_ingest(command, stream::iter(batches)).await.map_err(|error| code_of(&error))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_ingested_in_every_mode() {
    use TableExistsOption as Exists;
    use TableNotExistOption as Missing;
    let served = Served::start().await;
    let mut sam = served.sam().await;
    let all = "SELECT count(*), sum(n), max(name) FROM sandbox_sam.taken";
    assert_eq!(ingest(&mut sam, Exists::Append, Missing::Fail, vec![1]).await, Err(Code::NotFound));
    assert_eq!(ingest(&mut sam, Exists::Fail, Missing::Create, vec![1, 2, 3]).await, Ok(3));
    assert_eq!(table(&mut sam, all).await, "3|6|第3");
    assert_eq!(ingest(&mut sam, Exists::Fail, Missing::Create, vec![4]).await, Err(Code::InvalidArgument));
    assert_eq!(ingest(&mut sam, Exists::Append, Missing::Fail, vec![4, 5]).await, Ok(2));
    assert_eq!(table(&mut sam, all).await, "5|15|第5");
    assert_eq!(ingest(&mut sam, Exists::Append, Missing::Create, vec![6]).await, Ok(1));
    assert_eq!(ingest(&mut sam, Exists::Replace, Missing::Create, vec![7]).await, Ok(1));
    assert_eq!(table(&mut sam, all).await, "1|7|第7");
    assert_eq!(
        ingest(&mut served.ana().await, Exists::Append, Missing::Create, vec![8]).await,
        Err(Code::InvalidArgument)
    );
}
