//! A page as one HTML file: no network, no script, light and dark, readable on a phone.
//!
//! Knows HTML's elements. Everything that is not this file's own goes through [`safe::html`](super::safe::html).

use super::{
    page::{Align, Block, Page, Section, Style, Table, Text},
    safe::html,
};

const STYLE: &str = include_str!("style.css");
/// The file asks nobody for anything, even if something were to slip through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What Markdown cannot have: drawn shapes, which are safe to stand in a page as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub heading: &'static str,
    /// What it shows; may be empty.
    pub caption: String,
    pub svg: String,
}

/// Renders `page`; `pictures` stand after the first section.
pub fn render(page: &Page, pictures: &[Picture]) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{}</h1>\n",
        html(POLICY),
        html(&page.title),
        html(&page.title)
    );
    for (at, section) in page.sections.iter().enumerate() {
        self::section(&mut out, section);
        for Picture { heading, caption, svg } in pictures.iter().filter(|_| at == 0) {
            let caption =
                if caption.is_empty() { String::new() } else { format!("<p>{}</p>\n", html(caption)) };
            out.push_str(&format!("<section>\n<h2>{}</h2>\n{caption}{svg}</section>\n", html(heading)));
        }
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn section(out: &mut String, section: &Section) {
    out.push_str("<section>\n");
    if !section.heading.is_empty() {
        let level = section.level;
        out.push_str(&format!("<h{level}>{}</h{level}>\n", html(&section.heading)));
    }
    for block in &section.blocks {
        self::block(out, block);
    }
    out.push_str("</section>\n");
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", line(text))),
        Block::Bullets(items) => list(out, "ul", "", items),
        Block::Steps(items) => list(out, "ol", "", items),
        Block::Boxes(items) => {
            list(out, "ul", " class=\"boxes\"", &items.iter().map(boxed).collect::<Vec<_>>());
        }
        Block::Table(table) => self::table(out, table),
        Block::Code { text, .. } => {
            let lines: Vec<String> = text.lines().map(html).collect();
            out.push_str(&format!("<pre><code>{}\n</code></pre>\n", lines.join("\n")));
        }
        // It takes a script to draw it; the ladder beside it says the same.
        Block::Mermaid(_) => {}
        Block::Details { blocks, .. } if blocks.iter().all(|block| matches!(block, Block::Mermaid(_))) => {}
        Block::Details { summary, blocks } => {
            out.push_str(&format!("<details>\n<summary>{}</summary>\n", html(summary)));
            for block in blocks {
                self::block(out, block);
            }
            out.push_str("</details>\n");
        }
    }
}

fn boxed(item: &Text) -> Text {
    Text::plain("☐ ").and(item.clone())
}

fn list(out: &mut String, element: &str, class: &str, items: &[Text]) {
    out.push_str(&format!("<{element}{class}>\n"));
    for item in items {
        out.push_str(&format!("<li>{}</li>\n", line(item)));
    }
    out.push_str(&format!("</{element}>\n"));
}

fn table(out: &mut String, table: &Table) {
    let class = |align: Align| match align {
        Align::Left => "",
        Align::Right => " class=\"number\"",
    };
    out.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for (name, align) in &table.columns {
        out.push_str(&format!("<th{}>{}</th>", class(*align), html(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (cell, (_, align)) in row.iter().zip(&table.columns) {
            out.push_str(&format!("<td{}>{}</td>", class(*align), line(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn line(text: &Text) -> String {
    let span = |(style, words): &(Style, String)| {
        let words = html(words);
        match style {
            Style::Plain => words,
            Style::Strong => format!("<strong>{words}</strong>"),
            Style::Emphasis => format!("<em>{words}</em>"),
            Style::Code => format!("<code>{words}</code>"),
            Style::Blank => format!("<mark>[TO FILL IN: {words}]</mark>"),
            Style::Link => format!("<a href=\"{words}\">{words}</a>"),
        }
    };
    text.0.iter().map(span).collect()
}
