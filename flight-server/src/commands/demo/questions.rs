//! Four questions that show what the store is for, asked like any client asks them.

use crate::commands::error::Result;
use crate::commands::output::print;
use crate::commands::sql::Grid;
use crate::commands::sql::remote::Remote;

const QUESTIONS: [(&str, &str); 4] = [
    (
        "What is here, whose is it, and from when?",
        "SELECT schema_name || '.' || dataset_name AS dataset, title_en, provider_name, licence,
       version, rows, issued
FROM basin.datasets
ORDER BY dataset",
    ),
    (
        "Do the provinces add up to the national figure, and what do others say?",
        "WITH province_day AS (      -- a province may be in several bulletins: the highest figure counts
  SELECT date, province_code, max(confirmed) AS confirmed
  FROM health.provincial
  WHERE bulletin_date IS NOT NULL AND province_code NOT IN ('710000', '810000', '820000')
  GROUP BY date, province_code
), provinces AS (
  SELECT date, sum(confirmed) AS sum_of_provinces, count(confirmed) AS reporting
  FROM province_day GROUP BY date
), national AS (
  SELECT date, max(confirmed) AS national_bulletin
  FROM health.national WHERE country_code = 'CN' AND bulletin_date IS NOT NULL GROUP BY date
), jhu AS (
  SELECT date, sum(confirmed) AS jhu_next_day
  FROM jhu.series
  WHERE country = 'China' AND province NOT IN ('Hong Kong', 'Macau') GROUP BY date
)
SELECT n.date, national_bulletin, sum_of_provinces, national_bulletin - sum_of_provinces AS difference,
       reporting, jhu_next_day
FROM national n
JOIN provinces p ON p.date = n.date
LEFT JOIN jhu j ON j.date = n.date + INTERVAL '1 day'
WHERE n.date >= DATE '2020-01-28'
ORDER BY n.date",
    ),
    (
        "Where do two bulletins give different figures for one province and day?",
        "SELECT a.date, a.province, a.bulletin AS bulletin, a.confirmed, b.bulletin AS other_bulletin,
       b.confirmed AS other_confirmed
FROM health.provincial a
JOIN health.provincial b
  ON a.date = b.date AND a.province_code = b.province_code AND a.bulletin < b.bulletin
WHERE a.confirmed <> b.confirmed AND a.bulletin_date IS NOT NULL AND b.bulletin_date IS NOT NULL
ORDER BY a.date, a.province",
    ),
    (
        "What was refused, and why?",
        "SELECT schema_name || '.' || dataset_name AS dataset, file_name, line, rule, reason, raw
FROM basin.rejects
ORDER BY dataset, file_name, line
LIMIT 10",
    ),
];

/// Asks the questions and prints the answers as tables.
pub(super) async fn ask(remote: &mut Remote) -> Result<()> {
    for (question, sql) in QUESTIONS {
        print(format!("\n{question}\n\n{sql};\n"))?;
        let answer = remote.query(sql, "").await?;
        print(Grid::collect(answer, 0).await?)?;
    }
    Ok(())
}
