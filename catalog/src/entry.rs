//! The catalog entry of a dataset: the fields of GB/T 21063 and the catalog compilation guide, typed.
//!
//! What cannot be told from one value alone is checked by `CatalogEntry::check`. What a share type permits is decided in
//! the engine's policy.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::{OrganisationCode, RegionCode, ResourceCode};
use crate::error::{CatalogError, Result};
use crate::ids::{DeliveryId, NodeId, text_id};
use crate::text::LocalText;
use crate::vocabulary::{Grade, OpenType, ShareMode, UpdateCycle};

const NAME_CHARS: usize = 50;
const ABSTRACT_CHARS: usize = 256;
const BASIS_CHARS: usize = 1000;

text_id!(Licence, "A licence: an SPDX expression or the URL of its text.", |text| {
    let is_url =
        (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace);
    let spdx =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'(' | b')' | b' ' | b':');
    if is_url || (!text.trim().is_empty() && text.len() <= 128 && text.bytes().all(spdx)) {
        return Ok(());
    }
    Err(CatalogError::invalid(
        format!("licence `{text}`"),
        "it is an SPDX identifier such as CC-BY-4.0, or a URL",
    ))
});

/// Whether other agencies may have the data. Serialised as `share_type` with `share_condition` or `legal_basis`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ShareFields", into = "ShareFields")]
pub enum Share {
    /// Every agency may.
    Unconditional,
    /// Those with a grant may.
    Conditional {
        /// Under which condition.
        condition: String,
    },
    /// The provider only.
    None {
        /// The law or rule that says so.
        legal_basis: String,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ShareFields {
    share_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share_condition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    legal_basis: Option<String>,
}

impl TryFrom<ShareFields> for Share {
    type Error = CatalogError;

    fn try_from(fields: ShareFields) -> Result<Self> {
        match (fields.share_type.as_str(), fields.share_condition, fields.legal_basis) {
            ("unconditional", None, None) => Ok(Self::Unconditional),
            ("conditional", Some(condition), None) => Ok(Self::Conditional { condition }),
            ("none", None, Some(legal_basis)) => Ok(Self::None { legal_basis }),
            (other, _, _) => Err(CatalogError::invalid(
                format!("share_type `{other}`"),
                "it is unconditional, conditional with a share_condition, or none with a legal_basis",
            )),
        }
    }
}

impl From<Share> for ShareFields {
    fn from(share: Share) -> Self {
        let (share_type, share_condition, legal_basis) = match share {
            Share::Unconditional => ("unconditional", None, None),
            Share::Conditional { condition } => ("conditional", Some(condition), None),
            Share::None { legal_basis } => ("none", None, Some(legal_basis)),
        };
        Self { share_type: share_type.to_owned(), share_condition, legal_basis }
    }
}

impl Share {
    fn check(&self) -> Result<()> {
        let (what, text) = match self {
            Self::Unconditional => return Ok(()),
            Self::Conditional { condition } => ("share_condition", condition),
            Self::None { legal_basis } => ("legal_basis", legal_basis),
        };
        let chars = text.chars().count();
        if text.trim().is_empty() {
            return Err(CatalogError::invalid(what, "it is empty; the share type requires it"));
        }
        if chars > BASIS_CHARS {
            let reason = format!("it has {chars} characters and may have {BASIS_CHARS}; shorten it");
            return Err(CatalogError::invalid(what, reason));
        }
        Ok(())
    }
}

/// A region at the time its code was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The division's code.
    pub code: RegionCode,
    /// The year of the code table.
    pub vintage: u16,
}

/// A dimension of data quality. Source: GB/T 36344.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityDimension {
    /// Follows the rules and standards that apply.
    Normativity,
    /// Nothing required is missing.
    Completeness,
    /// True to what it describes.
    Accuracy,
    /// Free of contradiction with other data.
    Consistency,
    /// Current.
    Timeliness,
    /// Can be had when needed.
    Accessibility,
}

/// One measured figure of quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityMeasurement {
    /// What was measured.
    pub dimension: QualityDimension,
    /// The figure, 0 to 1.
    pub value: f64,
    /// When.
    pub measured_at: DateTime<Utc>,
    /// On which delivery.
    pub delivery: Option<DeliveryId>,
}

/// What the catalog says of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// The information resource's code; never changes.
    pub resource_code: ResourceCode,
    /// Title, at most 50 characters a language.
    pub name: LocalText,
    /// Abstract, at most 256 characters a language.
    pub r#abstract: LocalText,
    /// The organisation that answers for it.
    pub provider: OrganisationCode,
    /// Formats it is delivered in.
    pub formats: Vec<String>,
    /// Whether other agencies may have it.
    #[serde(flatten)]
    pub share: Share,
    /// How they may take it.
    pub share_modes: BTreeSet<ShareMode>,
    /// Whether the public may have it.
    pub open_type: OpenType,
    /// How often it is renewed.
    pub update_cycle: UpdateCycle,
    /// When it was first issued.
    pub issued: NaiveDate,
    /// When it was last changed.
    pub modified: Option<NaiveDate>,
    /// Related information resources.
    pub related_codes: Vec<ResourceCode>,
    /// The region it covers.
    pub region: Option<Region>,
    /// How sensitive it is: at least as its strictest item.
    pub grade: Grade,
    /// Its licence.
    pub licence: Licence,
    /// Whom to name as its source.
    pub attribution: Option<String>,
    /// Measured quality.
    pub quality: Vec<QualityMeasurement>,
    /// The node it comes from; none: this one.
    pub node_id: Option<NodeId>,
}

impl CatalogEntry {
    /// Checks what no single field shows.
    pub(crate) fn check(&self) -> Result<()> {
        self.name.check("title", NAME_CHARS)?;
        self.r#abstract.check("abstract", ABSTRACT_CHARS)?;
        self.share.check()?;
        let refuse = |what: &str, reason: &str| Err(CatalogError::invalid(what, reason));
        if self.formats.is_empty() || self.formats.iter().any(|format| format.trim().is_empty()) {
            return refuse("formats", "name at least one format, such as csv, and no empty one");
        }
        if self.share_modes.is_empty() {
            return refuse("share_modes", "name at least one of query, api, browse, download, copy");
        }
        if matches!(self.share, Share::None { .. }) && self.open_type != OpenType::Closed {
            return refuse("open_type", "what no agency may have is closed to the public too: write closed");
        }
        if self.modified.is_some_and(|modified| modified < self.issued) {
            return refuse("modified", "it is before the date of issue");
        }
        if self.region.as_ref().is_some_and(|region| !(1980..=2100).contains(&region.vintage)) {
            return refuse("region.vintage", "it is the year of the code table, 1980 or later (GB/T 2260)");
        }
        if self.related_codes.contains(&self.resource_code) {
            return refuse("related_codes", "a resource is not related to itself; remove its own code");
        }
        if self.attribution.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return refuse("attribution", "it is empty; write it or leave it out");
        }
        if self.quality.iter().any(|measured| !(0.0..=1.0).contains(&measured.value)) {
            return refuse("quality", "a measured figure is between 0 and 1");
        }
        Ok(())
    }
}
