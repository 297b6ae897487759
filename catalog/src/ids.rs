//! Names and identifiers as types: parsed once, trusted afterwards. Codes with a standard behind them are in `codes`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::{CatalogError, Result};

/// Gives a newtype over text its parsing, display and text form in serde.
macro_rules! text_id {
    ($name:ident, $doc:literal, $check:expr) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::error::CatalogError;

            fn try_from(text: String) -> $crate::error::Result<Self> {
                let check: fn(&str) -> $crate::error::Result<()> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::error::CatalogError;

            fn from_str(text: &str) -> $crate::error::Result<Self> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_id;

/// Longest name of a schema, dataset, user, role or node, in bytes.
const NAME_BYTES: usize = 63;
/// What stays of a user's name that doesn't fit SQL, and of its checksum.
const SANDBOX_NAME_CHARS: usize = 40;
const SANDBOX_DIGEST_CHARS: usize = 8;
const RESERVED_SCHEMAS: [&str; 2] = ["basin", "information_schema"];

fn sql_name(kind: &str, text: &str) -> Result<()> {
    let mut bytes = text.bytes();
    let begins_well = bytes.next().is_some_and(|first| first.is_ascii_lowercase());
    if begins_well && text.len() <= NAME_BYTES && bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    {
        return Ok(());
    }
    let reason = format!("a {kind} begins with a-z and has only a-z, 0-9 and _, at most {NAME_BYTES}");
    Err(CatalogError::invalid(format!("{kind} `{text}`"), reason))
}

fn schema_name(text: &str) -> Result<()> {
    sql_name("schema name", text)?;
    if RESERVED_SCHEMAS.contains(&text) {
        return Err(CatalogError::invalid(
            format!("schema name `{text}`"),
            "it is Basin's own; choose another",
        ));
    }
    Ok(())
}

fn account_name(kind: &str, text: &str) -> Result<()> {
    let fits = !text.is_empty() && text.len() <= NAME_BYTES;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@');
    if fits && text.bytes().all(allowed) {
        return Ok(());
    }
    let reason = format!("a {kind} has letters, digits and _ - . @ only, at most {NAME_BYTES}");
    Err(CatalogError::invalid(format!("{kind} `{text}`"), reason))
}

fn item_name(text: &str) -> Result<()> {
    let fits = !text.trim().is_empty() && text.trim() == text && text.len() <= 128;
    if fits && !text.starts_with('_') && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let reason = "an item name has 1 to 128 bytes, no control characters, no white space around it, and does not begin with _";
    Err(CatalogError::invalid(format!("item name `{text}`"), reason))
}

text_id!(SchemaName, "The first part of a dataset's name.", schema_name);
text_id!(ItemName, "The name of an item: of a dataset's column.", item_name);
text_id!(NodeId, "The name of a node: of one installation. It is not a region code.", |text| account_name(
    "node id", text
));
text_id!(UserName, "The name that a user signs in with.", |text| account_name("user name", text));
text_id!(RollupName, "The name of a rollup among those of its dataset.", |text| sql_name(
    "rollup name",
    text
));
text_id!(RoleName, "The name of a role.", |text| account_name("role name", text));

impl SchemaName {
    /// What the names of sandbox schemas begin with.
    pub(crate) const SANDBOX_PREFIX: &str = "sandbox_";

    /// The schema that holds a user's own datasets: `sandbox_` and the name, with a checksum when the name has to be
    /// changed to be one of SQL.
    #[must_use]
    pub fn sandbox_of(user: &UserName) -> Self {
        let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
        let name = user.as_str();
        if name.chars().all(plain) && Self::SANDBOX_PREFIX.len() + name.len() <= NAME_BYTES {
            return Self(format!("{}{name}", Self::SANDBOX_PREFIX));
        }
        let safe: String = name
            .chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if plain(c) { c } else { '_' })
            .take(SANDBOX_NAME_CHARS)
            .collect();
        let digest = Digest::of(name.as_bytes()).to_string();
        let digest: String = digest.chars().take(SANDBOX_DIGEST_CHARS).collect();
        Self(format!("{}{safe}_{digest}", Self::SANDBOX_PREFIX))
    }
}

impl UserName {
    /// The name that stands for whoever opens the store directly.
    #[must_use]
    pub fn operator() -> Self {
        Self("operator".to_owned())
    }
}

impl RoleName {
    /// The role whose users may write in a sandbox schema of their own.
    #[must_use]
    pub fn sandbox() -> Self {
        Self("sandbox".to_owned())
    }

    /// The role that always exists and sees everything.
    #[must_use]
    pub fn admin() -> Self {
        Self("admin".to_owned())
    }
}

/// A dataset's name, `schema.dataset`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatasetName {
    schema: SchemaName,
    name: String,
}

impl DatasetName {
    /// The schema's part.
    #[must_use]
    pub fn schema(&self) -> &str {
        self.schema.as_str()
    }

    /// The part after the schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for DatasetName {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let Some((schema, name)) = text.split_once('.') else {
            return Err(CatalogError::invalid(
                format!("dataset name `{text}`"),
                "it has two parts, schema.dataset, such as health.city",
            ));
        };
        sql_name("dataset name", name)?;
        Ok(Self { schema: schema.parse()?, name: name.to_owned() })
    }
}

impl TryFrom<String> for DatasetName {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> String {
        name.to_string()
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// Gives a newtype over a UUID its constructor, parsing and display.
macro_rules! uuid_id {
    ($name:ident, $doc:literal, $kind:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one; later ones sort after earlier ones (UUID version 7, RFC 9562).
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl FromStr for $name {
            type Err = CatalogError;

            fn from_str(text: &str) -> Result<Self> {
                let wrong = |_| CatalogError::invalid(format!("{} `{text}`", $kind), "it is not a UUID");
                Uuid::parse_str(text).map(Self).map_err(wrong)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(DeliveryId, "Names one delivery.", "delivery id");
uuid_id!(GrantId, "Names one grant.", "grant id");
uuid_id!(TokenId, "Names one service token.", "token id");
uuid_id!(DemandId, "Names one demand.", "demand id");

/// The number of a snapshot: of the commit that made it, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub u64);

impl From<u64> for SnapshotId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl FromStr for SnapshotId {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |_| CatalogError::invalid(format!("snapshot `{text}`"), "it is not a whole number");
        text.parse().map(Self).map_err(wrong)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_id!(Digest, "A SHA-256 checksum as 64 lowercase hexadecimal digits.", |text| {
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(CatalogError::invalid(format!("digest `{text}`"), "it has 64 lowercase hexadecimal digits"))
});

impl Digest {
    /// The checksum of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_sha256(Sha256::digest(bytes).into())
    }

    /// A checksum that was computed elsewhere, such as while reading a file.
    #[must_use]
    pub fn from_sha256(sum: [u8; 32]) -> Self {
        Self(sum.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_hex(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dataset_names_have_two_plain_parts() {
        assert_eq!("health.city".parse::<DatasetName>().unwrap().to_string(), "health.city");
        for wrong in [
            "city",
            "a.b.c",
            "Health.city",
            "health.",
            ".x",
            "basin.datasets",
            "information_schema.x",
            "1a.b",
            "a.b-c",
        ] {
            assert!(wrong.parse::<DatasetName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn item_names_keep_other_scripts_but_not_basins_own_columns() {
        assert!("新增确诊".parse::<ItemName>().is_ok());
        for wrong in ["", " x", "_file", "a\nb"] {
            assert!(wrong.parse::<ItemName>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn digests_are_sha_256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_hex(), empty);
        assert!("E3".parse::<Digest>().is_err());
    }
}
