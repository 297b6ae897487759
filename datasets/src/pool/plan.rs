//! What a request means: which manifests, which files, which kind each file is of.
//!
//! Everything that can be refused before a row is read is refused here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use basin_catalog::{DatasetName, DatasetState, Digest, OrganisationCode, Snapshot};
use sha2::{Digest as _, Sha256};

use super::read::PlannedFile;
use crate::conform::Routing;
use crate::manifest::{DeliveryKind, Manifest};
use crate::source::SourceFile;
use crate::{DatasetsError, Result};

/// What is to be pooled.
#[derive(Debug, Clone)]
pub struct PoolRequest {
    /// Datasets that the files feed.
    pub datasets: Vec<DatasetName>,
    /// The delivered files.
    pub files: Vec<PathBuf>,
    /// Who delivers.
    pub provider: OrganisationCode,
    /// Kind of delivery; by default each file's name decides.
    pub kind: Option<String>,
    /// Read and check only.
    pub dry_run: bool,
    /// Memory for sorting and encoding; see [`PoolRequest::DEFAULT_MEMORY_BYTES`].
    pub memory_bytes: usize,
    /// Threads for reading, sorting and encoding.
    pub threads: usize,
    /// Who is named as the author of the commit.
    pub author: String,
}

impl PoolRequest {
    /// Memory that a pooling uses when nothing is said: 512 MiB.
    pub const DEFAULT_MEMORY_BYTES: usize = 512 << 20;
}

/// One dataset of the request with the files that feed it.
#[derive(Debug, Clone)]
pub(super) struct DatasetPlan {
    pub(super) state: Arc<DatasetState>,
    pub(super) manifest: Manifest,
    pub(super) files: Vec<PlannedFile>,
}

impl DatasetPlan {
    pub(super) fn name(&self) -> &DatasetName {
        &self.state.definition.name
    }

    /// The kinds of its files, for the record.
    pub(super) fn kinds(&self) -> String {
        let kinds: BTreeSet<&str> = self.files.iter().map(|file| file.kind.kind()).collect();
        kinds.into_iter().collect::<Vec<_>>().join(",")
    }
}

/// Finds manifests and kinds.
///
/// # Errors
/// An unknown dataset, an unreadable file, a file that no kind fits: each says what to do.
pub(super) fn plan(snapshot: &Snapshot, request: &PoolRequest) -> Result<Vec<DatasetPlan>> {
    let refused = |reason: &str| Err(DatasetsError::Refused { reason: reason.to_owned() });
    if request.datasets.is_empty() {
        return refused("no dataset is named: name at least one");
    }
    if request.files.is_empty() {
        return refused("no file is named: name at least one");
    }
    if request.datasets.iter().collect::<BTreeSet<_>>().len() < request.datasets.len() {
        return refused("a dataset is named twice: name each once");
    }
    let sources = source_files(&request.files)?;
    let mut plans = Vec::new();
    for name in &request.datasets {
        let state = Arc::clone(snapshot.dataset(name)?);
        let manifest = Manifest::parse(&state.definition.manifest)?;
        plans.push(DatasetPlan { state, manifest, files: Vec::new() });
    }
    for source in &sources {
        assign(source, request, &mut plans)?;
    }
    if let Some(idle) = plans.iter().find(|plan| plan.files.is_empty()) {
        let reason = format!("no file fits a kind of {}: {}", idle.name(), kinds_text(&idle.manifest));
        return Err(DatasetsError::Refused { reason });
    }
    Ok(plans)
}

