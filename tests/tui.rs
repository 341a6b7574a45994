//! The screens over a recorded stream: what each shows, at two sizes, and what no stream and no key may break.
#![cfg(feature = "tui")]

mod story;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use esp_tcpwatch::analysis::{
    event::{CaptureEvent, CaptureQuality, Event, FlowEvent, MarkerEvent},
    time::{Timestamp, When},
};
use esp_tcpwatch::tui::{
    Ended, Host, TuiOptions,
    event_loop::{Console, run_on},
    keymap,
    model::Model,
    theme::Theme,
    update::{Effect, Msg, update},
    view::view,
    watched::{MAX_ALERTS, MAX_FINDINGS, MAX_FLOWS},
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

const RECORDED: &str = include_str!("data/refused-port.jsonl");
const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);

#[test]
fn before_anything_happened() {
    let model = model(&[]);
    shows("waiting_80x24", &model, SMALL);
}

#[test]
fn while_a_port_is_refused() {
    let model = model(&live(&recorded()));
    shows("refused_80x24", &model, SMALL);
    shows("refused_200x60", &model, LARGE);
}

#[test]
fn after_the_end() {
    let model = model(&recorded());
    shows("ended_80x24", &model, SMALL);
    shows("ended_200x60", &model, LARGE);
    shows("ended_40x10", &model, (40, 10));
}

#[test]
fn an_alert_on_the_whole_screen() {
    let mut model = model(&live(&recorded()));
    press(&mut model, SMALL, &[KeyCode::Enter]);
    shows("alert_80x24", &model, SMALL);
    press(&mut model, SMALL, &[KeyCode::Char('G')]);
    shows("alert_end_80x24", &model, SMALL);
    press(&mut model, LARGE, &[KeyCode::Char('g')]);
    shows("alert_200x60", &model, LARGE);
}

#[test]
fn a_device_and_a_flow_on_the_whole_screen() {
    let mut model = model(&live(&recorded()));
    press(&mut model, SMALL, &[KeyCode::Char('1'), KeyCode::Enter]);
    shows("device_80x24", &model, SMALL);
    press(&mut model, SMALL, &[KeyCode::Esc, KeyCode::Char('3'), KeyCode::Enter]);
    shows("flow_80x24", &model, SMALL);
}

#[test]
fn what_is_about_a_whole_device_names_no_connection() {
    let mut events = story::silent();
    events.pop();
    let mut model = model(&live(&events));
    for size in [SMALL, LARGE] {
        assert!(!drawn(&model, size).1.contains("10.77.0.2:0"), "{}", drawn(&model, size).1);
    }
    shows("silent_80x24", &model, SMALL);
    shows("silent_200x60", &model, LARGE);
    press(&mut model, SMALL, &[KeyCode::Char('2'), KeyCode::Enter]);
    assert!(!drawn(&model, LARGE).1.contains("Packets"), "no ladder of nothing");
    shows("silent_alert_80x24", &model, SMALL);
}

#[test]
fn help_comes_from_the_keymap() {
    let mut model = model(&live(&recorded()));
    press(&mut model, (80, 40), &[KeyCode::Char('?')]);
    let text = drawn(&model, (80, 40)).1;
    for binding in keymap::BINDINGS {
        assert!(text.contains(&binding.keys[0].name()), "{:?} is not in the help:\n{text}", binding.command);
    }
    shows("help_80x24", &model, SMALL);
}

#[test]
fn ascii_draws_nothing_else() {
    let mut events = live(&recorded());
    for event in &mut events {
        if let Event::Alert(alert) = event {
            alert.title = "Gerät → verweigert".to_owned();
        }
    }
    for keys in [&[][..], &[KeyCode::Enter], &[KeyCode::Char('?')], &[KeyCode::Char('1'), KeyCode::Enter]] {
        let mut model = Model::new("demo".to_owned(), Theme { ascii: true, no_color: false });
        fold(&mut model, &events);
        press(&mut model, LARGE, keys);
        for size in [SMALL, LARGE] {
            let text = drawn(&model, size).1;
            let strange: Vec<_> = text.chars().filter(|c| !c.is_ascii()).collect();
            assert!(strange.is_empty(), "{strange:?} in\n{text}");
        }
    }
    let mut model = Model::new("demo".to_owned(), Theme { ascii: true, no_color: false });
    fold(&mut model, &live(&recorded()));
    shows("ascii_80x24", &model, SMALL);
}

