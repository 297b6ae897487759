//! TPC-H as it is shipped: manifests of the eight tables and the 22 queries, the same that the tests use.

use basin_catalog::ErrorClass;
use basin_datasets::Manifest;
use include_dir::{Dir, include_dir};

use crate::commands::error::{CommandError, Result};

static MANIFESTS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../tests/tpch/manifests");
static QUERIES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../tests/tpch/queries");

/// How many queries there are; they are numbered from 1.
pub(super) const QUERY_COUNT: u8 = 22;
/// Suppliers of scale factor 1.
pub(super) const SUPPLIERS: f64 = 10_000.0;
/// Query 11 keeps what is more than this, divided by the scale factor, of the whole.
/// Source: TPC-H specification 3.0.1, 2.4.11.3.
const FRACTION: f64 = 0.0001;
/// The same as the shipped text has it, for scale factor 0.1.
const FRACTION_IN_TEXT: &str = " 0.001\n";

/// A table, in the order in which they are pooled: what is referred to comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Region,
    Nation,
    Supplier,
    Part,
    PartSupp,
    Customer,
    Orders,
    LineItem,
}

impl Table {
    pub(super) const ALL: [Self; 8] = [
        Self::Region,
        Self::Nation,
        Self::Supplier,
        Self::Part,
        Self::PartSupp,
        Self::Customer,
        Self::Orders,
        Self::LineItem,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Nation => "nation",
            Self::Supplier => "supplier",
            Self::Part => "part",
            Self::PartSupp => "partsupp",
            Self::Customer => "customer",
            Self::Orders => "orders",
            Self::LineItem => "lineitem",
        }
    }

    /// About how many rows it has at a scale factor; `lineitem` varies a little.
    pub(super) fn rows(self, scale: f64) -> u64 {
        let at_one = match self {
            Self::Region => return 5,
            Self::Nation => return 25,
            Self::Supplier => SUPPLIERS,
            Self::Part => 200_000.0,
            Self::PartSupp => 800_000.0,
            Self::Customer => 150_000.0,
            Self::Orders => 1_500_000.0,
            Self::LineItem => 6_001_215.0,
        };
        (at_one * scale) as u64
    }

    pub(super) fn manifest(self) -> Result<Manifest> {
        Ok(Manifest::parse(text(&MANIFESTS, &format!("tpch.{}.toml", self.name()))?)?)
    }
}

/// The text of a query for data of a scale factor.
pub(super) fn query(number: u8, scale: f64) -> Result<String> {
    let sql = text(&QUERIES, &format!("q{number:02}.sql"))?;
    Ok(if number == 11 {
        sql.replace(FRACTION_IN_TEXT, &format!(" {:.12}\n", FRACTION / scale))
    } else {
        sql.to_owned()
    })
}

fn text(folder: &'static Dir<'static>, name: &str) -> Result<&'static str> {
    folder.get_file(name).and_then(|file| file.contents_utf8()).ok_or_else(|| {
        CommandError::refused(ErrorClass::Internal, format!("{name} is not part of this program"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_queries_are_whole() {
        for table in Table::ALL {
            let manifest = table.manifest().unwrap();
            assert_eq!(manifest.definition().name.to_string(), format!("tpch.{}", table.name()));
        }
        for number in 1..=QUERY_COUNT {
            assert!(query(number, 1.0).unwrap().contains("tpch."), "query {number}");
        }
        assert!(query(QUERY_COUNT + 1, 1.0).is_err());
    }

    #[test]
    fn the_fraction_of_query_11_follows_the_scale() {
        assert!(query(11, 10.0).unwrap().contains(" * 0.000010000000\n"));
        assert!(query(11, 0.1).unwrap().contains(" * 0.001000000000\n"));
    }
}
