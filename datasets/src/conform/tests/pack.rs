//! The shipped raw files: their known quirks survive.

use std::path::PathBuf;

use arrow::datatypes::Int64Type;

use super::*;
use crate::source::{OnBytes, SourceFile, open};

fn pack(part: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("china-2020").join(part)
}

fn source(path: PathBuf) -> SourceFile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    SourceFile { index: 0, name, bytes: std::fs::metadata(&path).unwrap().len(), path }
}

#[test]
fn the_papers_file_is_gb18030_and_all_accounted_for() {
    let text = std::fs::read_to_string(pack("manifests/paper.daily.toml")).unwrap();
    let manifest = Manifest::parse(&text.replace("\"gb18030\"", "\"auto\"")).unwrap();
    let kind = &manifest.kinds()[0];
    let on_bytes: OnBytes = Arc::new(|_| ());
    let mut conformer = None;
    let (mut rows_in, mut accepted, mut negative, mut rejects) = (0, 0, 0, Vec::new());
    for batch in open(&source(pack("raw/the-paper/data.csv")), kind.format(), 4096, &on_bytes).unwrap() {
        let batch = batch.unwrap();
        let conformer = conformer.get_or_insert_with(|| {
            let schema = batch.rows.schema();
            Conformer::new(&manifest, kind, &schema, Routing::default(), &CodeLists::default()).unwrap()
        });
        let conformed = conformer.conform(batch).unwrap();
        rows_in += conformed.rows_in;
        accepted += conformed.rows.num_rows();
        let measures =
            conformed.rows.columns().iter().filter_map(|column| column.as_primitive_opt::<Int64Type>());
        negative += measures
            .map(|column| column.iter().flatten().filter(|number| *number < 0).count())
            .sum::<usize>();
        rejects.extend(conformed.rejects);
    }
    assert_eq!((rows_in, accepted as u64 + rejects.len() as u64), (27_424, 27_424));
    assert!(negative >= 70, "{negative}");
    assert!(
        rejects.iter().any(|reject| reject.rule == "type" && reject.item.as_deref() == Some("date")),
        "{rejects:?}"
    );
}

#[test]
fn each_bulletin_row_goes_to_one_of_three_datasets() {
    let names = ["national", "provincial", "city"];
    let manifests = names.map(|name| {
        let text = std::fs::read_to_string(pack(&format!("manifests/health.{name}.toml"))).unwrap();
        // The code lists are other datasets; they are not what is looked at here.
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("code_list"))
            .map(|line| format!("{line}\n"))
            .collect();
        Manifest::parse(&text).unwrap()
    });
    let routes: Vec<Option<String>> =
        manifests.iter().map(|manifest| manifest.kinds()[0].route().map(str::to_owned)).collect();
    let on_bytes: OnBytes = Arc::new(|_| ());
    let (mut rows, mut rejected) = ([0_u64; 3], 0);
    for entry in std::fs::read_dir(pack("raw/health-commission-bulletins")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        for (mine, manifest) in manifests.iter().enumerate() {
            let kind = &manifest.kinds()[0];
            for batch in open(&source(path.clone()), kind.format(), 4096, &on_bytes).unwrap() {
                let batch = batch.unwrap();
                let routing = Routing { mine, routes: routes.clone() };
                let schema = batch.rows.schema();
                let conformer =
                    Conformer::new(manifest, kind, &schema, routing, &CodeLists::default()).unwrap();
                let conformed = conformer.conform(batch).unwrap();
                rows[mine] += conformed.rows_in;
                rejected += conformed.rejects.len();
            }
        }
    }
    assert_eq!(rows.iter().sum::<u64>(), 6_002, "{rows:?}");
    assert_eq!(rejected, 0);
}

#[test]
fn the_manifests_are_valid() {
    let mut count = 0;
    for entry in std::fs::read_dir(pack("manifests")).unwrap() {
        let path = entry.unwrap().path();
        let parsed = Manifest::parse(&std::fs::read_to_string(&path).unwrap());
        assert!(parsed.is_ok(), "{}: {}", path.display(), parsed.unwrap_err());
        count += 1;
    }
    assert!(count > 0);
}
