//! The minimum cell: rows in groups only, small groups without their measures.

use crate::policed::{ann, grant, minimum_cell, provider, world};
use basin_catalog::{Change, ErrorClass, Grant};

#[tokio::test(flavor = "multi_thread")]
async fn small_groups_are_withheld_and_marked() {
    let world = world().await;
    world.commit(vec![minimum_cell(5, None)]).await;
    let ask = async |sql: &str| world.ask_as(ann(None), sql).await.unwrap();
    assert_eq!(
        ask("SELECT province, sex, count(*) AS n, sum(income) AS s FROM health.people GROUP BY 1, 2 ORDER BY 1, 2").await,
        "33|f|5|1500|F|F\n33|m|||A|A\n42|f|6|210|F|F\n42|m|5|470|F|F"
    );
    assert_eq!(ask("SELECT count(*) FROM health.people").await, "18|F");
    assert_eq!(
        ask("SELECT avg(income) AS a FROM health.people WHERE province = '33' AND sex = 'm'").await,
        "|A"
    );
    assert_eq!(
        ask("SELECT count(*) AS n FROM health.people WHERE CAST(province AS VARCHAR) = CAST(33 AS VARCHAR) || '' AND DATE '2020-01-01' + INTERVAL '1' DAY > DATE '2020-01-01'").await,
        "7|F"
    );
    // Nobody is there: that is no small group.
    assert_eq!(ask("SELECT count(*) AS n FROM health.people WHERE province = '99'").await, "0|F");
    // What comes later sees what is shown.
    assert_eq!(
        ask("SELECT province FROM health.people GROUP BY province, sex HAVING count(*) < 5").await,
        ""
    );
    assert_eq!(
        ask("SELECT sum(n) FROM (SELECT province, sex, count(*) AS n FROM health.people GROUP BY 1, 2)")
            .await,
        "16"
    );
    assert_eq!(
        ask("SELECT sex, n / 2 AS half FROM (SELECT sex, count(*) AS n FROM health.people WHERE province = '33' GROUP BY 1) ORDER BY n DESC NULLS LAST LIMIT 2").await,
        "f|2|F\nm||A"
    );
    assert_eq!(ask("SELECT DISTINCT province FROM health.people ORDER BY 1").await, "33\n42");
    assert_eq!(
        world
            .ask_as(provider(), "SELECT count(*) FROM health.people WHERE sex = 'm' AND province = '33'")
            .await
            .unwrap(),
        "2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_their_values_are_refused() {
    let world = world().await;
    world.commit(vec![minimum_cell(5, None)]).await;
    for sql in [
        "SELECT * FROM health.people",
        "SELECT province FROM health.people",
        "SELECT DISTINCT name FROM health.people",
        "SELECT name, count(*) FROM health.people GROUP BY name",
        "SELECT id, count(*) FROM health.people GROUP BY id",
        "SELECT income, count(*) FROM health.people GROUP BY income",
        "SELECT min(income) FROM health.people",
        "SELECT max(income) FROM health.people",
        "SELECT array_agg(income) FROM health.people",
        "SELECT median(income) FROM health.people",
        "SELECT first_value(income ORDER BY income) FROM health.people",
        "SELECT sum(income) FILTER (WHERE name = 'Ai') FROM health.people",
        "SELECT sum(CASE WHEN name = 'Ai' THEN income ELSE 0 END) FROM health.people",
        "SELECT sum(DISTINCT income) FROM health.people",
        "SELECT count(*) FROM health.people WHERE name = 'Ai'",
        "SELECT count(*) FROM health.people WHERE income = 100",
        "SELECT count(*) FROM health.people WHERE id < 'h2'",
        "SELECT count(*) FROM health.people WHERE 1 / (income - 10) > 0",
        "SELECT count(*) FROM health.people WHERE CAST(province AS INT) / 0 > 1",
        "SELECT sum(income) OVER () FROM health.people",
        "SELECT count(*) FROM (SELECT * FROM health.people LIMIT 5)",
        "SELECT count(*) FROM (SELECT * FROM health.people ORDER BY income LIMIT 5)",
        "SELECT count(*) FROM health.people a JOIN health.people b ON a.province = b.province",
        "SELECT count(*) FROM health.people a JOIN (VALUES ('Ai')) v(name) ON a.name = v.name",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM health.people)",
        "SELECT 1 WHERE 'Ai' IN (SELECT name FROM health.people)",
        "SELECT province FROM health.people UNION ALL SELECT 'x'",
        "SELECT name FROM health.people EXCEPT SELECT 'x'",
        "SELECT count(*) FROM (SELECT * FROM health.people UNION ALL SELECT * FROM health.people)",
        "SELECT (SELECT name FROM health.people LIMIT 1)",
        "SELECT count(__unit) FROM health.people",
    ] {
        let error = world.ask_as(ann(None), sql).await.err().unwrap_or_else(|| panic!("{sql} was answered"));
        assert!(
            matches!(error.class(), ErrorClass::PermissionDenied | ErrorClass::InvalidInput),
            "{sql}: {error}"
        );
        assert!(
            world.ask_as(provider(), &sql.replace("__unit", "id").replace(" / 0", "")).await.is_ok()
                || sql.contains('/'),
            "{sql}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_and_functions_of_groups_are_answered() {
    let world = world().await;
    world.commit(vec![minimum_cell(5, None)]).await;
    let ask = async |sql: &str| world.ask_as(ann(None), sql).await.unwrap();
    assert_eq!(
        ask("SELECT v.label, count(*) AS n FROM health.people p JOIN (VALUES ('33', 'Zhejiang'), ('42', 'Hubei')) v(code, label) \
             ON p.province = v.code GROUP BY v.label ORDER BY 1").await,
        "Hubei|11|F\nZhejiang|7|F"
    );
    // A join that repeats rows counts each unit once.
    assert_eq!(
        ask("SELECT sex, count(DISTINCT id) AS n FROM health.people p JOIN (VALUES ('33'), ('33'), ('33')) v(code) \
             ON p.province = v.code GROUP BY sex ORDER BY 1").await,
        "f|5|F\nm||A"
    );
    // An outer join's rows without a partner are nobody.
    assert_eq!(
        ask("SELECT v.code, count(p.id) AS n FROM (VALUES ('33'), ('99')) v(code) LEFT JOIN health.people p ON p.province = v.code \
             GROUP BY v.code ORDER BY 1").await,
        "33|7|F\n99|0|F"
    );
    assert_eq!(
        ask("SELECT upper(sex) AS s, count(*) AS n FROM health.people WHERE province IN ('33') GROUP BY upper(sex) ORDER BY 1").await,
        "F|5|F\nM||A"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn margins_do_not_give_a_cell_away() {
    let world = world().await;
    world.commit(vec![minimum_cell(5, None)]).await;
    let cube = world
        .ask_as(
            ann(None),
            "SELECT province, sex, count(*) AS n FROM health.people GROUP BY CUBE (province, sex) ORDER BY 1 NULLS LAST, 2 NULLS LAST",
        )
        .await
        .unwrap();
    // Two men in Zhejiang: one cell more goes in their line and in their column, and the one that closes the rectangle.
    assert_eq!(cube, "33|f||D\n33|m||A\n33||7|F\n42|f||D\n42|m||D\n42||11|F\n|f|11|F\n|m|7|F\n||18|F");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_rounded_where_the_policy_says_so() {
    let world = world().await;
    world.commit(vec![minimum_cell(5, Some(5))]).await;
    let answer = world.ask_as(
        ann(None),
        "SELECT province, count(*) AS n, sum(income) AS s FROM health.people GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(answer.await.unwrap(), "33|5|2800|F|F\n42|10|680|F|F");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_grant_lifts_it_under_its_purpose() {
    let world = world().await;
    let exact = Grant { exact: true, purpose: Some("outbreak".to_owned()), ..grant() };
    world.commit(vec![minimum_cell(5, None), Change::PutGrant(exact)]).await;
    let sql = "SELECT name FROM health.people WHERE income = 100";
    assert_eq!(world.ask_as(ann(Some("outbreak")), sql).await.unwrap(), "Ai");
    assert!(world.ask_as(ann(None), sql).await.is_err());
    assert!(world.ask_as(ann(Some("curiosity")), sql).await.is_err());
}