#[test]
fn without_colour_no_cell_has_one() {
    let mut model = Model::new("demo".to_owned(), Theme { ascii: false, no_color: true });
    fold(&mut model, &recorded());
    for cell in drawn(&model, LARGE).0.content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
}

#[test]
fn with_colour_only_the_terminals_own_sixteen() {
    let model = model(&recorded());
    for cell in drawn(&model, LARGE).0.content() {
        for color in [cell.fg, cell.bg] {
            assert!(!matches!(color, Color::Rgb(..) | Color::Indexed(_)), "{cell:?}");
        }
    }
}

#[test]
fn hostile_text_is_shown_not_obeyed() {
    let evil = "\x1b[2J\u{202e}evil\r\n\u{9b}31m\u{200b}".repeat(40);
    let mut events = recorded();
    for event in &mut events {
        match event {
            Event::Start(start) => start.name.clone_from(&evil),
            Event::Alert(alert) => {
                alert.title.clone_from(&evil);
                alert.why.clone_from(&evil);
                alert.rule.clone_from(&evil);
                alert.remedies = vec![evil.clone()];
                alert.references = vec![evil.clone()];
            }
            Event::Finding(finding) => {
                finding.text.clone_from(&evil);
                for row in &mut finding.evidence {
                    row.role.clone_from(&evil);
                    row.flags.clone_from(&evil);
                }
            }
            Event::Device(device) => {
                device.facts.mac = Some(evil.clone());
                device.facts.note = Some(evil.clone());
            }
            Event::Flow(flow) => flow.client_state.clone_from(&evil),
            Event::Summary(summary) => {
                summary.verdict.clone_from(&evil);
                summary.devices.clear();
            }
            Event::Segment(_) | Event::Capture(_) | Event::Marker(_) => {}
        }
    }
    events.push(Event::Marker(MarkerEvent {
        when: When(at(80)),
        text: evil,
        mode_changed: false,
        device: None,
        mode: None,
    }));
    for keys in ["", "\n", "1\n", "3\n"] {
        let mut model = model(&events);
        press(&mut model, LARGE, &codes(keys));
        for size in [SMALL, LARGE] {
            let (buffer, text) = drawn(&model, size);
            for cell in buffer.content() {
                let bad =
                    cell.symbol().chars().any(|c| c.is_control() || matches!(c, '\u{200b}' | '\u{202e}'));
                assert!(!bad, "{cell:?} in\n{text}");
            }
        }
    }
}

#[test]
fn no_size_panics_on_any_screen() {
    let mut events = live(&recorded());
    events.push(lost(12));
    for keys in ["", "1", "3", "\nG", "1\n", "3\nG", "?G"] {
        let mut model = model(&events);
        press(&mut model, SMALL, &codes(keys));
        for rows in [1, 2, 3, 4, 6, 9, 13, 17, 24] {
            for columns in [1, 2, 7, 39, 61, 119, 120, 133] {
                update(&mut model, Msg::Resized(columns, rows));
                drawn(&model, (columns, rows));
                press(&mut model, (columns, rows), &[KeyCode::PageDown, KeyCode::PageUp]);
            }
        }
    }
}

#[test]
fn the_footer_offers_only_keys_that_do_something() {
    for keys in ["", "1", "3", "\n", "\nG", "?", "p"] {
        for events in [&[][..], &live(&recorded()), &recorded()] {
            let mut before = model(events);
            press(&mut before, SMALL, &codes(keys));
            for binding in keymap::BINDINGS.iter().filter(|binding| binding.hint.is_some()) {
                let key = binding.keys[0];
                let mut after = before.clone();
                let effects = update(&mut after, Msg::Key(KeyEvent::new(key.code, KeyModifiers::NONE)));
                let acts = !effects.is_empty() || drawn(&after, SMALL).1 != drawn(&before, SMALL).1;
                assert_eq!(
                    keymap::does_something(&before, binding.command),
                    acts,
                    "after {keys:?}, {}",
                    key.name()
                );
            }
        }
    }
}

