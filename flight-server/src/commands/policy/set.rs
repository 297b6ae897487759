//! `basin policy set`: the policy of one dataset.

use std::collections::BTreeMap;

use basin_catalog::{Change, DatasetName, DatasetPolicy, ItemName, Mask, MinimumCell, RowFilter, Terms};
use clap::Args;

use super::Done;
use crate::commands::error::{CommandError, Result};
use crate::commands::filter;
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The dataset
    dataset: DatasetName,
    /// The rows that are read: an SQL condition on the items, such as "province_code = $region"
    #[arg(long, value_name = "SQL")]
    rows: Option<RowFilter>,
    /// What an item's values are replaced by: deny, null, keyed-hash, code:CHARACTERS, range:WIDTH; may be repeated
    #[arg(long = "mask", value_name = "ITEM=KIND", value_parser = item_and_mask)]
    masks: Vec<(ItemName, Mask)>,
    /// Withhold groups of fewer units than this, and single rows
    #[arg(long, value_name = "K")]
    minimum_cell: Option<u32>,
    /// Round counts to multiples of this
    #[arg(long, value_name = "M", requires = "minimum_cell")]
    round_to: Option<u32>,
    /// Only grants give access, whoever the dataset is shared with
    #[arg(long)]
    grants_only: bool,
    /// The law, rule or decision it rests on
    #[arg(long, value_name = "TEXT")]
    basis: String,
}

pub(super) async fn run(session: &Session, args: SetArgs) -> Result<()> {
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let definition = &snapshot.dataset(&args.dataset)?.definition;
    if let Some(rows) = &args.rows {
        filter::check(definition, rows)?;
    }
    let policy = DatasetPolicy {
        dataset: args.dataset,
        grants_only: args.grants_only,
        terms: Terms {
            rows: args.rows,
            minimum_cell: args.minimum_cell.map(|k| MinimumCell { k, round_to: args.round_to }),
        },
        masks: by_item(args.masks)?,
        basis: args.basis,
    };
    let name = policy.dataset.to_string();
    let known = snapshot.policies().get(&policy.dataset);
    let (outcome, snapshot) = match known {
        Some(known) if **known == policy => ("unchanged", snapshot),
        known => {
            let outcome = if known.is_some() { "changed" } else { "set" };
            let changes = vec![Change::PutPolicy(Box::new(policy))];
            (outcome, catalog.commit(&snapshot, &author(), changes).await?)
        }
    };
    session.answer(&Done { policy: name, outcome, snapshot: snapshot.id().0 })
}

/// Reads `ITEM=KIND`; a name may hold the sign too.
fn item_and_mask(text: &str) -> std::result::Result<(ItemName, Mask), String> {
    let Some((item, mask)) = text.rsplit_once('=') else {
        return Err("write ITEM=KIND, such as name=null".to_owned());
    };
    let item = item.parse().map_err(|error: basin_catalog::CatalogError| error.to_string())?;
    let mask = mask.parse().map_err(|error: basin_catalog::CatalogError| error.to_string())?;
    Ok((item, mask))
}

fn by_item(masks: Vec<(ItemName, Mask)>) -> Result<BTreeMap<ItemName, Mask>> {
    let mut by_item = BTreeMap::new();
    for (item, mask) in masks {
        if by_item.insert(item.clone(), mask).is_some() {
            return Err(CommandError::usage(
                format!("two masks are given for {item}"),
                "give one; the definition's own mask is applied before it",
            ));
        }
    }
    Ok(by_item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_name_their_item() {
        let (item, mask) = item_and_mask("city_code=code:4").unwrap();
        assert_eq!((item.as_str(), mask), ("city_code", Mask::TruncatedCode { characters: 4 }));
        assert_eq!(item_and_mask("a=b=null").unwrap().0.as_str(), "a=b");
        for wrong in ["city", "city=", "=null", "city=secret"] {
            assert!(item_and_mask(wrong).is_err(), "{wrong}");
        }
    }
}
