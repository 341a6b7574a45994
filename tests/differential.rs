//! tshark reads the same captures, and knows nothing of this project: where the two do not say the same of a segment,
//! docs/differences.md says why, and the tests here hold it to that.
//!
//! `needs_tshark_…`: these need tshark (Debian: apt-get install tshark).

#[path = "differential/mod.rs"]
mod differential;
mod support;

use std::path::{Path, PathBuf};

use differential::difference::{Difference, Ground};
use differential::witnesses::{self, Witness};
use differential::{Compared, compare, tshark};
use support::not_run;

const NO_TSHARK: &str = "there is no tshark (Debian: apt-get install tshark)";

/// Every capture in `folder`, by name.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let is_capture = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(".pcap")
    };
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_capture).collect();
    all.sort();
    all
}

/// All of `captures`, judged together.
fn compare_all(captures: &[PathBuf]) -> Compared {
    let mut all = Compared::default();
    for capture in captures {
        all.add(compare(capture));
    }
    println!(
        "{} captures, {} segments, {} streams, {} octets\nboth: {:?}\nmet: {:?}",
        captures.len(),
        all.segments,
        all.streams,
        all.octets,
        all.agreed,
        all.met.iter().map(|(difference, frames)| (difference, frames.len())).collect::<Vec<_>>()
    );
    assert!(
        all.faults.is_empty(),
        "{} differences are not explained:\n{}",
        all.faults.len(),
        all.faults.join("\n")
    );
    all
}

/// Every difference is shown by a trace that expects it, where it expects it and nowhere else.
#[test]
fn needs_tshark_each_difference_is_met_where_it_is_expected() {
    if !tshark::is_here() {
        return not_run("needs_tshark_each_difference_is_met_where_it_is_expected", NO_TSHARK);
    }
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("witnesses.pcap");
    let witnesses = witnesses::write(&capture);
    let compared = compare_all(&[capture]);
    let mut shown = Vec::new();
    for Witness { name, frames, expected } in witnesses {
        let met: Vec<&str> = Difference::ALL
            .into_iter()
            .filter(|difference| {
                compared.met.get(difference).is_some_and(|met| met.iter().any(|frame| frames.contains(frame)))
            })
            .map(Difference::name)
            .collect();
        assert_eq!(met, expected, "{name}");
        shown.extend(met);
    }
    for difference in Difference::ALL {
        assert!(shown.contains(&difference.name()), "no trace shows {difference:?}");
    }
    for ground in Ground::ALL {
        assert!(compared.agreed.contains_key(&ground), "no trace has both say {ground:?}");
    }
}

/// docs/differences.md has a section for each difference and for nothing else.
#[test]
fn every_difference_is_explained() {
    let page = std::fs::read_to_string("docs/differences.md").unwrap();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, Difference::ALL.map(Difference::name));
}

#[test]
fn needs_tshark_both_read_our_captures_alike() {
    if !tshark::is_here() {
        return not_run("needs_tshark_both_read_our_captures_alike", NO_TSHARK);
    }
    compare_all(&captures(Path::new("tests/captures")));
}

/// `ESP_TCPWATCH_CAPTURES=FOLDER`: captures of somebody else's.
#[test]
#[ignore = "needs captures: ESP_TCPWATCH_CAPTURES=FOLDER"]
fn needs_tshark_both_read_other_captures_alike() {
    let folder =
        std::env::var("ESP_TCPWATCH_CAPTURES").expect("ESP_TCPWATCH_CAPTURES names a folder of captures");
    compare_all(&captures(Path::new(&folder)));
}
