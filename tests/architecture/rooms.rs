//! Who may name whom: the table of `docs/architecture.md`, and what a file makes of it.

use std::collections::BTreeMap;

use super::{
    Complaint,
    mentions::{Mention, Named, mentions, module_of},
};

/// The table: a room, and the rooms it may name. `analysis` as a target stands for every room of analysis.
pub type Table = BTreeMap<String, Vec<String>>;

/// Reads the table under the heading "Who may name whom": names are the words in backticks.
pub fn table(page: &str) -> Table {
    let names = |cell: &str| -> Vec<String> {
        let odd = cell.split('`').skip(1).step_by(2);
        odd.map(str::to_owned).collect()
    };
    let section = page.split("\n## ").find(|part| part.starts_with("Who may name whom")).unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|line| line.split_once('|'));
    rows.map(|(room, others)| (room.trim().trim_matches('`').to_owned(), names(others))).collect()
}

/// The room that a file stands in.
pub fn room_of(file: &str) -> String {
    match file {
        "main.rs" => "main".to_owned(),
        "lib.rs" => "lib".to_owned(),
        _ => room_at(&module_of(file)),
    }
}

/// The room that a path leads to; `lib` for the crate's root itself.
fn room_at(path: &[String]) -> String {
    let named = |at: usize| path.get(at).map(String::as_str).filter(|name| *name != "*");
    match (named(0), named(1)) {
        (Some("analysis"), Some(inner)) => format!("analysis::{inner}"),
        (Some(room), _) => room.to_owned(),
        (None, _) => "lib".to_owned(),
    }
}

/// Complaints about what one file of `src/` names.
pub fn check(table: &Table, file: &str, text: &str) -> Vec<Complaint> {
    let room = room_of(file);
    let complain = |line, rule| Complaint::new(file, line, rule);
    let named = mentions(file, text);
    if matches!(room.as_str(), "lib" | "analysis") {
        // A name handed on from here would be a back door around the table.
        let imports = named.iter().filter(|mention| mention.imported);
        return imports
            .map(|mention| complain(mention.line, format!("{file} declares rooms and hands on no names")))
            .collect();
    }
    let Some(allowed) = table.get(&room) else {
        return vec![complain(1, format!("room `{room}` has no row in the table"))];
    };
    let mut complaints: Vec<Complaint> =
        named.iter().filter_map(|mention| judge(table, &room, allowed, mention, &complain)).collect();
    complaints.dedup();
    complaints
}

fn judge(
    table: &Table,
    room: &str,
    allowed: &[String],
    mention: &Mention,
    complain: &dyn Fn(usize, String) -> Complaint,
) -> Option<Complaint> {
    let Named::Ours(path) = &mention.path else { return None };
    let target = room_at(path);
    let shown = path.join("::");
    // `crate::…` in main.rs is main.rs itself, and it declares nothing.
    if target == room {
        return None;
    }
    let may = |name: &str| allowed.iter().any(|room| room == name);
    let known = table.contains_key(&target) || target == "analysis";
    let why = match target.as_str() {
        "lib" => "names the whole house at once".to_owned(),
        "analysis" if may("analysis") => return None,
        "analysis" => "names the whole of analysis at once".to_owned(),
        _ if !known => format!("names `crate::{shown}`, which is in no room of the table"),
        inner if may(inner) || (inner.starts_with("analysis::") && may("analysis")) => return None,
        _ => format!("names `{target}` (crate::{shown})"),
    };
    let list = if allowed.is_empty() { "no other room".to_owned() } else { allowed.join(", ") };
    Some(complain(mention.line, format!("`{room}` {why}; it may name {list}")))
}
