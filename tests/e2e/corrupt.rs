//! Damaged files through pooling and scanning: every one ends in right rows or in an error that names the file; the process
//! lives on, within its memory.
//!
//! A delivered file is what its provider says: when it is damaged so that it still reads, pooling can't know. A published file
//! has a checksum: what a scan does not notice, `basin fsck --deep` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Code;

use crate::client::{login, query, status};
use crate::corrupter::{ANY, Harm, PARQUET, harmed};
use crate::program::{Server, basin, run};
use crate::store::{PASSWORD, PROVIDER, USER, apply, entry, with_provider};

/// Files through pooling, and as many through scanning, unless the environment variable says another number.
const FILES: usize = 320;
const FILES_VARIABLE: &str = "BASIN_TEST_CORRUPT_FILES";
/// Files that one store takes.
const FILES_OF_A_STORE: usize = 40;
const SEED: u64 = 1_977;
const ROWS: usize = 300;
/// Address space of a process: what a forged size asks for must not be taken.
const POOL_KIB: u64 = 6 << 20;
const SERVE_KIB: u64 = 12 << 20;
const INVALID: i32 = 3;
/// What a client is told of a damaged file.
const DAMAGED: &str = "data of the dataset is missing or damaged";

const ITEMS: &str = r#"
[[items]]
name = "id"
type = "int64"
nullable = false
role = "key"

[[items]]
name = "part"
type = "text"

[[items]]
name = "name"
type = "text"

[[items]]
name = "day"
type = "date"

[[items]]
name = "level"
type = "float64"
"#;

fn manifest(name: &str, sequence: u32, layout: &str, kinds: &[(&str, &str)]) -> String {
    let mut text = format!("{}\n[layout]\n{layout}\n{ITEMS}\n", entry(name, sequence));
    text.push_str("[pooling]\nmax_rejected_share = 1.0\non_duplicate = \"reject\"\n");
    for (ending, format) in kinds {
        let day = if *ending == "csv" { r#"{ from = "day", format = "%Y-%m-%d" }"# } else { "\"day\"" };
        text.push_str(&format!(
            "\n[[delivery]]\nkind = \"{ending}\"\nfiles = '^.*\\.{ending}$'\nformat = {format}\n[delivery.columns]\nid = \"id\"\n\
             part = \"part\"\nname = \"name\"\nday = {day}\nlevel = \"level\"\n"
        ));
    }
    text
}

/// Rows of one part, with few names and many levels, so that one column has a dictionary and another none.
fn rows(part: usize) -> Result<RecordBatch> {
    let ids = || (0..ROWS as i64).map(move |row| part as i64 * 10_000 + row);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(ids().collect::<Int64Array>())),
        ("part", Arc::new(ids().map(|_| Some(format!("p{part:03}"))).collect::<StringArray>())),
        (
            "name",
            Arc::new(
                ids().map(|id| (id % 7 != 0).then(|| format!("name {}", id % 5))).collect::<StringArray>(),
            ),
        ),
        ("day", Arc::new(Date32Array::from_iter_values(ids().map(|id| 18_000 + (id % 40) as i32)))),
        ("level", Arc::new(ids().map(|id| (id as f64).sqrt()).collect::<Float64Array>())),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Good files of all forms, by ending.
fn good_files() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let batch = rows(1)?;
    let mut files = Vec::new();
    for compression in
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())]
    {
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROWS / 3))
            .set_data_page_row_count_limit(40)
            .set_write_batch_size(20);
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()))?;
        writer.write(&batch)?;
        files.push(("parquet", writer.into_inner()?));
    }
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    files.push(("arrow", writer.into_inner()?));
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    files.push(("arrow", writer.into_inner()?));
    let mut writer = arrow::csv::Writer::new(Vec::new());
    writer.write(&batch)?;
    files.push(("csv", writer.into_inner()));
    Ok(files)
}

/// A command of the binary that can't take more address space than that.
fn bounded(store: &Path, arguments: &[&str], kib: u64) -> Result<Command> {
    let inner = basin(store, arguments)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\"")])
        .arg(inner.get_program())
        .args(inner.get_args());
    for name in ["BASIN_STORE", "BASIN_PASSWORD", "BASIN_LOG"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    Ok(command)
}

fn wanted() -> Result<usize> {
    match std::env::var(FILES_VARIABLE) {
        Ok(number) => number.parse().context(FILES_VARIABLE),
        Err(_) => Ok(FILES),
    }
}