#[test]
fn counts_rise_between_two_tellings_of_an_alert() {
    let events = live(&recorded());
    let refused = events
        .iter()
        .filter(|event| matches!(event, Event::Finding(finding) if finding.rule == "time-wait-collision"))
        .count();
    // Told at 1, 2, 4 and 8; the end, which tells all, is cut off.
    let open: Vec<_> = events
        .into_iter()
        .filter(|event| !matches!(event, Event::Alert(alert) if alert.count as usize > 8))
        .collect();
    let model = model(&open);
    let alerts = model.shown().alerts_in_order();
    assert_eq!((alerts[0].alert.count, alerts[0].count), (8, refused as u64));
    assert_eq!(refused, 11);
}

#[test]
fn memory_is_bounded_and_what_was_dropped_is_counted() {
    let mut model = model(&[]);
    let events = recorded();
    let flow = events.iter().find_map(|event| if let Event::Flow(flow) = event { Some(flow) } else { None });
    let alert =
        events.iter().find_map(|event| if let Event::Alert(alert) = event { Some(alert) } else { None });
    let finding =
        events.iter().find_map(|event| if let Event::Finding(it) = event { Some(it) } else { None });
    for at in 0..20_000_u32 {
        let mut flow: FlowEvent = flow.unwrap().clone();
        flow.client.set_port(at as u16);
        flow.when = When(Timestamp::from_micros(u64::from(at)));
        let mut alert = alert.unwrap().clone();
        alert.id = u64::from(at);
        fold(&mut model, &[Event::Flow(flow), Event::Finding(finding.unwrap().clone()), Event::Alert(alert)]);
    }
    let watched = model.shown();
    assert!(watched.flows.len() <= MAX_FLOWS);
    assert_eq!(watched.alerts.len(), MAX_ALERTS);
    assert_eq!(watched.findings.len(), MAX_FINDINGS);
    assert_eq!(watched.forgotten.flows, 20_000 - watched.flows.len() as u64);
    assert_eq!(watched.forgotten.alerts, 20_000 - MAX_ALERTS as u64);
    assert!(drawn(&model, LARGE).1.contains("older not kept"));
}

#[test]
fn a_frozen_view_stands_still_and_counts_what_it_misses() {
    let events = live(&recorded());
    let (early, late) = events.split_at(12);
    let mut model = model(early);
    let before = drawn(&model, SMALL).1;
    press(&mut model, SMALL, &[KeyCode::Char('p')]);
    fold(&mut model, late);
    let frozen = drawn(&model, SMALL).1;
    let unseen = format!("FROZEN, {} unseen", late.len());
    assert!(frozen.contains(&unseen), "{frozen}");
    let body = |text: &str| text.lines().skip(1).take(22).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&frozen), body(&before));
    press(&mut model, SMALL, &[KeyCode::Char('p')]);
    assert!(drawn(&model, SMALL).1.contains("11 times"));
}

#[test]
fn losses_are_always_in_sight() {
    let mut events = live(&recorded());
    events.push(lost(12));
    let mut model = model(&events);
    for keys in ["", "\n", "?"] {
        press(&mut model, SMALL, &codes(keys));
        let text = drawn(&model, SMALL).1;
        assert!(text.contains("12 lost, 1 gap"), "{text}");
    }
}

#[test]
fn a_stream_that_breaks_off_says_so() {
    let mut model = model(&live(&recorded()));
    update(&mut model, Msg::StreamOver);
    let text = drawn(&model, SMALL).1;
    assert!(text.contains("broke off before its summary"), "{text}");
}

