//! The causal chain: what happened, one numbered step after the other, each citing its frames.
//!
//! Knows the roles that the detectors give to frames and what each means for a person who has never read RFC 9293.
//! A role it does not know is told as it stands.

use core::net::SocketAddr;

use super::{
    episode::Episode,
    page::{Text, text},
    safe::shown,
    words::{after, flags, is_opening, span},
};
use crate::analysis::{detect::EvidenceSegment, time::Timestamp};
use crate::text::counted;

/// Steps told one by one; a chain is summarised long before.
const STEPS: usize = 12;

/// The steps of `episode`.
pub fn steps(episode: &Episode) -> Vec<Text> {
    let rows: Vec<&EvidenceSegment> = episode.rows.iter().collect();
    let Some(first) = rows.first() else { return without_frames(episode) };
    let told = Told { episode, origin: first.epoch };
    // The first refusal is told step by step up to the second SYN; what follows repeats it.
    let repeats = repetition(&rows);
    let mut steps: Vec<Text> = rows[..repeats].iter().take(STEPS).map(|row| told.step(row)).collect();
    if repeats > STEPS {
        steps.push(text!("({} more frames before the first repetition are left out.)", repeats - STEPS));
    }
    if repeats < rows.len() {
        steps.push(told.repetition(&rows[repeats..]));
    }
    steps.extend(told.acceptance(&rows));
    steps
}

/// Where the second SYN of the chain stands.
fn repetition(rows: &[&EvidenceSegment]) -> usize {
    let mut openings = (0..rows.len()).filter(|&at| is_opening(rows[at]));
    let first = openings.next();
    match (first, openings.next()) {
        // A first SYN at the very start may be the old connection's own: then the second one is the news.
        (Some(0), Some(second))
            if rows[0].role != "client opens again" && rows[second].role == "client opens again" =>
        {
            openings.next().unwrap_or(rows.len())
        }
        (_, Some(second)) => second,
        (_, None) => rows.len(),
    }
}

/// What the detectors said, where they cite no decoded frames.
fn without_frames(episode: &Episode) -> Vec<Text> {
    episode.rules.values().map(|tally| Text::plain(shown(&tally.text, 900))).collect()
}

struct Told<'a> {
    episode: &'a Episode,
    origin: Timestamp,
}

impl Told<'_> {
    fn step(&self, row: &EvidenceSegment) -> Text {
        let Episode { client, server, device, .. } = self.episode;
        let words = match row.role.as_ref() {
            "request" => {
                let old = self.episode.row("client opens again").map_or("", |_| "on the old connection ");
                text!("{}the client {} sends its request ({}).", old, client, octets(row))
            }
            "device closes first" => text!(
                "**the device closes first**: {} sends the first FIN. In TCP the side that closes first must remember \
                 the connection afterwards.",
                device
            ),
            "client ACKs the FIN" => text!("the client acknowledges the FIN."),
            "client closes" => text!("the client closes its direction as well (FIN)."),
            "device ACKs: TIME-WAIT begins" => text!(
                "the device acknowledges that FIN (seq {}, ack {}). Both sides are done, and **TIME-WAIT begins on the \
                 device**: for two maximum segment lifetimes (2·MSL) it keeps {} reserved.",
                row.seq,
                row.ack.unwrap_or_default(),
                pair(*client, *server)
            ),
            "client opens again" => self.opens_again(row),
            "stale ACK" | "same stale ACK" => self.stale_ack(row),
            "client resets" => text!(
                "the client cannot use that ACK and says so: RST with seq {}, exactly the number the device asked for. \
                 It tells the device to forget the old connection.",
                row.seq
            ),
            "SYN again" => text!("the client sends its SYN again (seq {}).", row.seq),
            "SYN-ACK" => text!("the device answers with SYN-ACK: the new connection is accepted."),
            _ => self.unknown(row),
        };
        text!("**Frame {}** ({} s): {}", row.frame, after(row.epoch, self.origin), words)
    }

    fn opens_again(&self, row: &EvidenceSegment) -> Text {
        let since = self.episode.row("device ACKs: TIME-WAIT begins").map_or(String::new(), |began| {
            format!("{} after TIME-WAIT began, ", span(row.epoch.since(began.epoch).as_secs_f64()))
        });
        text!(
            "{}**the client opens a new connection from the same port** {}: SYN with a new sequence number, {}.",
            since,
            self.episode.client.port(),
            row.seq
        )
    }

    fn stale_ack(&self, row: &EvidenceSegment) -> Text {
        let proof = match self.episode.row("device ACKs: TIME-WAIT begins") {
            Some(old) if old.seq == row.seq && old.ack == row.ack => {
                format!(", the numbers of frame {} over again", old.frame)
            }
            Some(_) | None => String::new(),
        };
        text!(
            "**the device answers with a stale ACK instead of SYN-ACK**: seq {}, ack {}{}. They belong to the old \
             connection and acknowledge nothing of the new one.",
            row.seq,
            row.ack.unwrap_or_default(),
            proof
        )
    }

    fn unknown(&self, row: &EvidenceSegment) -> Text {
        let who = if row.from_client { "the client" } else { "the device" };
        let role = if row.role.is_empty() { String::new() } else { format!(" ({})", shown(&row.role, 300)) };
        let ack = row.ack.map_or(String::new(), |ack| format!(", ack {ack}"));
        let length = if row.len > 0 { format!(", {}", octets(row)) } else { String::new() };
        text!("{} sends {}{}: seq {}{}{}.", who, shown(&flags(&row.flags), 60), role, row.seq, ack, length)
    }

    /// Everything from the second SYN on, in one step.
    fn repetition(&self, rows: &[&EvidenceSegment]) -> Text {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Text::default() };
        let frames = if first.frame == last.frame {
            format!("Frame {}", first.frame)
        } else {
            format!("Frames {} to {}", first.frame, last.frame)
        };
        let refused = self.episode.count("time-wait-collision");
        let ignored = self.episode.count("ignored-rst");
        let what = match (refused > 1, ignored) {
            (false, _) => text!(
                "the exchange goes on, {} more.",
                counted(rows.len() as u64 + self.episode.rows.omitted, "segment")
            ),
            (true, 0) => text!(
                "the client repeats its SYN and the device repeats its stale ACK, {} in all.",
                counted(refused, "refused SYN")
            ),
            (true, _) => text!(
                "the client repeats its SYN and the device repeats its stale ACK, {} in all. **The RSTs change \
                 nothing**: {} had no effect, because the next SYN met the same stale ACK.",
                counted(refused, "refused SYN"),
                counted(ignored, "RST")
            ),
        };
        let (from, to) = (after(first.epoch, self.origin), after(last.epoch, self.origin));
        text!("**{}** ({} to {} s): {}", frames, from, to, what)
    }

    /// How it ended, where that is known.
    fn acceptance(&self, rows: &[&EvidenceSegment]) -> Option<Text> {
        let established = self.episode.established?;
        let since = if rows.iter().any(|row| is_opening(row)) {
            format!(", {} after its first SYN", span(self.episode.waited_s()))
        } else {
            String::new()
        };
        Some(text!(
            "At last ({} s): the connection is established{}.",
            after(established, self.origin),
            since
        ))
    }
}

fn octets(row: &EvidenceSegment) -> String {
    counted(u64::from(row.len), "octet")
}

/// Both ends, as text.
pub fn pair(client: SocketAddr, server: SocketAddr) -> String {
    format!("{client} → {server}")
}
