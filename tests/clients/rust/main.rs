//! The Rust client: arrow-flight's `FlightSqlServiceClient`, run against the example pack. See `tests/clients/README.md`.

mod canonical;
mod checks;
mod harness;
mod types;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let target = match harness::Target::from_environment() {
        Ok(target) => target,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    println!("version arrow-flight {}", arrow::ARROW_VERSION);
    let mut run = harness::Run::default();
    run.check("connect", "user and password, then the token", checks::connects(&target)).await;
    run.check("connect", "a wrong password is refused", checks::wrong_password(&target)).await;
    run.check("info", "name and version", checks::info(&target)).await;
    run.check("metadata", "catalogs, schemas, tables, types of tables", checks::metadata(&target)).await;
    run.check("metadata", "primary and foreign keys", checks::keys(&target)).await;
    run.check("query", "figures and Chinese text", checks::query_pack(&target)).await;
    run.check("parameters", "a prepared statement with several rows", checks::parameters(&target)).await;
    run.check("parameters", "ingestion", checks::ingestion(&target)).await;
    for entry in types::entries(&target) {
        run.check("types", &entry.name, types::arrives(&target, &entry, types::Rows::Values)).await;
        run.check("nulls", &entry.name, types::arrives(&target, &entry, types::Rows::LastIsNull)).await;
    }
    run.check("large", "3,131,310 rows", checks::large(&target)).await;
    run.check("cancel", "CancelFlightInfo", checks::cancel(&target)).await;
    run.check("error", "unknown column and table", checks::errors(&target)).await;
    run.check("tls", "with the authority, with a certificate of one's own, without", checks::tls(&target))
        .await;
    run.finish()
}
