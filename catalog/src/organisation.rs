//! Who answers for data: organisations, and the nodes that keep it.

use serde::{Deserialize, Serialize};

use crate::codes::{OrganisationCode, RegionCode};
use crate::ids::NodeId;
use crate::text::LocalText;
use crate::vocabulary::NodeKind;

/// An organisation that provides data or whose people use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its unified social credit code.
    pub code: OrganisationCode,
    /// Its name, by language.
    pub name: LocalText,
    /// The region it answers for.
    pub region: Option<RegionCode>,
    /// The node it keeps.
    pub node: Option<NodeId>,
}

/// One installation of Basin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name; not a region code.
    pub id: NodeId,
    /// What it is.
    pub kind: NodeKind,
    /// What it is called, by language.
    pub name: LocalText,
    /// The region it answers for.
    pub region: Option<RegionCode>,
}
