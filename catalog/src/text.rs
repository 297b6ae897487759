//! Text by language: titles, abstracts and labels. It is not for data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{CatalogError, Result};

/// The same text in several languages, by their BCP 47 tags (`zh`, `en`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct LocalText(BTreeMap<String, String>);

impl LocalText {
    /// The text in one language.
    #[must_use]
    pub fn get(&self, lang: &str) -> Option<&str> {
        self.0.get(lang).map(String::as_str)
    }

    /// The English text, else the Chinese one, else the first; empty when there is none.
    #[must_use]
    pub fn best(&self) -> &str {
        let first = || self.0.values().next().map(String::as_str);
        self.get("en").or_else(|| self.get("zh")).or_else(first).unwrap_or_default()
    }

    /// Language and text, by language.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(lang, text)| (lang.as_str(), text.as_str()))
    }

    /// Sets the text of one language.
    pub fn insert(&mut self, lang: impl Into<String>, text: impl Into<String>) {
        self.0.insert(lang.into(), text.into());
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a text that must be there.
    ///
    /// # Errors
    /// `Invalid` when there is none, a language is empty, or one is longer than `max_chars`.
    pub(crate) fn check(&self, what: &str, max_chars: usize) -> Result<()> {
        if self.0.is_empty() {
            return Err(CatalogError::invalid(
                what,
                "it is missing; give it in at least one language, such as zh",
            ));
        }
        for (lang, text) in self.iter() {
            check_lang(lang)?;
            let chars = text.chars().count();
            if text.trim().is_empty() {
                return Err(CatalogError::invalid(
                    format!("{what} ({lang})"),
                    "it is empty; write it or leave it out",
                ));
            }
            if chars > max_chars {
                let reason = format!("it has {chars} characters and may have {max_chars}; shorten it");
                return Err(CatalogError::invalid(format!("{what} ({lang})"), reason));
            }
        }
        Ok(())
    }
}

fn check_lang(lang: &str) -> Result<()> {
    let mut parts = lang.split('-');
    let primary =
        parts.next().is_some_and(|p| matches!(p.len(), 2..=3) && p.bytes().all(|b| b.is_ascii_lowercase()));
    if primary && parts.all(|p| matches!(p.len(), 1..=8) && p.bytes().all(|b| b.is_ascii_alphanumeric())) {
        return Ok(());
    }
    Err(CatalogError::invalid(format!("language `{lang}`"), "it is a language tag such as zh or en (BCP 47)"))
}

impl TryFrom<BTreeMap<String, String>> for LocalText {
    type Error = CatalogError;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self> {
        texts.keys().try_for_each(|lang| check_lang(lang))?;
        Ok(Self(texts))
    }
}

impl From<LocalText> for BTreeMap<String, String> {
    fn from(text: LocalText) -> Self {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_then_chinese_then_any() {
        let mut text = LocalText::default();
        assert_eq!(text.best(), "");
        text.insert("fr", "ville");
        assert_eq!(text.best(), "ville");
        text.insert("zh", "城市");
        assert_eq!(text.best(), "城市");
        text.insert("en", "city");
        assert_eq!(text.best(), "city");
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let mut text = LocalText::default();
        text.insert("zh", "城".repeat(50));
        assert!(text.check("name", 50).is_ok());
        assert!(text.check("name", 49).unwrap_err().to_string().contains("50 characters"));
        assert!(serde_json::from_str::<LocalText>(r#"{"Chinese":"x"}"#).is_err());
    }
}