fn pick<T: Copy>(from: &[T], random: &mut StdRng) -> Result<T> {
    from.get(random.random_range(0..from.len())).copied().context("nothing to choose from")
}

/// What became of the files, by harm and outcome.
type Tally = BTreeMap<(Harm, String), usize>;

fn print(what: &str, tally: &Tally, started: Instant) {
    println!("{what}: {} files, {:.0} s", tally.values().sum::<usize>(), started.elapsed().as_secs_f64());
    for ((harm, outcome), files) in tally {
        println!("  {harm:?}: {outcome}: {files}");
    }
}

fn none(wrong: &[String], files: usize) -> Result<()> {
    let first: Vec<&String> = wrong.iter().take(10).collect();
    ensure!(wrong.is_empty(), "{} of {files} are wrong; the first: {first:#?}", wrong.len());
    Ok(())
}

#[test]
fn damaged_deliveries_are_pooled_or_refused_by_name() -> Result<()> {
    let (started, files) = (Instant::now(), wanted()?);
    let mut random = StdRng::seed_from_u64(SEED);
    let (good, folder) = (good_files()?, tempfile::tempdir()?);
    let (mut tally, mut wrong) = (Tally::new(), Vec::new());
    let formats = [
        ("csv", "{ type = \"csv\" }"),
        ("parquet", "{ type = \"parquet\" }"),
        ("arrow", "{ type = \"arrow\" }"),
    ];
    let mut store = None;
    for number in 0..files {
        if number % FILES_OF_A_STORE == 0 {
            let fresh = with_provider()?;
            apply(fresh.path(), &manifest("test.damaged", 31, "key = [\"id\"]", &formats))?;
            store = Some(fresh);
        }
        let store = store.as_ref().context("a store")?.path();
        let (ending, bytes) = good.get(number % good.len()).context("a good file")?;
        let harm = pick(if *ending == "parquet" { &PARQUET } else { &ANY }, &mut random)?;
        let file = folder.path().join(format!("damaged-{number}.{ending}"));
        fs::write(&file, harmed(bytes, harm, &mut random)?)?;
        let path = file.to_string_lossy().into_owned();
        let arguments = ["pool", "test.damaged", &path, "--provider", PROVIDER, "--memory", "64MiB"];
        let output = bounded(store, &arguments, POOL_KIB)?.env("TMPDIR", folder.path()).output()?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let names = said.contains(&format!("damaged-{number}.{ending}"));
        let (outcome, fine) = match output.status.code() {
            Some(0) => ("pooled", true),
            Some(INVALID) => ("refused", names),
            _ => ("died", false),
        };
        *tally.entry((harm, format!("{outcome} {ending}"))).or_default() += 1;
        if fine {
            fs::remove_file(&file)?;
        } else {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damaged-{number}.{ending}"));
            fs::rename(&file, &kept)?;
            wrong.push(format!("{} ({harm:?}): {}: {said}", kept.display(), output.status));
        }
    }
    print("pooling", &tally, started);
    none(&wrong, files)
}

/// A store with a dataset of as many files as parts.
fn scanned() -> Result<tempfile::TempDir> {
    let store = with_provider()?;
    let layout = "key = [\"part\", \"id\"]\nsort = [\"id\"]\npartition = [\"part\"]\nslice = [\"part\"]";
    let parquet = [("parquet", "{ type = \"parquet\" }")];
    apply(store.path(), &manifest("test.scanned", 32, layout, &parquet))?;
    let added = basin(store.path(), ["user", "add", USER])?.env("BASIN_PASSWORD", PASSWORD).output()?;
    ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let file = store.path().join("scanned.parquet");
    let mut writer = ArrowWriter::try_new(fs::File::create(&file)?, rows(0)?.schema(), None)?;
    (0..FILES_OF_A_STORE).try_for_each(|part| writer.write(&rows(part)?).map_err(anyhow::Error::from))?;
    writer.close()?;
    let file = file.to_string_lossy().into_owned();
    run(store.path(), ["pool", "test.scanned", &file, "--provider", PROVIDER])?.success()?;
    Ok(store)
}