#[test]
fn the_choice_stays_with_its_alert_when_rows_move() {
    let events = live(&recorded());
    let warning =
        events.iter().position(|event| matches!(event, Event::Alert(alert) if alert.id == 2)).unwrap();
    let mut model = model(&events[..=warning]);
    press(&mut model, SMALL, &[KeyCode::Char('j')]);
    let chosen = model.explained();
    let mut graver = events.iter().find_map(|event| match event {
        Event::Alert(alert) if alert.id == 1 => Some(alert.clone()),
        _ => None,
    });
    graver.as_mut().unwrap().id = 9;
    fold(&mut model, &[Event::Alert(graver.unwrap())]);
    assert_eq!(model.explained(), chosen);
}

#[test]
fn the_loop_quits_exports_and_survives_a_suspension() {
    let mut console = Script::of(&[key('e'), ctrl('z'), key('e'), key('q')]);
    let mut exports = Exports::default();
    let ended = watch(&mut console, &mut exports, recorded(), true, &AtomicBool::new(false)).unwrap();
    assert_eq!((ended, exports.0, console.suspended), (Ended::Quit, 2, 1));
    assert!(console.last.contains("Ended. 10.77.0.2 refused 11 SYNs"), "{}", console.last);
    assert!(console.last.contains("no report: full"), "{}", console.last);
}

#[test]
fn the_loop_ends_with_the_stream_unless_asked_to_stay() {
    let mut console = Script::of(&[]);
    watch(&mut console, &mut Exports::default(), recorded(), false, &AtomicBool::new(false)).unwrap();
}

#[test]
fn the_loop_obeys_the_stop_flag() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
        });
        watch(&mut Script::of(&[]), &mut Exports::default(), recorded(), true, &stop).unwrap();
    });
}

#[test]
fn a_flood_neither_delays_keys_nor_draws_more_than_thirty_frames_a_second() {
    let (sender, receiver) = channel();
    let stop = AtomicBool::new(false);
    let events = recorded();
    let mut console = Script::of(&[]);
    console.quit_after = Some(Duration::from_millis(700));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Far more than 10,000 a second: the channel is never empty.
            for event in events.iter().filter(|event| !matches!(event, Event::Summary(_))).cycle() {
                if sender.send(event.clone()).is_err() || stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let ended = run_on(&mut console, &receiver, options(true), &stop, &mut Exports::default()).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ended, Ended::Quit);
    });
    let seconds = begun.elapsed().as_secs_f64();
    assert!(console.drawn as f64 <= 30.0 * seconds + 1.0, "{} frames in {seconds} s", console.drawn);
    assert!(console.drawn > 2, "{} frames in {seconds} s", console.drawn);
    assert!(
        console.longest_away < Duration::from_millis(300),
        "no look at the keys for {:?}",
        console.longest_away
    );
}

#[test]
fn a_terminal_that_is_gone_ends_the_loop() {
    let mut console = Script::of(&[]);
    console.gone = true;
    assert!(watch(&mut console, &mut Exports::default(), recorded(), true, &AtomicBool::new(false)).is_err());
}

#[test]
fn keys_with_alt_and_releases_do_nothing() {
    let mut model = model(&recorded());
    let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
    assert!(update(&mut model, Msg::Key(alt)).is_empty());
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(update(&mut model, Msg::Key(ctrl_c)), [Effect::Quit]);
}

// ---- tools ----

fn recorded() -> Vec<Event> {
    RECORDED.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same stream as it comes from a wire, before its end.
fn live(events: &[Event]) -> Vec<Event> {
    let mut events: Vec<_> =
        events.iter().filter(|event| !matches!(event, Event::Summary(_))).cloned().collect();
    if let Some(Event::Start(start)) = events.first_mut() {
        "live".clone_into(&mut start.source);
        "tap0".clone_into(&mut start.name);
    }
    // At the end of the run every alert ended; a wire has not come to that.
    events.retain(|event| {
        !matches!(event, Event::Alert(alert) if alert.phase == esp_tcpwatch::analysis::rule::AlertPhase::Ended)
    });
    events
}

fn lost(dropped: u64) -> Event {
    Event::Capture(CaptureEvent {
        when: When(at(75)),
        quality: CaptureQuality { received: 46, dropped, gaps: 1 },
        text: format!("{dropped} frames were lost: the kernel's capture buffer was full."),
    })
}

/// Seconds after the recording's beginning.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros((1_795_391_028 + seconds) * 1_000_000)
}

