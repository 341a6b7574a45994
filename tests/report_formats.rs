//! The report in all its formats, of the captures that were taken from the real lwIP; held by snapshots, and read by
//! the parsers that its readers use: CommonMark with GitHub's extensions, HTML5, JSON.

#[path = "report/read.rs"]
mod read;
mod story;

use esp_tcpwatch::{
    analysis::{
        engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
        event::Start,
        host::DeviceScope,
        input::Input,
        rule::RuleSet,
    },
    report::{
        Format,
        model::{Attachment, Report},
        render,
        template::{self, Template},
    },
    source::{Source, file::CaptureFile},
};

const CAPTURES: [&str; 5] = ["accepts-syn", "client-first", "honours-rst", "msl-3s", "refused"];
const TEMPLATES: [Template; 3] = [Template::Generic, Template::Micropython, Template::EspIdf];

/// As `report` makes it, with a digest that does not change when the captures are taken again.
fn of_capture(name: &str) -> Report {
    let path = format!("tests/captures/{name}.pcapng");
    let file = std::fs::File::open(&path).unwrap();
    let mut source = CaptureFile::from_reader(Box::new(file), &path).unwrap();
    let start = Start {
        tool: "esp-tcpwatch 0.1.0".to_owned(),
        source: "file".to_owned(),
        name: path.clone(),
        ..Start::default()
    };
    let mut engine = Engine::new(EngineConfig {
        devices: DeviceScope::Espressif,
        rules: RuleSet::built_in().unwrap(),
        flow_events: true,
        segment_events: false,
        start,
        max_flows: DEFAULT_MAX_FLOWS,
    });
    let mut report = Report::default();
    while let Some(input) = source.next_input().unwrap() {
        engine.handle(input);
        while let Some(event) = engine.poll_event() {
            report.fold(&event);
        }
    }
    engine.handle(Input::End);
    while let Some(event) = engine.poll_event() {
        report.fold(&event);
    }
    report.attached = vec![Attachment {
        name: format!("{name}.pcapng"),
        what: "the capture that was read".to_owned(),
        octets: Some(4_096),
        sha256: Some("00ff".repeat(16)),
    }];
    report
}

/// Whatever a report may be made of.
fn reports() -> Vec<(String, Report)> {
    let mut reports: Vec<(String, Report)> =
        CAPTURES.iter().map(|name| ((*name).to_owned(), of_capture(name))).collect();
    for (name, events) in [
        ("eleven collisions", story::eleven_collisions()),
        ("silent", story::silent()),
        ("hostile", story::hostile()),
        ("nothing", Vec::new()),
    ] {
        reports.push((name.to_owned(), story::folded(&events)));
    }
    let (_, hostile) = reports.iter_mut().find(|(name, _)| name == "hostile").unwrap();
    let text = story::HOSTILE.to_owned();
    hostile.attached =
        vec![Attachment { name: text.clone(), what: text.clone(), octets: None, sha256: Some(text.clone()) }];
    hostile.system = Some(text);
    reports
}

#[test]
fn markdown_of_the_captures() {
    for name in CAPTURES {
        let text = render(&of_capture(name), Format::Markdown, Template::Generic);
        insta::assert_snapshot!(format!("{name}_markdown"), text);
    }
}

#[test]
fn html_and_json_of_every_capture() {
    for name in ["refused", "msl-3s", "honours-rst", "accepts-syn", "client-first"] {
        let report = of_capture(name);
        let html = render(&report, Format::Html, Template::Generic);
        // The style is a file of its own; what a page says is the news.
        let (head, rest) = html.split_once("<style>").unwrap();
        let (_, rest) = rest.split_once("</style>").unwrap();
        insta::assert_snapshot!(format!("{name}_html"), format!("{head}{rest}"));
        insta::assert_snapshot!(format!("{name}_json"), render(&report, Format::Json, Template::Generic));
    }
}

