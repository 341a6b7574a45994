//! Takes the pictures of the README: runs the demo in a terminal, opens its screens, and writes each as an SVG file.
//!
//!     make screenshots
//!     cargo run --example screenshots -- PROGRAM TWIN FOLDER
//!
//! Knows which keys lead where and by which words a screen is recognised; not what else stands on it. Every wait has an end,
//! the failed one shows the screen that it failed on, and the demo ends in every case.

#[path = "svg.rs"]
mod svg;
#[path = "../support/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use terminal::Terminal;

const COLUMNS: u16 = 100;
const ROWS: u16 = 32;

/// From the alert to the first picture: the device refuses some more, and its own list is compared some times.
const AGE: Duration = Duration::from_secs(7);

/// One screen, from the one before it.
struct Picture {
    /// The file's, without its ending.
    name: &'static str,
    title: &'static str,
    /// Keys, each with the words that it brings up.
    way: &'static [(&'static str, &'static [&'static str])],
}

const PICTURES: [Picture; 4] = [
    Picture {
        name: "overview",
        title: "esp-tcpwatch, overview of the demo",
        way: &[("", &["CRITICAL: 10.77.0.2 refused", "time-wait-collision", "Own list: 5 in TIME-WAIT"])],
    },
    Picture {
        name: "alert",
        title: "esp-tcpwatch, one alert explained",
        way: &[("\r", &["What happened", "What to do"])],
    },
    Picture {
        name: "flow",
        title: "esp-tcpwatch, one connection as a ladder",
        way: &[("\r", &["numbers from each life's ISN"]), ("g", &["FIN", "stale ACK"])],
    },
    Picture {
        name: "device",
        title: "esp-tcpwatch, what is known of the device",
        way: &[("5", &["By the wire", "By itself"])],
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [program, twin, folder] = words.as_slice() else {
        eprintln!("usage: screenshots PROGRAM TWIN FOLDER   (`make screenshots` knows them)");
        return ExitCode::from(2);
    };
    // The demo runs in a folder of its own.
    let [Ok(program), Ok(twin)] = [program, twin].map(std::fs::canonicalize) else {
        eprintln!("screenshots: {program} or {twin} is not there; `make build` builds both");
        return ExitCode::FAILURE;
    };
    let Ok(elsewhere) = tempfile::tempdir() else {
        eprintln!("screenshots: no temporary directory can be made");
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(program);
    // Neither sudo's user nor a configuration of their own is meant.
    for name in ["SUDO_UID", "SUDO_GID", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.args(["demo", "--twin"]).arg(twin).env("XDG_CONFIG_HOME", elsewhere.path());
    command.current_dir(elsewhere.path());
    let mut terminal = Terminal::of_size(command, COLUMNS, ROWS);
    let mut taken = Vec::new();
    for Picture { name, title, way } in PICTURES {
        for (keys, marks) in way {
            terminal.press(keys);
            marks.iter().for_each(|mark| terminal.shows(mark));
        }
        if taken.is_empty() {
            terminal.wait_for(AGE);
        }
        let_it_be_drawn(&mut terminal);
        taken.push((name, svg::picture(terminal.seen.screen(), title)));
    }
    terminal.press("q");
    terminal.end();
    // None is written unless all could be taken: they show one run.
    for (name, picture) in taken {
        let path = Path::new(folder).join(name).with_extension("svg");
        if let Err(error) = std::fs::write(&path, picture) {
            eprintln!("screenshots: cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{}", path.display());
    }
    ExitCode::SUCCESS
}

/// Reads until nothing has come for a moment, since words may be there before the rest of their screen.
fn let_it_be_drawn(terminal: &mut Terminal) {
    let at_most = Instant::now() + Duration::from_secs(3);
    while Instant::now() < at_most && terminal.reads(Instant::now() + Duration::from_millis(200)) {}
}
