//! Packs: manifests and raw files that are shipped inside the binary, ready to be pooled.
//!
//! A pack only says what there is and in which order; applying and pooling are the caller's.

use std::path::{Path, PathBuf};

use basin_catalog::{DatasetName, Node, Organisation, OrganisationCode};
use include_dir::{Dir, DirEntry, include_dir};
use serde::Deserialize;

use crate::manifest::Manifest;
use crate::{DatasetsError, Result};

static CHINA_2020: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/china-2020");

/// A set of datasets with everything that is needed to pool them.
#[derive(Debug)]
pub struct Pack {
    root: &'static Dir<'static>,
    contents: Contents,
    manifests: Vec<Manifest>,
}

/// `pack.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    name: String,
    title: basin_catalog::LocalText,
    node: Node,
    manifests: Vec<String>,
    organisations: Vec<Organisation>,
    deliveries: Vec<DeliveryText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveryText {
    datasets: Vec<DatasetName>,
    files: Vec<String>,
    provider: OrganisationCode,
    kind: Option<String>,
}

/// One delivery of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackDelivery {
    /// Datasets that it feeds.
    pub datasets: Vec<DatasetName>,
    /// Its files, relative to the folder that the pack was unpacked into.
    pub files: Vec<PathBuf>,
    /// Who delivered.
    pub provider: OrganisationCode,
    /// Kind of delivery; by default each file's name decides.
    pub kind: Option<String>,
}

impl Pack {
    /// Opens the example pack: three compilations of China's figures of early 2020, with references.
    ///
    /// # Errors
    /// When the embedded pack is malformed.
    pub fn china_2020() -> Result<Self> {
        Self::open(&CHINA_2020)
    }

    fn open(root: &'static Dir<'static>) -> Result<Self> {
        let contents: Contents =
            toml::from_str(text(root, "pack.toml")?).map_err(|error| DatasetsError::Manifest {
                key: "pack.toml".to_owned(),
                reason: error.message().to_owned(),
                source: Some(error.into()),
            })?;
        let manifests = contents.manifests.iter().map(|path| Manifest::parse(text(root, path)?));
        let manifests = manifests.collect::<Result<_>>()?;
        Ok(Self { root, contents, manifests })
    }

    /// Returns the pack's name.
    pub fn name(&self) -> &str {
        &self.contents.name
    }

    /// Returns the pack's title by language.
    pub fn title(&self) -> &basin_catalog::LocalText {
        &self.contents.title
    }

    /// Returns the node that the pack's store stands for.
    pub fn node(&self) -> &Node {
        &self.contents.node
    }

    /// Returns the manifests, each after those that it refers to.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// Returns the organisations that provide or deliver.
    pub fn organisations(&self) -> &[Organisation] {
        &self.contents.organisations
    }

    /// Returns the deliveries in the order in which they are pooled.
    ///
    /// # Errors
    /// When a delivery names no file of the pack.
    pub fn deliveries(&self) -> Result<Vec<PackDelivery>> {
        let deliveries = self.contents.deliveries.iter().map(|delivery| {
            let mut files = Vec::new();
            for pattern in &delivery.files {
                files.extend(self.files(pattern)?);
            }
            Ok(PackDelivery {
                datasets: delivery.datasets.clone(),
                files,
                provider: delivery.provider.clone(),
                kind: delivery.kind.clone(),
            })
        });
        deliveries.collect()
    }

    /// Writes all files of the pack into a folder.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn unpack(&self, folder: &Path) -> Result<()> {
        let failed = |source| DatasetsError::Io { path: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        self.root.extract(folder).map_err(failed)
    }

    fn files(&self, pattern: &str) -> Result<Vec<PathBuf>> {
        let wrong = |reason: String| DatasetsError::manifest(format!("pack.toml: {pattern}"), reason);
        let entries = self.root.find(pattern).map_err(|error| wrong(error.to_string()))?;
        let mut files: Vec<PathBuf> =
            entries.filter_map(DirEntry::as_file).map(|file| file.path().to_path_buf()).collect();
        files.sort();
        if files.is_empty() {
            return Err(wrong("no file of the pack fits".to_owned()));
        }
        Ok(files)
    }
}

fn text(root: &'static Dir<'static>, path: &str) -> Result<&'static str> {
    let file = root.get_file(path).and_then(|file| file.contents_utf8());
    file.ok_or_else(|| DatasetsError::manifest(path, "the pack has no such text file"))
}