#[test]
fn the_forms_of_two_projects() {
    for (name, template) in [("micropython", Template::Micropython), ("esp_idf", Template::EspIdf)] {
        let text = render(&of_capture("refused"), Format::Markdown, template);
        insta::assert_snapshot!(format!("refused_{name}"), text);
    }
}

/// The headings are the fields of the projects' forms, in their order.
#[test]
fn each_field_of_a_form_has_its_heading() {
    let headings = |template| -> Vec<String> {
        let page = template::page(&of_capture("refused"), template);
        page.sections
            .into_iter()
            .filter(|section| section.level == 3)
            .map(|section| section.heading)
            .collect()
    };
    assert_eq!(
        headings(Template::Micropython),
        [
            "Port, board and/or hardware",
            "MicroPython version",
            "Reproduction",
            "Expected behaviour",
            "Observed behaviour",
            "Additional Information",
            "Code of Conduct",
        ]
    );
    assert_eq!(
        headings(Template::EspIdf),
        [
            "Answers checklist.",
            "IDF version.",
            "Espressif SoC revision.",
            "Operating System used.",
            "How did you build your project?",
            "If you are using Windows, please specify command line type.",
            "Development Kit.",
            "Power Supply used.",
            "What is the expected behavior?",
            "What is the actual behavior?",
            "Steps to reproduce.",
            "Debug Logs.",
            "More Information.",
        ]
    );
}

/// What GitHub would make of it: the headings of the page and no others, whole tables, no HTML but our own.
#[test]
fn github_reads_the_markdown_as_it_is_meant() {
    for (name, report) in reports() {
        for template in TEMPLATES {
            let page = template::page(&report, template);
            let text = render(&report, Format::Markdown, template);
            let read = read::markdown(&text);
            let mut headings = vec![page.title.clone()];
            headings.extend(page.sections.iter().map(|section| section.heading.clone()));
            headings.retain(|heading| !heading.is_empty());
            assert_eq!(read.headings.len(), headings.len(), "{name}, {template:?}: {:?}", read.headings);
            if name != "hostile" {
                assert_eq!(read.headings, headings, "{template:?}");
            }
            assert_eq!(read.tables, read::tables(&page), "{name}, {template:?}");
            assert_eq!(read.opened, read.closed, "{name}: each <details> is closed");
            assert_eq!(read.foreign, Vec::<String>::new(), "{name}, {template:?}");
            assert!(read.links.iter().all(|link| link.starts_with("https://")), "{:?}", read.links);
        }
    }
    assert!(reports().iter().any(|(_, report)| {
        read::markdown(&render(report, Format::Markdown, Template::Generic)).opened >= 4
    }));
}

/// The check above can fail.
#[test]
fn github_would_read_what_is_not_escaped() {
    let read =
        read::markdown("# a\n\n<script>x</script>\n\nb <img src=x> [y](javascript:z) ![i](http://e)\n");
    assert_eq!(read.foreign.len(), 3, "{:?}", read.foreign);
    assert_eq!(read.links, ["javascript:z"]);
}

#[test]
fn the_diagram_says_what_the_ladder_says_in_letters_digits_and_blanks() {
    for (name, report) in reports() {
        let text = render(&report, Format::Markdown, Template::Generic);
        let read = read::markdown(&text);
        let Some(diagram) = read.code("mermaid") else {
            assert!(read.code("text").is_none(), "{name}: a ladder without a diagram");
            continue;
        };
        let mut lines = diagram.lines().map(str::trim);
        assert_eq!(lines.next(), Some("sequenceDiagram"));
        let mut arrows = 0;
        for line in lines {
            if line.starts_with("participant ") {
                continue;
            }
            let (way, label) = line.split_once(": ").unwrap();
            assert!(["C->>D", "D->>C", "Note over C,D"].contains(&way), "{name}: {line}");
            assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == ' '), "{name}: {line}");
            arrows += usize::from(!way.starts_with("Note"));
        }
        let ladder = read.code("text").unwrap();
        assert_eq!(arrows, ladder.lines().filter(|line| line.contains('|')).count(), "{name}");
        assert!(ladder.lines().count() <= 20, "{name}: {ladder}");
    }
}

