//! Names that exist, the nearest to a mistyped one first.

/// Names told; a longer list is not read.
const TOLD: usize = 12;

/// `names`, the nearest to `typed` first, those equally near in their order.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|name| strsim::damerau_levenshtein(typed, name));
    names
}

/// `names` in a sentence; the `rules` command that lists those left out.
pub fn listed(names: &[&str], command: &str) -> String {
    let told: Vec<String> = names.iter().take(TOLD).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(TOLD) {
        0 => told.join(", "),
        more => format!("{} and {more} more (esp-tcpwatch rules {command})", told.join(", ")),
    }
}
