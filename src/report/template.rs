//! The report in the headings that a project's issue form asks for, with marked blanks for what no wire can tell.
//!
//! Knows the forms of micropython/micropython (`bug_report.yml`) and espressif/esp-idf (`02_runtime_bug.yml`). Their words
//! are kept as they stand, so that each part can be copied into its field.

use super::{
    device,
    model::Report,
    opening,
    outline::{self, ORDER, Part},
    page::{Block, Page, Section, Text, text},
    safe::shown,
};

/// Whose form the report fills in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// Nobody's: the order that convinces.
    #[default]
    Generic,
    Micropython,
    EspIdf,
}

/// The report as `template` orders it.
pub fn page(report: &Report, template: Template) -> Page {
    match template {
        Template::Generic => outline::page(report),
        Template::Micropython => Form::new(report).micropython(),
        Template::EspIdf => Form::new(report).esp_idf(),
    }
}

/// What goes into the field that asks what happened; all the rest is further information.
const OBSERVED: [Part; 8] = [
    Part::Verdict,
    Part::Observable,
    Part::Chain,
    Part::Frames,
    Part::Cost,
    Part::Arms,
    Part::Differences,
    Part::Held,
];

struct Form<'a> {
    report: &'a Report,
    page: Page,
}

impl<'a> Form<'a> {
    fn new(report: &'a Report) -> Form<'a> {
        Form { report, page: Page { title: opening::title(report), sections: Vec::new() } }
    }

    fn micropython(mut self) -> Page {
        self.note("micropython/micropython, *Bug report*");
        self.field(
            "Port, board and/or hardware",
            self.hardware("port and board, as in: esp32 port, ESP32-DevKitC"),
        );
        self.blank(
            "MicroPython version",
            "what the REPL prints at Ctrl-B, and whether it is an official build",
        );
        self.reproduction("Reproduction", "the script that runs on the board, and the program of the client");
        self.expected("Expected behaviour");
        self.observed("Observed behaviour");
        self.further("Additional Information");
        self.blank("Code of Conduct", "the form asks whether you agree to MicroPython's code of conduct");
        self.page
    }

    fn esp_idf(mut self) -> Page {
        self.note("espressif/esp-idf, *Runtime bug report*");
        self.field(
            "Answers checklist.",
            vec![Block::Boxes(vec![
                text!("I have read the documentation ESP-IDF Programming Guide and the issue is not addressed there."),
                text!(
                    "I have updated my IDF branch (master or release) to the latest version and checked that the issue \
                     is present there."
                ),
                text!("I have searched the issue tracker for a similar issue and not found a similar issue."),
            ])],
        );
        self.blank("IDF version.", "what git describe --tags prints");
        self.field("Espressif SoC revision.", self.hardware("what esptool chip_id prints"));
        self.blank(
            "Operating System used.",
            "Windows, Linux or macOS, of the computer that built the project",
        );
        self.blank("How did you build your project?", "as in: command line with idf.py");
        self.blank("If you are using Windows, please specify command line type.", "PowerShell, CMD or none");
        self.blank("Development Kit.", "as in: ESP32-DevKitC V4");
        self.blank("Power Supply used.", "USB, external 5V, external 3.3V or battery");
        self.expected("What is the expected behavior?");
        self.observed("What is the actual behavior?");
        self.reproduction("Steps to reproduce.", "the code of the server, and the program of the client");
        self.blank("Debug Logs.", "the device's own log of that time; the wire shows none");
        self.further("More Information.");
        self.page
    }

    fn note(&mut self, form: &'static str) {
        // The two forms are named here and nowhere else, so that their stars are markup.
        let form = Text::filled(form, &[]);
        let note = text!(
            "Made for the form of {}: copy what stands below each heading into the field of that name. What the wire \
             cannot know is marked {}.",
            form,
            Text::blank("like this")
        );
        self.page.sections.push(Section::new("", vec![Block::Paragraph(note)]));
    }

    fn field(&mut self, heading: &str, blocks: Vec<Block>) {
        self.page.sections.push(Section { level: 3, ..Section::new(heading, blocks) });
    }

    fn blank(&mut self, heading: &str, what: &str) {
        self.field(heading, vec![Block::Paragraph(Text::blank(what))]);
    }

    /// What the wire shows of the device's hardware, beside what it does not.
    fn hardware(&self, blank: &str) -> Vec<Block> {
        let mut blocks = vec![Block::Paragraph(Text::blank(blank))];
        let seen: Vec<Text> = self
            .report
            .devices
            .values()
            .take(4)
            .map(|facts| {
                let mac = facts
                    .mac
                    .as_ref()
                    .map_or(text!("no MAC address"), |mac| text!("MAC `{}`", shown(mac, 60)));
                text!("Seen on the wire: {}, {}, TCP stack {}.", facts.address, mac, device::stack(facts))
            })
            .collect();
        let told = self.report.experiment.iter().flat_map(|experiment| &experiment.set_up.firmware);
        let told = told.take(4).map(|firmware| text!("Told by its test firmware: {}.", shown(firmware, 200)));
        let seen: Vec<Text> = seen.into_iter().chain(told).collect();
        if !seen.is_empty() {
            blocks.push(Block::Bullets(seen));
        }
        blocks
    }

    fn expected(&mut self, heading: &str) {
        let text = opening::expected(self.report).unwrap_or_else(|| Text::blank("what you expected"));
        self.field(heading, vec![Block::Paragraph(text)]);
    }

    fn reproduction(&mut self, heading: &str, blank: &str) {
        self.field(heading, vec![Block::Paragraph(Text::blank(blank))]);
        self.parts(&[Part::Reproduce]);
    }

    fn observed(&mut self, heading: &str) {
        self.field(heading, Vec::new());
        self.parts(&OBSERVED);
    }

    fn further(&mut self, heading: &str) {
        self.field(heading, Vec::new());
        let rest: Vec<Part> =
            ORDER.into_iter().filter(|part| !OBSERVED.contains(part) && *part != Part::Reproduce).collect();
        self.parts(&rest);
    }

    fn parts(&mut self, parts: &[Part]) {
        let report = self.report;
        let sections = parts.iter().filter_map(|part| outline::section(report, *part));
        self.page.sections.extend(sections.map(|section| Section { level: 4, ..section }));
    }
}