#[test]
fn the_html_is_well_formed_and_asks_nobody_for_anything() {
    for (name, report) in reports() {
        for template in TEMPLATES {
            let text = render(&report, Format::Html, template);
            let read = read::html(&text);
            assert_eq!(read.errors, Vec::<String>::new(), "{name}, {template:?}");
            assert_eq!(read.foreign, Vec::<String>::new(), "{name}, {template:?}");
        }
    }
}

/// The check above can fail.
#[test]
fn html_that_is_broken_or_loads_something_is_found() {
    for broken in ["<p><b>x</p>", "<table><p>x</table>", "<p class=\"a\" class=\"b\">"] {
        assert!(
            !read::html(&format!("<!DOCTYPE html><title>t</title>{broken}")).errors.is_empty(),
            "{broken}"
        );
    }
    for loading in [
        "<img src=\"x.png\">",
        "<script>x</script>",
        "<p onclick=\"x\">",
        "<style>@import 'x'</style>",
        "<style>p { background: url(x) }</style>",
        "<a href=\"javascript:x\">y</a>",
        "<link rel=\"stylesheet\" href=\"https://x\">",
    ] {
        let text = format!("<!DOCTYPE html><html><head><title>t</title></head><body>{loading}</body></html>");
        assert_eq!(read::html(&text).foreign.len(), 1, "{loading}");
    }
}

/// The picture draws what the model counted.
#[test]
fn the_chart_has_a_bar_for_each_bucket_that_holds_something() {
    let report = of_capture("msl-3s");
    let text = render(&report, Format::Html, Template::Generic);
    let bars = |class: &str| text.matches(&format!("<rect class=\"{class}\"")).count();
    let buckets = &report.series.buckets;
    assert_eq!(bars("held"), buckets.iter().filter(|bucket| bucket.held > 0).count());
    assert_eq!(bars("refused"), buckets.iter().filter(|bucket| bucket.refused > 0).count());
    assert_eq!(bars("connect"), buckets.iter().filter(|bucket| bucket.connected > 0).count());
    let refused: u64 = buckets.iter().map(|bucket| bucket.refused).sum();
    assert_eq!(refused, report.findings["time-wait-collision"].count);
    assert!(refused > 0 && bars("connect") > 0 && bars("held") > 0);
}

#[test]
fn a_clean_run_says_so_and_what_that_does_not_prove() {
    for format in [Format::Markdown, Format::Html] {
        let text = render(&of_capture("client-first"), format, Template::Generic);
        assert!(text.contains("Nothing wrong was seen"));
        assert!(text.contains("this report does not show that it is free of that fault"));
        assert!(text.contains("It holds for the time of the capture and for no other."));
        assert!(!text.contains("Remedies"));
    }
}

#[test]
fn json_holds_what_the_pages_say() {
    let report = of_capture("refused");
    let read: serde_json::Value =
        serde_json::from_str(&render(&report, Format::Json, Template::Generic)).unwrap();
    assert_eq!((&read["schema"], &read["type"]), (&1.into(), &"report".into()));
    assert_eq!(read["found_fault"], true);
    assert_eq!(
        read["findings"]["time-wait-collision"]["count"],
        report.findings["time-wait-collision"].count
    );
    assert_eq!(read["devices"][0]["behaves_as"], "unfixed");
    assert_eq!(read["attached"][0]["sha256"], "00ff".repeat(16));
    let text = render(&report, Format::Markdown, Template::Generic);
    for line in read["ladder"].as_str().unwrap().lines() {
        assert!(text.contains(line), "{line}");
    }
}
