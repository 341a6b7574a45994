//! A report as its reader's parser sees it.

use comrak::{Arena, Options, nodes::NodeValue, parse_document};
use html5ever::{parse_document as parse_html, tendril::TendrilSink};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use esp_tcpwatch::report::page::{Block, Page};

#[derive(Debug, Default)]
pub struct Markdown {
    pub headings: Vec<String>,
    /// Rows of each table, with the one of the headings.
    pub tables: Vec<usize>,
    pub links: Vec<String>,
    /// `<details>` and `</details>`.
    pub opened: usize,
    pub closed: usize,
    /// HTML that is not the report's own, and images.
    pub foreign: Vec<String>,
    blocks: Vec<(String, String)>,
}

impl Markdown {
    /// The first code block of `language`.
    pub fn code(&self, language: &str) -> Option<&str> {
        self.blocks.iter().find(|(known, _)| known == language).map(|(_, text)| text.as_str())
    }
}

pub fn markdown(text: &str) -> Markdown {
    let arena = Arena::new();
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.footnotes = true;
    let root = parse_document(&arena, text, &options);
    let mut read = Markdown::default();
    for node in root.descendants() {
        match &node.data().value {
            NodeValue::Heading(_) => {
                let words = node.descendants().filter_map(|inner| match &inner.data().value {
                    NodeValue::Text(text) => Some(text.to_string()),
                    NodeValue::Code(code) => Some(code.literal.clone()),
                    _ => None,
                });
                read.headings.push(words.collect());
            }
            NodeValue::Table(_) => read.tables.push(node.children().count()),
            NodeValue::Link(link) => read.links.push(link.url.clone()),
            NodeValue::Image(image) => read.foreign.push(image.url.clone()),
            NodeValue::HtmlInline(html) if ["<!-- -->", "<code>", "</code>"].contains(&html.as_str()) => {}
            NodeValue::HtmlInline(html) => read.foreign.push(html.clone()),
            NodeValue::HtmlBlock(html) => {
                for line in html.literal.lines() {
                    let summary =
                        line.strip_prefix("<summary>").and_then(|rest| rest.strip_suffix("</summary>"));
                    match line {
                        "<details>" => read.opened += 1,
                        "</details>" => read.closed += 1,
                        _ if summary.is_some_and(|words| !words.contains(['<', '>'])) => {}
                        _ => read.foreign.push(line.to_owned()),
                    }
                }
            }
            NodeValue::CodeBlock(block) => read.blocks.push((block.info.clone(), block.literal.clone())),
            _ => {}
        }
    }
    read
}

/// The tables of `page`, as [`Markdown::tables`] counts them.
pub fn tables(page: &Page) -> Vec<usize> {
    fn of(blocks: &[Block], rows: &mut Vec<usize>) {
        for block in blocks {
            match block {
                Block::Table(table) => rows.push(table.rows.len() + 1),
                Block::Details { blocks, .. } => of(blocks, rows),
                Block::Paragraph(_)
                | Block::Bullets(_)
                | Block::Steps(_)
                | Block::Boxes(_)
                | Block::Code { .. }
                | Block::Mermaid(_) => {}
            }
        }
    }
    let mut rows = Vec::new();
    page.sections.iter().for_each(|section| of(&section.blocks, &mut rows));
    rows
}

#[derive(Debug, Default)]
pub struct Html {
    /// What the parser had to mend.
    pub errors: Vec<String>,
    /// What is not of the report's own elements, would run, or would load something.
    pub foreign: Vec<String>,
}

const ELEMENTS: &str = "html head meta title style body section h1 h2 h3 h4 p ul ol li div table thead tbody tr th td pre \
                        code details summary strong em mark a svg line rect text";
const ATTRIBUTES: &str = "lang charset name content http-equiv class role aria-label viewBox x y x1 y1 x2 y2 width height \
                          text-anchor";

pub fn html(text: &str) -> Html {
    let dom = parse_html(RcDom::default(), Default::default()).one(text);
    let mut read = Html {
        errors: dom.errors.borrow().iter().map(|error| error.to_string()).collect(),
        ..Html::default()
    };
    visit(&dom.document, &mut read);
    read
}

fn visit(node: &Handle, read: &mut Html) {
    match &node.data {
        NodeData::Element { name, attrs, .. } => {
            let element = name.local.to_string();
            if !ELEMENTS.split_whitespace().any(|known| known == element) {
                read.foreign.push(format!("<{element}>"));
                return;
            }
            for attribute in attrs.borrow().iter() {
                let (name, value) = (attribute.name.local.to_string(), attribute.value.to_string());
                let is_link = element == "a" && name == "href" && value.starts_with("https://");
                if !is_link && !ATTRIBUTES.split_whitespace().any(|known| known == name) {
                    read.foreign.push(format!("{element} {name}={value}"));
                }
            }
        }
        NodeData::Text { contents } => {
            let within_style = node.parent.take().and_then(|parent| {
                let strong = parent.upgrade();
                node.parent.set(Some(parent));
                strong
            });
            let is_style = within_style.is_some_and(
                |parent| matches!(&parent.data, NodeData::Element { name, .. } if &*name.local == "style"),
            );
            let css = contents.borrow().to_lowercase();
            if is_style && (css.contains("url(") || css.contains("@import")) {
                read.foreign.push(css);
            }
        }
        NodeData::Comment { contents } => read.foreign.push(contents.to_string()),
        NodeData::Document | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {}
    }
    for child in node.children.borrow().iter() {
        visit(child, read);
    }
}