/// The file of each part.
fn part_files(store: &Path) -> Result<Vec<PathBuf>> {
    let table = store.join("data/test/scanned");
    (0..FILES_OF_A_STORE)
        .map(|part| {
            let folder = table.join(format!("part=p{part:03}"));
            let file = fs::read_dir(&folder)?.next().context("a part has no file")??;
            Ok(file.path())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_published_files_give_right_rows_or_an_error_and_no_server_dies() -> Result<()> {
    let (started, files) = (Instant::now(), wanted()?);
    let mut random = StdRng::seed_from_u64(SEED + 1);
    let store = scanned()?;
    let paths = part_files(store.path())?;
    let good: Vec<Vec<u8>> = paths.iter().map(fs::read).collect::<std::io::Result<_>>()?;
    let (mut tally, mut wrong, mut peak_kib, mut caught) = (Tally::new(), Vec::new(), 0, 0);
    for _ in 0..files.div_ceil(FILES_OF_A_STORE) {
        let mut harms = Vec::new();
        for (path, bytes) in paths.iter().zip(&good) {
            let harm = pick(&PARQUET, &mut random)?;
            // The store tells another size from the Delta log's before a byte is read.
            fs::write(path, harmed(bytes, harm, &mut random)?)?;
            harms.push(harm);
        }
        let server = Server::spawn(bounded(store.path(), &["serve", "--listen", "127.0.0.1:0"], SERVE_KIB)?)?;
        let mut client = login(server.address()).await?;
        let (mut unseen, mut failed) = (BTreeSet::new(), Vec::new());
        for (part, harm) in harms.iter().enumerate() {
            let sql = format!(
                "SELECT id, part, name, day, level FROM test.scanned WHERE part = 'p{part:03}' ORDER BY id"
            );
            let outcome = match query(&mut client, &sql).await {
                Ok(batches) if right(&batches, part)? => "right",
                Ok(_) => {
                    unseen.insert(part);
                    "other rows, found by fsck --deep"
                }
                Err(error) => match status(error)? {
                    status if status.code() == Code::Internal && status.message().contains(DAMAGED) => {
                        failed.push((part, *harm, query_id(status.message())?));
                        "error"
                    }
                    other => {
                        wrong.push(format!(
                            "{harm:?} of part {part}: {:?} {}",
                            other.code(),
                            other.message()
                        ));
                        "another error"
                    }
                },
            };
            *tally.entry((*harm, outcome.to_owned())).or_default() += 1;
        }
        peak_kib = peak_kib.max(server.peak_kib()?);
        let log = server.end()?;
        caught += log.matches("panicked at").count();
        for (part, harm, id) in failed {
            let name = file_name(&paths, part)?;
            let told =
                |line: &str| line.contains("call failed") && line.contains(&id) && line.contains(&name);
            if !log.lines().any(told) {
                let said: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
                wrong.push(format!("{harm:?} of part {part}: the log does not name {name}: {said:#?}"));
            }
        }
        wrong.extend(not_named(store.path(), &paths, &unseen)?);
    }
    println!("server: peak {} MiB, {caught} panics of libraries caught", peak_kib / 1024);
    print("scanning", &tally, started);
    none(&wrong, files)
}

fn right(batches: &[RecordBatch], part: usize) -> Result<bool> {
    let expected = rows(part)?;
    let Some(first) = batches.first() else { return Ok(false) };
    let found = arrow::compute::concat_batches(&first.schema(), batches)?;
    if found.num_rows() != ROWS {
        return Ok(false);
    }
    let same = |(found, expected): (&ArrayRef, &ArrayRef)| -> Result<bool> {
        Ok(*arrow::compute::cast(found, expected.data_type())? == **expected)
    };
    found.columns().iter().zip(expected.columns()).map(same).try_fold(true, |all, one| Ok(all && one?))
}

fn file_name(paths: &[PathBuf], part: usize) -> Result<String> {
    let path = paths.get(part).ok_or_else(|| anyhow!("no part {part}"))?;
    Ok(path.file_name().context("no name")?.to_string_lossy().into_owned())
}

/// The id by which an operator finds a failed query in the log.
fn query_id(message: &str) -> Result<String> {
    let (_, rest) = message.split_once("query id ").context("no query id is told")?;
    Ok(rest.trim_end_matches(')').to_owned())
}

/// Files that gave other rows and that a deep fsck does not name.
fn not_named(store: &Path, paths: &[PathBuf], unseen: &BTreeSet<usize>) -> Result<Vec<String>> {
    let report = run(store, ["fsck", "--deep"])?;
    ensure!(!report.stderr.contains("panicked"), "{}", report.stderr);
    let mut missed = Vec::new();
    for part in unseen {
        let name = file_name(paths, *part)?;
        if !report.stdout.contains(&name) {
            missed.push(format!("fsck --deep does not name {name}, which gives other rows"));
        }
    }
    Ok(missed)
}
