//! Live slices in JSON: a list of pairs, because a slice's key is no text.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serializer};

use crate::ids::DeliveryId;
use crate::version::SliceKey;

pub(super) fn serialize<S: Serializer>(
    slices: &BTreeMap<SliceKey, DeliveryId>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(slices)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<SliceKey, DeliveryId>, D::Error> {
    Ok(Vec::<(SliceKey, DeliveryId)>::deserialize(from)?.into_iter().collect())
}
