//! What a report says, before it is Markdown or HTML: sections of paragraphs, lists, tables, code.
//!
//! Knows structure and emphasis. Text from outside comes in as plain text and stays it: markup is read only in what
//! this program's own source says (`text!`), and each renderer escapes all the rest.

use core::fmt::{self, Display, Write};

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub title: String,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Of its heading: 2 for a section of the page, more for one inside another.
    pub level: u8,
    /// Empty: it goes on without one.
    pub heading: String,
    pub blocks: Vec<Block>,
    /// What is said in its place where there is no room for it; `None`: it is never left out.
    pub brief: Option<String>,
}

impl Section {
    pub fn new(heading: &str, blocks: Vec<Block>) -> Section {
        Section { level: 2, heading: heading.to_owned(), blocks, brief: None }
    }

    /// It can be left out; `brief` then says what was in it.
    #[must_use]
    pub fn or(mut self, brief: impl Into<String>) -> Section {
        self.brief = Some(brief.into());
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(Text),
    Bullets(Vec<Text>),
    Steps(Vec<Text>),
    /// Boxes for the reader to tick.
    Boxes(Vec<Text>),
    Table(Table),
    Code {
        language: &'static str,
        text: String,
    },
    /// A Mermaid sequence diagram: for a page that draws it, as GitHub's does.
    Mermaid(String),
    /// Closed until it is asked for.
    Details {
        summary: String,
        blocks: Vec<Block>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub columns: Vec<(String, Align)>,
    pub rows: Vec<Vec<Text>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Table {
    /// `columns`: the headings; one that begins with `>` is of numbers, and stands to the right.
    pub fn new(columns: &[&str]) -> Table {
        let column = |name: &&str| match name.strip_prefix('>') {
            Some(name) => (name.to_owned(), Align::Right),
            None => ((*name).to_owned(), Align::Left),
        };
        Table { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }
}

/// Running text on one line, in spans of one style each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text(pub Vec<(Style, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Strong,
    Emphasis,
    Code,
    /// A place for the author to fill in.
    Blank,
    Link,
}

/// `text!("**{}** in `{}`", a, b)`: a [`Text`] whose markup is the literal's (`**strong**`, `*emphasis*`, `` `code` ``)
/// and whose arguments are text of the style they stand in, or texts of their own.
macro_rules! text {
    ($template:literal $(, $piece:expr)* $(,)?) => {{
        const {
            assert!(
                $crate::report::page::places($template) == <[&str]>::len(&[$(stringify!($piece)),*]),
                "each {{}} needs its argument"
            );
        }
        $crate::report::page::Text::filled($template, &[$(&$piece as &dyn $crate::report::page::Piece),*])
    }};
}
pub(crate) use text;

impl Text {
    pub fn plain(text: impl Into<String>) -> Text {
        Text(vec![(Style::Plain, text.into())])
    }

    pub fn code(text: impl Into<String>) -> Text {
        Text(vec![(Style::Code, text.into())])
    }

    pub fn blank(text: &str) -> Text {
        Text(vec![(Style::Blank, text.to_owned())])
    }

    /// A reference: a link where it is plainly one, else text.
    pub fn reference(text: &str) -> Text {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=%&+,;".contains(c);
        let is_link = text.starts_with("https://") && text.chars().all(plain);
        Text(vec![(if is_link { Style::Link } else { Style::Plain }, text.to_owned())])
    }

    /// See `text!`.
    pub fn filled(template: &'static str, pieces: &[&dyn Piece]) -> Text {
        let mut text = Text::default();
        let mut style = Style::Plain;
        let mut pieces = pieces.iter();
        let mut rest = template;
        while let Some(at) = rest.find(['*', '`', '{']) {
            text.push(style, &rest[..at]);
            rest = &rest[at..];
            let mark = ["**", "*", "`", "{}", "{"].into_iter().find(|mark| rest.starts_with(mark));
            let mark = mark.unwrap_or_default();
            rest = &rest[mark.len()..];
            match mark {
                "{}" => {
                    if let Some(piece) = pieces.next() {
                        piece.put(style, &mut text);
                    }
                }
                "{" => text.push(style, "{"),
                // Inside code a star is a star.
                "*" | "**" if style == Style::Code => text.push(style, mark),
                _ => style = toggled(style, mark),
            }
        }
        text.push(style, rest);
        text
    }

    pub fn push(&mut self, style: Style, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some((last, known)) if *last == style => known.push_str(text),
            Some(_) | None => self.0.push((style, text.to_owned())),
        }
    }

    #[must_use]
    pub fn and(mut self, other: Text) -> Text {
        for (style, text) in &other.0 {
            self.push(*style, text);
        }
        self
    }

    /// Without its markup.
    pub fn to_plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// How many `{}` there are in `template`.
pub const fn places(template: &str) -> usize {
    let octets = template.as_bytes();
    let (mut at, mut count) = (1, 0);
    while at < octets.len() {
        if octets[at - 1] == b'{' && octets[at] == b'}' {
            count += 1;
        }
        at += 1;
    }
    count
}

fn toggled(style: Style, mark: &str) -> Style {
    let of_mark = match mark {
        "**" => Style::Strong,
        "*" => Style::Emphasis,
        _ => Style::Code,
    };
    if style == of_mark { Style::Plain } else { of_mark }
}

/// What may fill a place of `text!`.
pub trait Piece {
    fn put(&self, style: Style, into: &mut Text);
}

impl<T: Display> Piece for T {
    fn put(&self, style: Style, into: &mut Text) {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _: fmt::Result = write!(text, "{self}");
        into.push(style, &text);
    }
}

impl Piece for Text {
    fn put(&self, _: Style, into: &mut Text) {
        for (style, text) in &self.0 {
            into.push(*style, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_read_in_the_template_and_nowhere_else() {
        let hostile = "**bold** `code` {}";
        let text = text!("**{} lost** in `{}`, *so* {{1}", 3, "a*b");
        assert_eq!(
            text.0,
            [
                (Style::Strong, "3 lost".to_owned()),
                (Style::Plain, " in ".to_owned()),
                (Style::Code, "a*b".to_owned()),
                (Style::Plain, ", ".to_owned()),
                (Style::Emphasis, "so".to_owned()),
                (Style::Plain, " {{1}".to_owned()),
            ]
        );
        let nested = text!("a {} b", text!("`{}`", hostile));
        assert_eq!(nested.0[1], (Style::Code, hostile.to_owned()));
        assert_eq!(nested.to_plain(), format!("a {hostile} b"));
    }

    #[test]
    fn only_plain_links_are_links() {
        let style = |text| Text::reference(text).0[0].0;
        assert_eq!(style("https://www.rfc-editor.org/rfc/rfc1337"), Style::Link);
        assert_eq!(style("RFC 1337"), Style::Plain);
        assert_eq!(style("https://a><b"), Style::Plain);
        assert_eq!(style("javascript:alert(1)"), Style::Plain);
    }
}
