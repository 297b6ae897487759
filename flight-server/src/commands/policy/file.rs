//! A policy file: roles, policies and grants as they are to be, in TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use basin_catalog::{
    DatasetName, DatasetPolicy, ErrorClass, Grant, GrantId, Grantee, ItemName, Mask, MinimumCell, Role,
    RowFilter, Terms,
};
use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::commands::error::{CommandError, Result};
use crate::commands::moment::Moment;

/// What a policy file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    /// Datasets that it answers for beside those that it names below.
    #[serde(default)]
    datasets: BTreeSet<DatasetName>,
    #[serde(default)]
    pub(super) roles: Vec<Role>,
    #[serde(default)]
    policies: Vec<PolicyShape>,
    #[serde(default)]
    pub(super) grants: Vec<WantedGrant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyShape {
    dataset: DatasetName,
    #[serde(default)]
    grants_only: bool,
    rows: Option<RowFilter>,
    minimum_cell: Option<MinimumCell>,
    #[serde(default)]
    masks: BTreeMap<ItemName, MaskText>,
    basis: String,
}

/// A mask as the command line writes it.
#[derive(Debug, Clone)]
struct MaskText(Mask);

impl<'de> Deserialize<'de> for MaskText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A grant as it is wanted; which one it is in the catalog shows in its content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedGrant {
    pub(super) dataset: DatasetName,
    to: Grantee,
    purpose: Option<String>,
    from: Option<Moment>,
    until: Option<Moment>,
    basis: String,
    items: Option<BTreeSet<ItemName>>,
    pub(super) rows: Option<RowFilter>,
    #[serde(default)]
    unmasked: BTreeSet<ItemName>,
    #[serde(default)]
    exact: bool,
}

impl PolicyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// `Io`, `PolicyFile`, or `Refused` when it says two things of one dataset.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| CommandError::io(format!("the policy file {file} can't be read"), source))?;
        Self::parse(&text)
            .map_err(|source| CommandError::PolicyFile { file: file.clone(), source: Box::new(source) })?
            .checked(&file)
    }

    fn parse(text: &str) -> std::result::Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    fn checked(self, file: &str) -> Result<Self> {
        let mut seen = BTreeSet::new();
        match self.policies.iter().find(|policy| !seen.insert(&policy.dataset)) {
            None => Ok(self),
            Some(twice) => Err(CommandError::refused_with(
                ErrorClass::InvalidInput,
                format!("{file} has two policies of {}", twice.dataset),
                "write one: a policy is all that is asked of a dataset's readers",
            )),
        }
    }

    /// The policies.
    pub(super) fn policies(&self) -> impl Iterator<Item = DatasetPolicy> {
        self.policies.iter().map(|shape| DatasetPolicy {
            dataset: shape.dataset.clone(),
            grants_only: shape.grants_only,
            terms: Terms { rows: shape.rows.clone(), minimum_cell: shape.minimum_cell },
            masks: shape.masks.iter().map(|(item, mask)| (item.clone(), mask.0.clone())).collect(),
            basis: shape.basis.clone(),
        })
    }

    /// The datasets that the file answers for.
    pub(super) fn datasets(&self) -> BTreeSet<DatasetName> {
        let policies = self.policies.iter().map(|policy| &policy.dataset);
        let grants = self.grants.iter().map(|grant| &grant.dataset);
        self.datasets.iter().chain(policies).chain(grants).cloned().collect()
    }
}

impl WantedGrant {
    /// Whether a grant of the catalog is this one. A file that names no beginning takes any.
    pub(super) fn is(&self, grant: &Grant) -> bool {
        *grant == self.grant(grant.id.clone(), grant.not_before)
    }

    /// Makes the grant; `now` is its beginning when the file names none.
    pub(super) fn grant(&self, id: GrantId, now: DateTime<Utc>) -> Grant {
        Grant {
            id,
            to: self.to.clone(),
            dataset: self.dataset.clone(),
            purpose: self.purpose.clone(),
            not_before: self.from.map_or(now, |from| from.0),
            not_after: self.until.map(|until| until.0),
            basis: self.basis.clone(),
            items: self.items.clone(),
            rows: self.rows.clone(),
            unmasked: self.unmasked.clone(),
            exact: self.exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        datasets = ["health.national"]
        [[roles]]
        name = "epidemiologist"
        description = "Studies outbreaks."
        [[policies]]
        dataset = "health.city"
        grants_only = true
        masks = { city = "null", city_code = "code:4" }
        minimum_cell = { k = 10, round_to = 5 }
        basis = "an order"
        [[grants]]
        dataset = "health.provincial"
        to = { role = "epidemiologist" }
        purpose = "outbreak"
        until = 2030-01-01
        basis = "an agreement"
        rows = "province_code = $region"
    "#;

    #[test]
    fn files_say_what_is_to_be() {
        let file = PolicyFile::parse(FILE).unwrap();
        let names: Vec<String> = file.datasets().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["health.city", "health.national", "health.provincial"]);
        let policy = file.policies().next().unwrap();
        assert_eq!(policy.terms.minimum_cell, Some(MinimumCell { k: 10, round_to: Some(5) }));
        let masks: Vec<String> = policy.masks.values().map(ToString::to_string).collect();
        assert_eq!(masks, ["null", "code:4"]);
        let wanted = file.grants.first().unwrap();
        let grant = wanted.grant(GrantId::fresh(), Utc::now());
        assert!(wanted.is(&grant));
        assert!(!wanted.is(&Grant { exact: true, ..grant.clone() }));
        assert!(!wanted.is(&Grant { not_after: None, ..grant }));
    }

    #[test]
    fn wrong_files_are_refused() {
        for (good, bad) in [
            ("grants_only", "grant_only"),
            ("code:4", "code"),
            ("role =", "team ="),
            ("2030-01-01", "\"soon\""),
            ("health.city", "city"),
        ] {
            assert!(PolicyFile::parse(&FILE.replacen(good, bad, 1)).is_err(), "{bad}");
        }
        let twice = FILE.replacen(
            "[[grants]]",
            "[[policies]]\ndataset = \"health.city\"\ngrants_only = true\nbasis = \"x\"\n[[grants]]",
            1,
        );
        assert!(PolicyFile::parse(&twice).unwrap().checked("x").is_err());
    }
}
