//! A page as Markdown, as GitHub reads it.
//!
//! Knows GitHub's syntax and how long an issue may be. Never longer than that: a section that does not fit gives way to a
//! sentence that says what was in it, the longest first; nothing is cut in two.

use super::{
    page::{Align, Block, Page, Section, Style, Table, Text},
    safe,
};
use crate::text::escape;

/// Characters that a GitHub issue may hold, less some room for what its author adds.
const LIMIT: usize = 65_536 - 4_096;

/// Renders `page` in less than 65,536 characters.
pub fn render(page: &Page) -> String {
    fitted(page, LIMIT)
}

fn fitted(page: &Page, limit: usize) -> String {
    let mut parts = vec![format!("# {}\n", safe::markdown(&page.title, true))];
    parts.extend(page.sections.iter().map(section));
    let length = |part: &String| part.chars().count() + 1;
    let mut total: usize = parts.iter().map(length).sum();
    let mut whole: Vec<usize> =
        (1..parts.len()).filter(|&at| page.sections[at - 1].brief.is_some()).collect();
    whole.sort_by_key(|&at| length(&parts[at]));
    while total > limit
        && let Some(at) = whole.pop()
    {
        let in_its_place = left_out(&page.sections[at - 1]);
        total = total - length(&parts[at]) + length(&in_its_place);
        parts[at] = in_its_place;
    }
    parts.join("\n")
}

fn left_out(whole: &Section) -> String {
    let what = whole.brief.as_deref().unwrap_or_default();
    let said = format!(
        "Left out here, to fit into an issue of 65,536 characters: {what}. The HTML and the JSON report have it."
    );
    section(&Section { blocks: vec![Block::Paragraph(Text::plain(said))], ..whole.clone() })
}

fn section(section: &Section) -> String {
    let mut out = String::new();
    if !section.heading.is_empty() {
        let marks = "#".repeat(usize::from(section.level));
        out.push_str(&format!("{marks} {}\n\n", safe::markdown(&section.heading, true)));
    }
    out.push_str(&blocks(&section.blocks));
    out
}

fn blocks(blocks: &[Block]) -> String {
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => line(text) + "\n",
        Block::Bullets(items) => items.iter().map(|item| format!("- {}\n", line(item))).collect(),
        Block::Steps(items) => {
            items.iter().enumerate().map(|(at, item)| format!("{}. {}\n", at + 1, line(item))).collect()
        }
        Block::Boxes(items) => items.iter().map(|item| format!("- [ ] {}\n", line(item))).collect(),
        Block::Table(table) => self::table(table),
        Block::Code { language, text } => fenced(language, text),
        Block::Mermaid(text) => fenced("mermaid", text),
        Block::Details { summary, blocks } => format!(
            "<details>\n<summary>{}</summary>\n\n{}\n</details>\n",
            safe::html(summary),
            self::blocks(blocks)
        ),
    }
}

fn table(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| safe::markdown(name, false)).collect();
    let rules: Vec<&str> = table
        .columns
        .iter()
        .map(|(_, align)| match align {
            Align::Left => "---",
            Align::Right => "---:",
        })
        .collect();
    let mut out = format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(line).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// In a fence that no line of the text can close.
fn fenced(language: &str, text: &str) -> String {
    let lines: Vec<_> = text.lines().map(escape).collect();
    let longest = lines.iter().map(|line| line.chars().take_while(|c| *c == '`').count()).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn line(text: &Text) -> String {
    let mut out = String::new();
    for (style, words) in &text.0 {
        let words = one_line(words);
        let (mark, shown) = match style {
            Style::Plain => ("", safe::markdown(&words, out.is_empty())),
            Style::Strong => ("**", safe::markdown(&words, false)),
            Style::Emphasis => ("*", safe::markdown(&words, false)),
            Style::Code => ("", safe::code(&words)),
            Style::Blank => ("**", safe::markdown(&format!("[TO FILL IN: {words}]"), false)),
            Style::Link => ("", format!("<{words}>")),
        };
        // Stars mean nothing beside a blank.
        let inner = if mark.is_empty() { &shown } else { shown.trim() };
        let lead = &shown[..shown.len() - shown.trim_start().len()];
        let trail = &shown[shown.trim_end().len()..];
        match (mark, inner.is_empty()) {
            ("", _) | (_, true) => out.push_str(&shown),
            (mark, false) => out.push_str(&format!("{lead}{mark}{inner}{mark}{trail}")),
        }
    }
    out
}

/// White space, and a line's end with it, is one blank.
fn one_line(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            c if !c.is_whitespace() => out.push(c),
            _ if out.ends_with(' ') => {}
            _ => out.push(' '),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::page::text, *};

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_says_what_it_was() {
        let long = |length: usize| vec![Block::Paragraph(Text::plain("ж".repeat(length)))];
        let page = Page {
            title: "Title".to_owned(),
            sections: vec![
                Section::new("Kept", long(20)),
                Section::new("Short", long(50)).or("a short list"),
                Section::new("Long", long(700)).or("a long list"),
                Section::new("Longer", long(800)).or("a longer list"),
            ],
        };
        let text = fitted(&page, 500);
        assert!(text.starts_with("# Title\n\n## Kept\n\nж"), "{text}");
        for gone in [
            "## Long\n\nLeft out here, to fit into an issue of 65,536 characters: a long list.",
            "a longer list",
        ] {
            assert!(text.contains(gone), "{text}");
        }
        assert!(!text.contains("a short list"), "{text}");
        assert!(text.chars().count() < 700);
    }

    #[test]
    fn spans_are_marked_where_markdown_sees_it() {
        assert_eq!(
            line(&text!("**{} **and `{}`, *so*", "two", "a|b")),
            "**two** and <code>a\\|b</code>, *so*"
        );
        assert_eq!(line(&Text::blank("your board")), "**\\[TO FILL IN: your board\\]**");
        assert_eq!(line(&Text::plain("a\nb  c")), "a b c");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("text", "```\nx"), "````text\n```\nx\n````\n");
    }
}
