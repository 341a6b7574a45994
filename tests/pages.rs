//! What README.md shows and SECURITY.md names is there.

#[path = "screens/svg.rs"]
mod svg;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pictures of a Markdown page: what is said in their place, and the file.
fn pictures(page: &str) -> Vec<(&str, &str)> {
    let parts = page.split("![").skip(1);
    parts
        .filter_map(|part| part.split_once("](").and_then(|(alt, rest)| Some((alt, rest.split_once(')')?.0))))
        .collect()
}

#[test]
fn every_picture_of_the_readme_is_there_and_harmless() {
    let readme = read("README.md");
    let shown = pictures(&readme);
    for (alt, file) in &shown {
        assert!(alt.split_whitespace().count() > 8, "{file}: say what is to be seen, not `{alt}`");
        assert_eq!(
            complaints(&read(file)),
            Vec::<String>::new(),
            "{file}; `make screenshots` makes it again"
        );
    }
    let shown: BTreeSet<String> = shown.iter().map(|(_, file)| (*file).to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screens");
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("docs/screens/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    assert_eq!(shown, there, "README.md shows what docs/screens holds");
    assert!(shown.len() >= 4, "{shown:?}");
}

/// What a picture must not hold: it is seen by whoever opens the page.
fn complaints(text: &str) -> Vec<String> {
    // Without a DTD, so that no entity can be declared either.
    let document = match roxmltree::Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![format!("no XML: {error}")],
    };
    let mut complaints = Vec::new();
    if document.root_element().tag_name().namespace() != Some("http://www.w3.org/2000/svg") {
        complaints.push("no SVG".to_owned());
    }
    for node in document.descendants() {
        let name = node.tag_name().name();
        // All that the pictures are made of; no script, style, image, link or foreign object.
        if node.is_element() && !["svg", "title", "rect", "text"].contains(&name) {
            complaints.push(format!("<{name}>"));
        }
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            if key.starts_with("on") || key == "href" || value.contains("url(") || value.contains(':') {
                complaints.push(format!("{key}=\"{value}\""));
            }
        }
    }
    complaints
}

#[test]
fn a_picture_that_acts_or_asks_elsewhere_is_noticed() {
    let around = |inside: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inside}</svg>");
    assert_eq!(complaints(&around("<text>x</text>")), Vec::<String>::new());
    for inside in [
        "<script>alert(1)</script>",
        "<image href=\"https://example.net/x.png\"/>",
        "<rect onload=\"x()\"/>",
        "<rect fill=\"url(#a)\"/>",
        "<style>@import 'x'</style>",
        "<text>a & b</text>",
        "<text>",
    ] {
        assert!(!complaints(&around(inside)).is_empty(), "{inside}");
    }
    assert!(!complaints("<html/>").is_empty());
    assert!(
        !complaints("<!DOCTYPE svg [<!ENTITY a \"b\">]><svg xmlns=\"http://www.w3.org/2000/svg\"/>")
            .is_empty()
    );
}

#[test]
fn a_screen_becomes_a_picture_with_its_text_escaped_and_in_its_place() {
    let mut terminal =
        vt100::Parser::new(core::num::NonZero::new(2).unwrap(), core::num::NonZero::new(20).unwrap(), 0);
    terminal.process(
        "\u{1b}[31m<b>&\u{1b}[0m  two words │\r\n\u{1b}[7m✖\u{1b}[0m█\u{1b}[41m \u{1b}[0m".as_bytes(),
    );
    let picture = svg::picture(terminal.screen(), "a < b");
    assert_eq!(complaints(&picture), Vec::<String>::new(), "{picture}");
    let document = roxmltree::Document::parse(&picture).unwrap();
    let of = |name| document.descendants().filter(move |node| node.has_tag_name(name));
    assert_eq!(of("title").next().and_then(|title| title.text()), Some("a < b"));
    let texts: Vec<_> = of("text")
        .map(|node| (node.text().unwrap(), node.attribute("x").unwrap(), node.attribute("textLength")))
        .collect();
    // Nine pixels a column, ten at the edge.
    assert_eq!(texts, [("<b>&", "10", Some("36")), ("two words", "64", Some("81")), ("✖", "14", None)]);
    // The picture's ground, the line, the mark's ground, the bar and the red cell.
    assert_eq!(of("rect").count(), 5, "{picture}");
}

/// `src/a/b.rs`, or `tests/c.rs::name_of_a_test`: between backticks, and nothing else between them.
fn named(page: &str) -> Vec<(&str, Option<&str>)> {
    const ROOMS: [&str; 7] = ["src/", "tests/", "fuzz/", "firmware/", "docs/", "packaging/", "rules/"];
    let words = page.split('`').skip(1).step_by(2);
    let words = words.filter(|word| ROOMS.iter().any(|room| word.starts_with(room)) || word.ends_with(".rs"));
    words.map(|word| word.split_once("::").map_or((word, None), |(file, test)| (file, Some(test)))).collect()
}

/// What a page names and is not so.
fn untrue(page: &str, text_of: impl Fn(&str) -> Option<String>) -> Vec<&str> {
    let is_so = |(file, test): &(&str, Option<&str>)| {
        let text = text_of(file);
        text.is_some_and(|text| {
            test.is_none_or(|test| ["fn", "def"].iter().any(|word| text.contains(&format!("{word} {test}("))))
        })
    };
    let wrong = named(page).into_iter().filter(|one| !is_so(one));
    wrong.map(|(file, test)| test.unwrap_or(file)).collect()
}

#[test]
fn every_defence_that_security_md_names_is_there() {
    let page = read("SECURITY.md");
    let text_of = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok();
    let (all, tests) = (named(&page).len(), named(&page).iter().filter(|(_, test)| test.is_some()).count());
    assert!(all > 20 && tests > 10, "{all} files, {tests} tests");
    assert_eq!(untrue(&page, text_of), Vec::<&str>::new(), "SECURITY.md names what is not there");
}

#[test]
fn a_defence_that_is_gone_is_noticed() {
    let text_of = |file: &str| (file == "tests/a.rs").then(|| "fn held() {}".to_owned());
    let page = "`tests/a.rs` `tests/a.rs::held` but `tests/a.rs::gone`, `src/b.rs` and `--flag`, `not/this`, `tests/a.rs::hel`";
    assert_eq!(untrue(page, text_of), ["gone", "src/b.rs", "hel"]);
}
