//! What the fuzz targets found and kept, once more: every input of `fuzz/corpus`, through the very functions that the
//! targets call. Needs no fuzzer.
#![cfg(all(feature = "live", feature = "tui", feature = "control"))]

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use bodies::TARGETS;

#[global_allocator]
static ALLOCATOR: bodies::memory::Counting = bodies::memory::Counting;

/// Octets that the whole corpus may have.
const LARGEST: u64 = 2 << 20;
/// The targets of `fuzz/c`, which `make corpus` calls.
const IN_C: [&str; 4] = ["control", "control_request", "hmac", "json_read"];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn names(folder: &str) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    listed(&fuzz().join(folder)).into_iter().map(stem).collect()
}

/// The targets are run one after the other, on a thread as small as the program's own.
#[test]
fn every_input_of_the_corpus_is_taken() {
    let mut inputs = 0;
    for (name, _) in TARGETS {
        let files = listed(&fuzz().join("corpus").join(name));
        assert!(!files.is_empty(), "{name} has no input");
        for file in files {
            let data = fs::read(&file).unwrap();
            assert!(
                catch_unwind(|| bodies::run(name, &data)).is_ok(),
                "{} makes it fail, see above",
                file.display()
            );
            inputs += 1;
        }
    }
    println!("{inputs} inputs of {} targets", TARGETS.len());
}

#[test]
fn every_target_has_a_body_a_file_and_a_corpus() {
    let bodies: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("targets"), bodies);
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap();
    let bins: BTreeSet<String> = bins.iter().map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bins, bodies);
    let all: BTreeSet<String> = bodies.into_iter().chain(IN_C.map(str::to_owned)).collect();
    assert_eq!(names("corpus"), all);
    for name in &all {
        if let Ok(text) = fs::read_to_string(fuzz().join(format!("targets/{name}.rs"))) {
            assert!(text.contains(&format!("target!(\"{name}\")")), "{name} runs another body");
        }
    }
}

#[test]
fn the_corpus_is_small() {
    let files = TARGETS.iter().map(|(name, _)| *name).chain(IN_C);
    let files = files.flat_map(|name| listed(&fuzz().join("corpus").join(name)));
    let octets: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(octets < LARGEST, "{octets} octets; see docs/fuzzing.md for how to make it small");
}