/// Gives a file to every dataset that has a kind for it.
fn assign(source: &SourceFile, request: &PoolRequest, plans: &mut [DatasetPlan]) -> Result<()> {
    let today = chrono::Utc::now().date_naive();
    let kinds: Vec<Option<DeliveryKind>> = plans
        .iter()
        .map(|plan| match &request.kind {
            Some(wanted) => plan.manifest.kinds().iter().find(|kind| kind.kind() == wanted),
            None => plan.manifest.kind_of(&source.name, today),
        })
        .map(|kind| kind.cloned())
        .collect();
    let routes: Vec<Option<String>> =
        kinds.iter().flatten().map(|kind| kind.route().map(str::to_owned)).collect();
    if routes.is_empty() {
        let known: Vec<String> =
            plans.iter().map(|plan| format!("{}: {}", plan.name(), kinds_text(&plan.manifest))).collect();
        let reason = match &request.kind {
            Some(kind) => format!("there is no kind {kind}. {}", known.join(". ")),
            None => format!("no kind of delivery fits the file name. {}", known.join(". ")),
        };
        return Err(DatasetsError::file(&source.name, reason));
    }
    let takers = plans.iter_mut().zip(kinds).filter_map(|(plan, kind)| Some((plan, kind?)));
    for (mine, (plan, kind)) in takers.enumerate() {
        let routing = Routing { mine, routes: routes.clone() };
        plan.files.push(PlannedFile { source: source.clone(), kind, routing });
    }
    Ok(())
}

fn kinds_text(manifest: &Manifest) -> String {
    let kinds =
        manifest.kinds().iter().map(|kind| format!("kind {} takes files like {}", kind.kind(), kind.files()));
    kinds.collect::<Vec<_>>().join(", ")
}

fn source_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let mut names = BTreeMap::new();
    let mut files = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let metadata =
            std::fs::metadata(path).map_err(|source| DatasetsError::Io { path: path.clone(), source })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !metadata.is_file() {
            return Err(DatasetsError::file(
                &path.display().to_string(),
                "is no file: name the files to pool",
            ));
        }
        if let Some(other) = names.insert(name.clone(), path.clone()) {
            let reason = format!(
                "has the same name as {}: pool them one after the other, or rename one",
                other.display()
            );
            return Err(DatasetsError::file(&path.display().to_string(), reason));
        }
        files.push(SourceFile { index: index as u32, name, path: path.clone(), bytes: metadata.len() });
    }
    Ok(files)
}

/// Sizes and times of change of files.
pub(super) type Stamps = Vec<(u64, Option<SystemTime>)>;

/// Notes the files' sizes and times of change before they are read.
///
/// # Errors
/// When a file can't be looked at.
pub(super) fn stamps(paths: &[PathBuf]) -> Result<Stamps> {
    let stamp = |path: &PathBuf| {
        let metadata =
            std::fs::metadata(path).map_err(|source| DatasetsError::Io { path: path.clone(), source })?;
        Ok((metadata.len(), metadata.modified().ok()))
    };
    paths.iter().map(stamp).collect()
}

/// Refuses files that changed while they were read: their checksums would not be those of the rows.
///
/// # Errors
/// `Source`, naming the file.
pub(super) fn check_unchanged(paths: &[PathBuf], before: &Stamps) -> Result<()> {
    let after = stamps(paths)?;
    let changed = paths.iter().zip(before.iter().zip(&after)).find(|(_, (before, after))| before != after);
    changed.map_or(Ok(()), |(path, _)| {
        Err(DatasetsError::file(&path.display().to_string(), "changed while it was read: pool it again"))
    })
}

/// Computes the SHA-256 of a file.
///
/// # Errors
/// When the file can't be read.
pub(super) fn digest_file(path: &Path) -> Result<Digest> {
    let failed = |source| DatasetsError::Io { path: path.to_path_buf(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex.parse()?)
}

/// The digest that makes two deliveries of one dataset the same: manifest, provider, kinds, names and contents.
pub(super) fn delivery_digest(plan: &DatasetPlan, provider: &OrganisationCode, digests: &[Digest]) -> Digest {
    let mut files: Vec<String> = plan
        .files
        .iter()
        .filter_map(|file| Some((file, digests.get(file.source.index as usize)?)))
        .map(|(file, digest)| format!("{}\u{0}{}", file.source.name, digest.as_hex()))
        .collect();
    files.sort();
    let definition = plan.state.definition.digest();
    let text = [definition.as_hex().to_string(), provider.to_string(), plan.kinds(), files.join("\u{0}")]
        .join("\u{0}\u{0}");
    Digest::of(text.as_bytes())
}
