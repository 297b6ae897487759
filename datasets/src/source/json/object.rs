//! One JSON object to the text of its members.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the members' names.
pub(super) fn names(text: &str) -> serde_json::Result<Vec<String>> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, IgnoredAny)) = map.next_entry()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    read(text, |deserializer| serde::Deserializer::deserialize_map(deserializer, Names))
}

/// Returns the members' values as text, by column; `None` for null and for what is absent.
pub(super) fn members(
    text: &str,
    columns: &HashMap<String, usize>,
) -> serde_json::Result<Vec<Option<String>>> {
    read(text, |deserializer| Members { columns }.deserialize(deserializer))
}

fn read<'a, T>(
    text: &'a str,
    parse: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'a>>) -> serde_json::Result<T>,
) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = parse(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Members<'a> {
    columns: &'a HashMap<String, usize>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<Option<String>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<Option<String>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values: Vec<Option<Option<String>>> = vec![None; self.columns.len()];
        while let Some(name) = map.next_key::<String>()? {
            let value = text_of(map.next_value::<&RawValue>()?.get()).map_err(A::Error::custom)?;
            // Names are trimmed for the header, as everywhere.
            let slot = self.columns.get(name.trim()).and_then(|at| values.get_mut(*at));
            if let Some(slot) = slot
                && slot.replace(value).is_some()
            {
                return Err(A::Error::custom(format!("member `{name}` stands twice")));
            }
        }
        Ok(values.into_iter().map(Option::flatten).collect())
    }
}

fn text_of(raw: &str) -> serde_json::Result<Option<String>> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map(Some),
        Some(b'n') => Ok(None),
        _ => Ok(Some(raw.to_owned())),
    }
}
