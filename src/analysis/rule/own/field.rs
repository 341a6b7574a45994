//! What a field of an event is: its name, its type, what it may hold, and how it is read.

use core::fmt::{self, Write};
use core::net::{IpAddr, SocketAddr};

use super::heard::Heard;
use crate::analysis::{detect::REGISTRY, input::FrameNo};

/// A type of CEL, as far as conditions know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int,
    Double,
    Text,
    /// A list of ints, or of doubles: they compare with each other.
    Numbers,
    Texts,
}

impl Type {
    /// In a sentence.
    pub fn with_article(self) -> String {
        let article = if self == Type::Int { "an" } else { "a" };
        format!("{article} {self}")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Double => "double",
            Type::Text => "string",
            Type::Numbers => "list of numbers",
            Type::Texts => "list of strings",
        })
    }
}

/// What a text can be. To compare it with anything else is never true, and refused when the rule is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    Any,
    OneOf(&'static [&'static str]),
    /// The id of a built-in rule.
    RuleId,
    Address,
}

impl Words {
    /// The words that are meant, where they can be listed.
    pub fn listed(self) -> Vec<&'static str> {
        match self {
            Words::Any | Words::Address => Vec::new(),
            Words::OneOf(words) => words.to_vec(),
            Words::RuleId => REGISTRY.iter().map(|detector| detector.id).collect(),
        }
    }

    pub fn allow(self, text: &str) -> bool {
        match self {
            Words::Any => true,
            Words::OneOf(_) | Words::RuleId => self.listed().contains(&text),
            Words::Address => text.parse::<IpAddr>().is_ok_and(|address| address.to_string() == text),
        }
    }
}

/// A field of one kind of event.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Type,
    pub unit: &'static str,
    pub words: Words,
    /// It may be absent; then the condition is false.
    pub is_optional: bool,
    pub what: &'static str,
    pub get: for<'a> fn(Heard<'a>) -> Option<Datum<'a>>,
}

impl Field {
    pub(super) const fn new(
        name: &'static str,
        kind: Type,
        what: &'static str,
        get: for<'a> fn(Heard<'a>) -> Option<Datum<'a>>,
    ) -> Field {
        Field { name, kind, unit: "", words: Words::Any, is_optional: false, what, get }
    }

    pub(super) const fn unit(self, unit: &'static str) -> Field {
        Field { unit, ..self }
    }

    pub(super) const fn words(self, words: Words) -> Field {
        Field { words, ..self }
    }

    pub(super) const fn optional(self) -> Field {
        Field { is_optional: true, ..self }
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'a> {
    Text(&'a str),
    Word(&'static str),
    Address(IpAddr),
    Socket(SocketAddr),
    Int(i64),
    Double(f64),
    Frames(&'a [FrameNo]),
}

impl Datum<'_> {
    pub(super) fn count(number: u64) -> Datum<'static> {
        Datum::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// As a number, for the quantities of a finding.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Datum::Int(number) => Some(number as f64),
            Datum::Double(number) => Some(number),
            Datum::Text(_) | Datum::Word(_) | Datum::Address(_) | Datum::Socket(_) | Datum::Frames(_) => None,
        }
    }
}

/// As it would be written in a condition.
impl fmt::Display for Datum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Text(text) => write!(f, "{text:?}"),
            Datum::Word(word) => write!(f, "{word:?}"),
            Datum::Address(address) => write!(f, "\"{address}\""),
            Datum::Socket(socket) => write!(f, "\"{socket}\""),
            Datum::Int(number) => write!(f, "{number}"),
            Datum::Double(number) => write!(f, "{number:?}"),
            Datum::Frames(frames) => {
                f.write_char('[')?;
                for (index, frame) in frames.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{frame}")?;
                }
                f.write_char(']')
            }
        }
    }
}