fn model(events: &[Event]) -> Model {
    let mut model = Model::new("demo".to_owned(), Theme::default());
    fold(&mut model, events);
    model
}

fn fold(model: &mut Model, events: &[Event]) {
    for event in events {
        update(model, Msg::Event(Box::new(event.clone())));
    }
}

fn press(model: &mut Model, size: (u16, u16), keys: &[KeyCode]) {
    update(model, Msg::Resized(size.0, size.1));
    for code in keys {
        update(model, Msg::Key(KeyEvent::new(*code, KeyModifiers::NONE)));
    }
}

fn codes(keys: &str) -> Vec<KeyCode> {
    keys.chars().map(|c| if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) }).collect()
}

fn drawn(model: &Model, (columns, rows): (u16, u16)) -> (Buffer, String) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let text = text(&buffer);
    (buffer, text)
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(buffer.area.width).max(1)) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn shows(name: &str, model: &Model, size: (u16, u16)) {
    let mut model = model.clone();
    update(&mut model, Msg::Resized(size.0, size.1));
    insta::assert_snapshot!(name, drawn(&model, size).1);
}

fn options(keep_open_at_end: bool) -> TuiOptions {
    TuiOptions { title: "demo".to_owned(), keep_open_at_end, ..TuiOptions::default() }
}

fn watch(
    console: &mut Script,
    host: &mut dyn Host,
    events: Vec<Event>,
    keep_open_at_end: bool,
    stop: &AtomicBool,
) -> io::Result<Ended> {
    let (sender, receiver) = channel();
    for event in events {
        sender.send(event).unwrap();
    }
    drop(sender);
    run_on(console, &receiver, options(keep_open_at_end), stop, host)
}

fn key(c: char) -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

fn ctrl(c: char) -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

/// A terminal that plays keys, one at each look that follows a frame, and keeps what was drawn last.
struct Script {
    keys: VecDeque<Msg>,
    may_press: bool,
    last: String,
    drawn: u64,
    suspended: u32,
    gone: bool,
    begun: Instant,
    quit_after: Option<Duration>,
    looked: Instant,
    longest_away: Duration,
}

impl Script {
    fn of(keys: &[Msg]) -> Script {
        let now = Instant::now();
        Script {
            keys: keys.iter().cloned().collect(),
            may_press: false,
            last: String::new(),
            drawn: 0,
            suspended: 0,
            gone: false,
            begun: now,
            quit_after: None,
            looked: now,
            longest_away: Duration::ZERO,
        }
    }
}

impl Console for Script {
    fn size(&mut self) -> io::Result<(u16, u16)> {
        Ok(SMALL)
    }

    fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.last = drawn(model, SMALL).1;
        self.drawn += 1;
        self.may_press = true;
        Ok(())
    }

    fn input(&mut self, wait: Duration) -> io::Result<Option<Msg>> {
        self.longest_away = self.longest_away.max(self.looked.elapsed());
        if self.quit_after.is_some_and(|after| self.begun.elapsed() > after) {
            return Ok(Some(key('q')));
        }
        let next = if std::mem::take(&mut self.may_press) { self.keys.pop_front() } else { None };
        if next.is_none() {
            std::thread::sleep(wait);
        }
        self.looked = Instant::now();
        Ok(next)
    }

    fn suspend(&mut self) -> io::Result<(u16, u16)> {
        self.suspended += 1;
        Ok(SMALL)
    }

    fn check(&self) -> io::Result<()> {
        if self.gone { Err(io::Error::other("hung up")) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Exports(u32);

impl Host for Exports {
    fn export_report(&mut self) -> Result<String, String> {
        self.0 += 1;
        if self.0 == 1 { Ok("report.md".to_owned()) } else { Err("full".to_owned()) }
    }
}
