//! The results of an experiment, as `--resume` reads them.

use esp_tcpwatch::experiment::{
    compare::compare,
    section::section,
    store::{Line, SCHEMA, parse},
};

/// Blocks whose comparison is quick enough to be tried thousands of times.
const BLOCKS: usize = 64;

pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let stored = match parse(text) {
        Ok(Some(stored)) => stored,
        Ok(None) => return,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(stored.whole <= text.len() && text[..stored.whole].ends_with('\n'));
    assert!(stored.blocks.iter().all(|block| block.turn < stored.next_turn || block.turn == u64::MAX));
    if let Some(next) = stored.next_slot() {
        assert!(next < stored.spec.blocks() && stored.of_slot(next).is_none());
    }
    // What would be written of it is read as the same.
    let head = Line::Experiment { schema: SCHEMA, tool: String::new(), spec: stored.spec.clone() };
    let mut written = head.text().expect("plain data");
    for block in &stored.blocks {
        written += &Line::Block(Box::new(block.clone())).text().expect("plain data");
    }
    let again = parse(&written).expect("it was written by us").expect("and has a line");
    assert_eq!((&again.spec, &again.blocks), (&stored.spec, &stored.blocks));
    if stored.blocks.len() <= BLOCKS && stored.spec.blocks() <= BLOCKS {
        let compared = compare(&stored);
        assert_eq!(compared, compare(&stored));
        let section = section(&stored, &compared);
        assert!(section.rows.iter().all(|row| row.len() == section.head.len()));
        assert!(!section.text().is_empty());
        serde_json::to_string(&section).expect("plain data");
    }
}
