//! What a list shows, and in which order: the filter's words, and the column that flows are sorted by.
//!
//! Knows rows as texts and columns. Refuses to keep rows and to draw them.

use core::cmp::Ordering;

use super::watched::{AlertEntry, FlowEntry, FlowKey};

/// The columns that flows can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowColumn {
    /// When it changed last.
    #[default]
    Changed,
    Tuple,
    Client,
    Server,
    Life,
    /// What was sent again.
    Again,
    Bytes,
    /// When this life opened.
    Opened,
    /// How long connect() took.
    Connect,
    Findings,
}

/// A column, and whether its natural order is turned round. Naturally the newest, the longest and the most come first,
/// and names from A on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowOrder {
    pub column: FlowColumn,
    pub reversed: bool,
}

impl FlowColumn {
    pub const fn next(self) -> FlowColumn {
        match self {
            FlowColumn::Changed => FlowColumn::Tuple,
            FlowColumn::Tuple => FlowColumn::Client,
            FlowColumn::Client => FlowColumn::Server,
            FlowColumn::Server => FlowColumn::Life,
            FlowColumn::Life => FlowColumn::Again,
            FlowColumn::Again => FlowColumn::Bytes,
            FlowColumn::Bytes => FlowColumn::Opened,
            FlowColumn::Opened => FlowColumn::Connect,
            FlowColumn::Connect => FlowColumn::Findings,
            FlowColumn::Findings => FlowColumn::Changed,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            FlowColumn::Changed => "last change",
            FlowColumn::Tuple => "addresses",
            FlowColumn::Client => "client's state",
            FlowColumn::Server => "server's state",
            FlowColumn::Life => "life",
            FlowColumn::Again => "segments sent again",
            FlowColumn::Bytes => "octets",
            FlowColumn::Opened => "time opened",
            FlowColumn::Connect => "connect time",
            FlowColumn::Findings => "findings",
        }
    }
}

impl FlowOrder {
    pub fn compare(self, a: (&FlowKey, &FlowEntry), b: (&FlowKey, &FlowEntry)) -> Ordering {
        let ((a_key, a), (b_key, b)) = (a, b);
        let octets = |entry: &FlowEntry| entry.event.client_bytes.saturating_add(entry.event.server_bytes);
        let natural = match self.column {
            FlowColumn::Changed => Ordering::Equal,
            FlowColumn::Tuple => a_key.cmp(b_key),
            FlowColumn::Client => a.event.client_state.cmp(&b.event.client_state),
            FlowColumn::Server => a.event.server_state.cmp(&b.event.server_state),
            FlowColumn::Life => b.event.incarnation.cmp(&a.event.incarnation),
            FlowColumn::Again => b.again.cmp(&a.again),
            FlowColumn::Bytes => octets(b).cmp(&octets(a)),
            FlowColumn::Opened => b.opened.cmp(&a.opened),
            FlowColumn::Connect => b.connected.cmp(&a.connected),
            FlowColumn::Findings => b.findings.cmp(&a.findings),
        };
        // Where the column says nothing, the latest change does: an order that does not dance.
        let ordering = natural.then(b.touched.cmp(&a.touched));
        if self.reversed { ordering.reverse() } else { ordering }
    }
}

/// The words that a row must have, all of them, in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    words: Vec<String>,
}

impl Filter {
    pub fn of(text: &str) -> Filter {
        Filter { words: text.split_whitespace().map(str::to_lowercase).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    pub fn takes_flow(&self, key: &FlowKey, entry: &FlowEntry) -> bool {
        self.takes(|| {
            let (client, server) = key;
            let flow = &entry.event;
            let rule = entry.rule.as_deref().unwrap_or_default();
            format!("{client} {server} {} {} {rule}", flow.client_state, flow.server_state)
        })
    }

    pub fn takes_alert(&self, entry: &AlertEntry) -> bool {
        self.takes(|| {
            let alert = &entry.alert;
            let client = alert.client.map(|client| client.to_string()).unwrap_or_default();
            let mode = alert.mode.as_deref().unwrap_or_default();
            format!(
                "{} {} {} {} {client} {} {mode} {}",
                alert.severity, alert.rule, alert.title, alert.device, alert.server, alert.certainty
            )
        })
    }

    fn takes(&self, text: impl FnOnce() -> String) -> bool {
        if self.is_empty() {
            return true;
        }
        let text = text().to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }
}
