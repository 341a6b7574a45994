//! `docs/dependencies.md` names every crate that `Cargo.toml` names, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The keys of each table called `dependencies` or `dev-dependencies`, at any depth.
fn named(manifest: &toml::Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if matches!(key.as_str(), "dependencies" | "dev-dependencies" | "build-dependencies") {
            names.extend(table.keys().cloned());
        } else {
            names.extend(named(table));
        }
    }
    names
}

/// The first cell of each row, where it is a name.
fn told(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_crate_has_a_reason() {
    let named = named(&read("Cargo.toml").parse().unwrap());
    let told = told(&read("docs/dependencies.md"));
    assert!(named.len() > 20, "{named:?}");
    let silent: Vec<_> = named.difference(&told).collect();
    assert!(silent.is_empty(), "docs/dependencies.md must say why these are here: {silent:?}");
    let gone: Vec<_> = told.difference(&named).collect();
    assert!(gone.is_empty(), "docs/dependencies.md tells of crates that Cargo.toml does not name: {gone:?}");
}

#[test]
fn a_crate_without_a_reason_is_noticed() {
    let manifest = "[dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nb = \"1\"\n[dev-dependencies]\nc = \"1\"\n";
    let names: Vec<_> = named(&manifest.parse().unwrap()).into_iter().collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(told("| crate | why |\n| --- | --- |\n| `a` | for b |\n").len(), 1);
}
