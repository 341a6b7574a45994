//! The report model. (being written)

use crate::analysis::event::Event;

/// What the report will say; bounded, whatever the length of the stream.
#[derive(Clone, Debug, Default)]
pub struct Report {
    events: u64,
}

impl Report {
    pub fn fold(&mut self, _event: &Event) {
        self.events += 1;
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }
}
