//! What to do about it, ranked for the evidence at hand.
//!
//! A rule file lists its remedies best first. One that names its `kind` is held against what was seen: what would have
//! helped here stays in front, what is in place already or had nothing to work on goes behind, and a sentence says why.

use core::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::analysis::{
    detect::Finding,
    host::{DeviceFacts, RstInTimeWait, SynInTimeWait},
};

/// One remedy, as written: a text, or a table with a text and a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    pub kind: Kind,
    pub text: String,
}

/// What a remedy works on, so that it can be held against the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing that the wire could say more about.
    #[default]
    Advice,
    /// The device never enters TIME-WAIT.
    AvoidTimeWait,
    /// A newer SYN is accepted in TIME-WAIT (RFC 1122 §4.2.2.13).
    AcceptSyn,
    /// A RST with the exact sequence number ends TIME-WAIT.
    HonourRst,
    /// TIME-WAIT is shorter.
    ShortenMsl,
    /// Often advised, and of no use: always last.
    Useless,
}

/// What an alert's findings say about remedies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Refused SYNs that are newer than everything of the old connection, and those that are not.
    newer_syns: u64,
    older_syns: u64,
}

impl Evidence {
    pub fn add(&mut self, finding: &Finding) {
        match finding.quantities.get("syn_is_newer") {
            Some(newer) if *newer > 0.0 => self.newer_syns += 1,
            Some(_) => self.older_syns += 1,
            None => {}
        }
    }
}

/// The texts of `remedies`, best first for `evidence` of `device`.
pub fn ranked(remedies: &[Remedy], evidence: &Evidence, device: Option<&DeviceFacts>) -> Vec<String> {
    let mut ranked: Vec<(Rank, String)> = remedies
        .iter()
        .map(|remedy| {
            let (rank, here) = judged(remedy.kind, evidence, device);
            let text = match here {
                Some(here) => format!("{} {here}", remedy.text),
                None => remedy.text.clone(),
            };
            (rank, text)
        })
        .collect();
    // Stable: within a rank the rule's own order stands.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, text)| text).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Helps,
    /// It would not have helped in what was seen.
    NotHere,
    InPlace,
    Never,
}

fn judged(kind: Kind, evidence: &Evidence, device: Option<&DeviceFacts>) -> (Rank, Option<String>) {
    let Some(facts) = device else {
        return (if kind == Kind::Useless { Rank::Never } else { Rank::Helps }, None);
    };
    match kind {
        Kind::Advice => (Rank::Helps, None),
        Kind::Useless => (Rank::Never, None),
        Kind::AvoidTimeWait => avoid_time_wait(facts),
        Kind::AcceptSyn => accept_syn(evidence, facts),
        Kind::HonourRst => honour_rst(evidence, facts),
        Kind::ShortenMsl => shorten_msl(facts),
    }
}

fn avoid_time_wait(facts: &DeviceFacts) -> (Rank, Option<String>) {
    let here = match facts.time_wait.entered {
        0 => None,
        1 => Some("Here the device closed one connection first.".to_owned()),
        many => Some(format!("Here the device closed {many} connections first.")),
    };
    (Rank::Helps, here)
}

fn accept_syn(evidence: &Evidence, facts: &DeviceFacts) -> (Rank, Option<String>) {
    if facts.syn_in_time_wait == SynInTimeWait::Accepted {
        return (Rank::InPlace, Some("Here the device does so already.".to_owned()));
    }
    let Evidence { newer_syns: newer, older_syns: older } = *evidence;
    let all = newer + older;
    match (newer, older) {
        (0, 0) => (Rank::Helps, None),
        (1, 0) => (
            Rank::Helps,
            Some("Here the refused SYN is newer, and would have been let in at once.".to_owned()),
        ),
        (_, 0) => (
            Rank::Helps,
            Some(format!(
                "Here all {all} refused SYNs are newer, and the first of each attempt would have been let in."
            )),
        ),
        (0, _) => (
            Rank::NotHere,
            Some(
                "Here it would not have helped: no refused SYN is newer than the old connection.".to_owned(),
            ),
        ),
        (_, _) => {
            let here =
                format!("Here it would have let in {newer} of {all} refused SYNs; the others are not newer.");
            (Rank::Helps, Some(here))
        }
    }
}

fn honour_rst(evidence: &Evidence, facts: &DeviceFacts) -> (Rank, Option<String>) {
    match (facts.rst_in_time_wait, facts.time_wait.rsts) {
        (RstInTimeWait::Honoured, _) => {
            (Rank::InPlace, Some("Here the device does so already: a refusal costs milliseconds.".to_owned()))
        }
        // After the first refusal the client's RST is still to come.
        (_, 0) if evidence.newer_syns + evidence.older_syns < 2 => (Rank::Helps, None),
        (_, 0) => {
            (Rank::NotHere, Some("Here no RST of a client was seen that it could have honoured.".to_owned()))
        }
        (_, 1) => (Rank::Helps, Some("Here the client sent such a RST.".to_owned())),
        (_, rsts) => (
            Rank::Helps,
            Some(format!("Here clients sent {rsts} RSTs; the first of each attempt is enough.")),
        ),
    }
}

fn shorten_msl(facts: &DeviceFacts) -> (Rank, Option<String>) {
    /// 2·MSL below this is short already: the test firmware's `fixed` mode has 12 s.
    const SHORT_S: f64 = 15.0;
    match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (Some(least), Some(most)) => {
            let (least, most) = (2.0 * least, 2.0 * most);
            let rank = if most <= SHORT_S { Rank::InPlace } else { Rank::Helps };
            (rank, Some(format!("Here TIME-WAIT lasts between {least:.1} and {most:.1} s.")))
        }
        (Some(least), None) if least >= 0.5 => {
            (Rank::Helps, Some(format!("Here TIME-WAIT lasts at least {:.1} s.", 2.0 * least)))
        }
        (_, _) => (Rank::Helps, None),
    }
}

/// A string, or `{ text = "…", kind = "…" }`; the error names what is wrong with either.
impl<'de> Deserialize<'de> for Remedy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Remedy, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            text: String,
            kind: Kind,
        }
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Remedy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a table with `text` and `kind`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Remedy, E> {
                Ok(Remedy { kind: Kind::Advice, text: text.to_owned() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Remedy, A::Error> {
                let Table { text, kind } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Remedy { kind, text })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
