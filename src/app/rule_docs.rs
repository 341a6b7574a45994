//! `rules docs`: a page for every built-in rule, and an index of them, in Markdown.
//!
//! Knows how a page is laid out; all that it says comes from the rule file and from what the detector declares.

use core::cmp::Reverse;
use core::fmt::{self, Write};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{exit, privilege, rule_fields};
use crate::analysis::{
    detect::Spec,
    rule::{GroupBy, Policy, Rule, RuleSet},
};

/// Writes the pages into `dir`, and the list of fields into the page at `fields`.
pub fn run(dir: &Path, fields: Option<&Path>, rules: &RuleSet) -> Result<u8> {
    // What is written belongs to whoever called us.
    privilege::drop_all(privilege::invoker()?)?;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    for (detector, rule) in rules.with_detectors() {
        write(&format!("{}.md", rule.id), page(detector, rule)?)?;
    }
    write("README.md", index(rules)?)?;
    if let Some(path) = fields {
        let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let spliced = rule_fields::splice(&page)?.with_context(|| {
            format!("{} has no part to be generated: its two markers are gone", path.display())
        })?;
        fs::write(path, spliced).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(exit::CLEAN)
}

fn index(rules: &RuleSet) -> Result<String, fmt::Error> {
    let mut text = String::from(
        "<!-- Generated from rules/*.toml by `make rule-docs`; edit those. -->\n\n# The rules\n\n\
         What esp-tcpwatch can tell, the gravest first. `esp-tcpwatch rules show ID` prints the file of a rule, and\n\
         `--rules DIR` puts files of yours in the place of the built-in ones. A rule of a kind of its own needs no Rust\n\
         either: [Writing rules](../writing-rules.md).\n\n\
         | severity | rule | what it says |\n| --- | --- | --- |\n",
    );
    let mut all: Vec<&Rule> = rules.iter().collect();
    all.sort_by_key(|rule| Reverse(rule.severity));
    for rule in all {
        writeln!(
            text,
            "| {} | [{}]({}.md) | {} |",
            rule.severity,
            rule.id,
            rule.id,
            cell(&spelled_out(&rule.title))
        )?;
    }
    text.push_str(OVERRIDES);
    Ok(text)
}

const OVERRIDES: &str = r#"
## Another judgement for one port or one device

A rule file may judge one port, one device, or one port of one device otherwise. The first `[[override]]` that fits a finding
speaks; what it does not set stays as the rule has it. The port is the one that the connection was opened to.

```toml
[[override]]
port = 8080
device = "192.168.1.50"
severity = "notice"
policy.at_least = 3            # any of at_least, within_s, cooldown_s, group_by
parameters.confirm_cycles = 5  # what the rule's page lists under "What can be set"
```

## A test of your own

```toml
[[test]]
name = "what the device did on Monday"
capture = "monday.pcap"      # beside the rule file; or script = """…""", a written trace
fires = 2                    # findings of this rule; or silent = true
```

`esp-tcpwatch rules test DIR` runs it, `esp-tcpwatch rules test --help` shows a written trace.
"#;

fn page(detector: &Spec, rule: &Rule) -> Result<String, fmt::Error> {
    let mut text = format!(
        "<!-- Generated from rules/{id}.toml by `make rule-docs`; edit that file. -->\n\n# {id}\n\n**{}**\n\n\
         Severity: `{}`.\n\n## What it means\n\n{}\n\n## What to do\n\n",
        spelled_out(&rule.title),
        rule.severity,
        spelled_out(rule.why.trim()),
        id = rule.id,
    );
    for (remedy, number) in rule.remedies.iter().zip(1..) {
        writeln!(text, "{number}. {}", spelled_out(&remedy.text))?;
    }
    write!(text, "\n## When it alerts\n\n{}\n\n## What can be set\n\n", in_words(&rule.policy))?;
    if detector.parameters.is_empty() {
        text.push_str("Nothing but severity, words and the policy above.\n");
    } else {
        text.push_str("| `[parameters]` | built in | may be | what it is |\n| --- | ---: | --- | --- |\n");
        for (parameter, value) in detector.parameters.iter().zip(&rule.settings) {
            writeln!(
                text,
                "| `{}` | {value} | {} to {} | {} |",
                parameter.name,
                parameter.least,
                parameter.most,
                cell(parameter.what)
            )?;
        }
    }
    if !rule.references.is_empty() {
        text.push_str("\n## References\n\n");
        for reference in &rule.references {
            writeln!(text, "- {reference}")?;
        }
    }
    write!(
        text,
        "\n## Traces\n\n[What makes it fire and what must not](../../tests/scripts/{}.seg)",
        rule.id
    )?;
    text.push_str(match rule.tests.len() {
        0 => ".\n",
        _ => "; in short, in the rule file itself:\n\n",
    });
    for test in &rule.tests {
        let outcome = match test.fires {
            0 => "silent".to_owned(),
            1 => "fires".to_owned(),
            count => format!("fires {count} times"),
        };
        writeln!(text, "- {}: {outcome}", test.name)?;
    }
    Ok(text)
}

fn in_words(policy: &Policy) -> String {
    let takes = match policy.at_least {
        1 => "One finding is enough.".to_owned(),
        count => format!("It takes {count} findings within {} s.", policy.within_s),
    };
    let shared = match policy.group_by {
        GroupBy::Device => "All findings of one device share an alert",
        GroupBy::Tuple => "All findings of one connection (the same addresses and ports) share an alert",
    };
    format!("{takes} {shared}; it ends after {} s without another.", policy.cooldown_s)
}

/// Which device it will be is not known yet: a placeholder becomes what it stands for.
fn spelled_out(words: &str) -> String {
    let words = words.replace("{count}", "N").replace("{certainty}", "how sure it is");
    let words = ["device", "client", "server"]
        .iter()
        .fold(words, |words, name| words.replace(&format!("{{{name}}}"), &format!("the {name}")));
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn cell(words: &str) -> String {
    words.replace('|', "\\|").replace('\n', " ")
}
