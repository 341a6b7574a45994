//! A change of remedies: what was asked for in words, and the text that is signed for it.
//!
//! Knows the names of modes and remedies. Which values a remedy may have is the device's to judge: a later firmware may
//! take more.

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::protocol::{MODES, REMEDIES, VERSION};

/// The longest value, in characters.
const VALUE_MAX: usize = 20;

/// At most one mode, and single remedies that go over it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    mode: Option<&'static str>,
    remedies: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeError {
    #[error("`{0}` is no mode and no REMEDY=VALUE; the modes are {modes}", modes = MODES.map(|(name, _)| name).join(", "))]
    Word(String),
    #[error("there is no remedy `{0}`; there are {remedies}", remedies = REMEDIES.join(", "))]
    Remedy(String),
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error(
        "the value of {0} is a number or a word of at most {VALUE_MAX} characters of a to z, 0 to 9 and -"
    )]
    Value(&'static str),
}

impl Change {
    /// From the words `fixed`, `msl_ms=3000`, …
    ///
    /// # Errors
    /// [`ChangeError`] for the first word that means nothing.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Change, ChangeError> {
        let mut change = Change::default();
        for word in words {
            change.take(word.as_ref())?;
        }
        Ok(change)
    }

    pub fn is_empty(&self) -> bool {
        self.mode.is_none() && self.remedies.is_empty()
    }

    /// `fixed, msl_ms=3000`
    pub fn in_words(&self) -> String {
        let mode = self.mode.iter().map(|mode| (*mode).to_owned());
        let remedies = self.remedies.iter().map(|(name, value)| format!("{name}={value}"));
        mode.chain(remedies).collect::<Vec<_>>().join(", ")
    }

    /// The request without its last brace: what is signed, and what the signature then closes.
    pub(super) fn text(&self, id: u32, nonce: &str) -> String {
        let mut set = Map::new();
        if let Some(mode) = self.mode {
            set.insert("mode".to_owned(), mode.into());
        }
        for (name, value) in &self.remedies {
            let value = value.parse::<u32>().map_or_else(|_| Value::from(value.as_str()), Value::from);
            set.insert((*name).to_owned(), value);
        }
        let mut text = json!({ "v": VERSION, "id": id, "op": "set", "nonce": nonce, "set": set }).to_string();
        text.pop();
        text
    }

    fn take(&mut self, word: &str) -> Result<(), ChangeError> {
        let Some((name, value)) = word.split_once('=') else {
            let mode = MODES.iter().map(|(name, _)| *name).find(|mode| *mode == word);
            let mode = mode.ok_or_else(|| ChangeError::Word(word.to_owned()))?;
            return match self.mode.replace(mode) {
                None => Ok(()),
                Some(_) => Err(ChangeError::Twice("a mode".to_owned())),
            };
        };
        let known = REMEDIES.iter().find(|known| **known == name);
        let name = *known.ok_or_else(|| ChangeError::Remedy(name.to_owned()))?;
        if self.remedies.iter().any(|(given, _)| *given == name) {
            return Err(ChangeError::Twice(name.to_owned()));
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if value.is_empty() || value.len() > VALUE_MAX || !value.chars().all(is_plain) {
            return Err(ChangeError::Value(name));
        }
        self.remedies.push((name, value.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_request_that_lacks_its_last_brace() {
        let change = Change::from_words(&["fixed", "msl_ms=3000", "close=keep-alive"]).unwrap();
        assert_eq!(change.in_words(), "fixed, msl_ms=3000, close=keep-alive");
        let whole: Value = serde_json::from_str(&(change.text(7, "00ff") + "}")).unwrap();
        assert_eq!(
            whole,
            json!({ "v": 1, "id": 7, "op": "set", "nonce": "00ff",
                    "set": { "mode": "fixed", "msl_ms": 3000, "close": "keep-alive" } })
        );
        assert!(Change::from_words::<&str>(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_word_that_means_nothing_is_told_with_those_that_do() {
        for (words, told) in [
            (&["fixd"][..], "the modes are unfixed, fixed, fixed-app, fixed-all"),
            (&["fixed", "unfixed"], "`a mode` is given twice"),
            (&["msl=3000"], "there are msl_ms, rst_in_time_wait"),
            (&["msl_ms=1", "msl_ms=2"], "`msl_ms` is given twice"),
            (&["close="], "the value of close"),
            (&["close=\u{1b}[2J"], "the value of close"),
            (&["close=a-very-long-word-indeed"], "at most 20 characters"),
        ] {
            let error = Change::from_words(words).unwrap_err().to_string();
            assert!(error.contains(told), "{words:?}: {error}");
        }
    }
}
