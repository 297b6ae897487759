//! Codes that a national standard defines: of organisations, regions and information resources.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{CatalogError, Result};
use crate::ids::text_id;

/// The characters of a unified social credit code in the order of their values (GB 32100-2015, table 1).
const GB_32100: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

text_id!(
    OrganisationCode,
    "An organisation's unified social credit code: 18 characters, the last one a check character. Source: GB 32100-2015.",
    |text| {
        let wrong =
            |reason: String| Err(CatalogError::invalid(format!("organisation code `{text}`"), reason));
        let Some(values) = gb_32100_values(text) else {
            return wrong("it has 18 characters of 0-9 and A-Z without I, O, S, V, Z (GB 32100)".to_owned());
        };
        let Some((given, counted)) = values.split_last() else {
            return wrong("it has 18 characters (GB 32100)".to_owned());
        };
        let expected = gb_32100_check(counted);
        if *given == expected {
            return Ok(());
        }
        let character = GB_32100.get(expected).copied().map_or('?', char::from);
        wrong(format!(
            "its check character does not fit: it would be {character}; look for a typing error (GB 32100)"
        ))
    }
);

fn gb_32100_values(text: &str) -> Option<Vec<usize>> {
    let values: Option<Vec<usize>> =
        text.bytes().map(|b| GB_32100.iter().position(|known| *known == b)).collect();
    values.filter(|values| values.len() == 18)
}

/// The value of the check character: weights are the powers of 3, modulo 31 (GB 32100-2015, 5.6).
fn gb_32100_check(values: &[usize]) -> usize {
    let mut weight = 1;
    let mut sum = 0;
    for value in values {
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    (31 - sum % 31) % 31
}

text_id!(RegionCode, "A division's code: six digits, not beginning with 0. Source: GB/T 2260.", |text| {
    let digits = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
    if digits && !text.starts_with('0') {
        return Ok(());
    }
    Err(CatalogError::invalid(
        format!("region code `{text}`"),
        "it has six digits, the first not 0 (GB/T 2260)",
    ))
});

/// An information resource's code: class (1 digit), item (2), sub-item (3) and detail (any) before the slash, a sequence
/// number after it. It never changes. Source: GB/T 21063.4 and the catalog compilation guide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceCode {
    class_code: String,
    sequence: String,
}

impl ResourceCode {
    /// The part before the slash: class, item, sub-item and detail.
    #[must_use]
    pub fn class_code(&self) -> &str {
        &self.class_code
    }
}

impl FromStr for ResourceCode {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        match text.split_once('/') {
            Some((class, sequence))
                if class.len() >= 6
                    && !sequence.is_empty()
                    && text.len() <= 64
                    && digits(class)
                    && digits(sequence) =>
            {
                Ok(Self { class_code: class.to_owned(), sequence: sequence.to_owned() })
            }
            _ => Err(CatalogError::invalid(
                format!("resource code `{text}`"),
                "it is class (1 digit), item (2), sub-item (3), detail (any digits), a slash and a sequence number, such as 306001/000003 (GB/T 21063)",
            )),
        }
    }
}

impl TryFrom<String> for ResourceCode {
    type Error = CatalogError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ResourceCode> for String {
    fn from(code: ResourceCode) -> String {
        code.to_string()
    }
}

impl fmt::Display for ResourceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class_code, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_character_of_published_codes_fits() {
        // Alibaba's and Huawei's codes, as published in the enterprise register.
        for code in ["91330100799655058B", "914403001922038216"] {
            assert!(code.parse::<OrganisationCode>().is_ok(), "{code}");
        }
    }

    #[test]
    fn each_wrong_character_is_caught() {
        let code = "91330100799655058B";
        for at in 0..18 {
            let mut bytes = code.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.parse::<OrganisationCode>().is_err(), "{text}");
        }
        let error = "91330100799655058C".parse::<OrganisationCode>().unwrap_err().to_string();
        assert!(error.contains("would be B"), "{error}");
    }

    #[test]
    fn region_and_resource_codes() {
        assert!("330000".parse::<RegionCode>().is_ok());
        for wrong in ["33", "030000", "33000a", "3300000"] {
            assert!(wrong.parse::<RegionCode>().is_err(), "{wrong}");
        }
        let code: ResourceCode = "306001/000003".parse().unwrap();
        assert_eq!((code.class_code(), code.to_string().as_str()), ("306001", "306001/000003"));
        for wrong in ["306001", "30600/1", "306001/", "306001/a", "x06001/1"] {
            assert!(wrong.parse::<ResourceCode>().is_err(), "{wrong}");
        }
    }
}
