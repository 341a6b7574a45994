//! A condition of a user's own rule (CEL): the kind of event that it is about, and its text.

use esp_tcpwatch::analysis::rule::own::{Condition, Kind, sample::Sample};

use super::octets::Octets;

pub fn run(data: &[u8]) {
    let mut octets = Octets(data);
    let kind = Kind::ALL[usize::from(octets.u8()) % Kind::ALL.len()];
    let Ok(source) = core::str::from_utf8(octets.0) else { return };
    match Condition::read(kind, source) {
        Ok(condition) => {
            let sample = Sample::new(kind);
            let holds = condition.holds(sample.heard());
            assert!(holds.is_ok(), "it was tried on this very sample: {holds:?}");
            assert_eq!(holds, condition.holds(sample.heard()));
            for (name, value) in condition.read_of(sample.heard()) {
                assert!(value.is_some(), "the sample has every field, and {name} is none");
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in faults {
                assert!(fault.at <= source.len(), "{fault:?}");
            }
        }
    }
}
