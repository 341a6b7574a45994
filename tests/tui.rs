//! The screens over a recorded stream: what each shows, at two sizes, and what no stream and no key may break.
#![cfg(feature = "tui")]

mod story;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use esp_tcpwatch::analysis::{
    event::{CaptureEvent, CaptureQuality, Event, FlowEvent, MarkerEvent, ProgressEvent},
    input::{ArmProgress, Doing, Progress},
    time::{Timestamp, When},
};
use esp_tcpwatch::tui::{
    Answer, Ended, Host, Keymap, ThemeName, TuiOptions,
    event_loop::{Console, run_on},
    keymap,
    model::{Model, Screen},
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
const USUAL: (u16, u16) = (130, 44);
const LARGE: (u16, u16) = (200, 60);

/// Every screen, at a small and a usual size, with nothing, little, much, and with names that want more room than
/// there is.
#[test]
fn each_screen_with_nothing_little_much_and_long_names() {
    for (name, events) in [
        ("nothing", Vec::new()),
        ("one-device", live(&recorded())),
        ("forty-alerts", forty_alerts()),
        ("long-names", long_names()),
    ] {
        // The help is the same, whatever came.
        for screen in Screen::ALL.into_iter().filter(|screen| *screen != Screen::Help || events.is_empty()) {
            let mut model = model(&events);
            press(&mut model, SMALL, &[number(screen)]);
            for size in [SMALL, USUAL] {
                let file = format!("{name}_{}_{}x{}", screen.name().to_lowercase(), size.0, size.1);
                shows(&file, &model, size);
            }
        }
    }
}

#[test]
fn while_a_port_is_refused() {
    let model = model(&live(&recorded()));
    shows("refused_200x60", &model, LARGE);
}

/// The device's screen while an experiment runs on it and when it is over, with nothing seen yet, with one device and
/// forty alerts, and with names that want more room than there is.
#[test]
fn an_experiment_shows_how_far_it_is() {
    for (name, events, told) in [
        ("begins", Vec::new(), begun()),
        ("one-device", live(&recorded()), experiment(Doing::Block)),
        ("forty-alerts", forty_alerts(), experiment(Doing::Settling)),
        ("long-names", long_names(), long_experiment()),
        ("over", live(&recorded()), experiment(Doing::Over)),
    ] {
        let mut model = model(&events);
        fold(&mut model, &[told]);
        press(&mut model, SMALL, &[number(Screen::Device)]);
        for size in [SMALL, USUAL] {
            shows(&format!("experiment_{name}_{}x{}", size.0, size.1), &model, size);
        }
    }
}

#[test]
fn while_an_experiment_runs_the_device_is_its_own_to_switch() {
    let mut model = model(&live(&recorded()));
    assert!(keymap::does_something(&model, keymap::Command::Mode));
    fold(&mut model, &[experiment(Doing::Block)]);
    assert!(!keymap::does_something(&model, keymap::Command::Mode));
    let text = drawn(&model, USUAL).1;
    assert!(text.contains("experiment: block 3 of 8 fixed, about 40 s left"), "{text}");
    update(&mut model, Msg::Silent(Duration::from_secs(34)));
    assert!(drawn(&model, USUAL).1.contains("about 5 s left"), "it counts down: {}", drawn(&model, USUAL).1);
    fold(&mut model, &[experiment(Doing::Over)]);
    assert!(!keymap::does_something(&model, keymap::Command::Mode));
    assert!(drawn(&model, USUAL).1.contains("experiment is over"), "{}", drawn(&model, USUAL).1);
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
    press(&mut model, (80, 60), &[KeyCode::Char('?')]);
    let text = drawn(&model, (80, 60)).1;
    for binding in keymap::BINDINGS {
        assert!(text.contains(&binding.keys[0].name()), "{:?} is not in the help:\n{text}", binding.command);
    }
    let keymap = Keymap::with([("freeze", vec!["F7"]), ("mark", vec![])]).unwrap();
    model.keymap = keymap;
    let text = drawn(&model, (80, 50)).1;
    assert!(text.contains(" F7 ") && !text.contains("drop a marker"), "{text}");
}

#[test]
fn ascii_draws_nothing_else() {
    let mut events = live(&recorded());
    for event in &mut events {
        if let Event::Alert(alert) = event {
            alert.title = "Gerät → verweigert".to_owned();
        }
    }
    for keys in ["", "\n", "\n\n", "2", "3", "4", "5", "?", "m", "m\n", "mG\n", "M"] {
        let mut model = Model::new("demo".to_owned(), Theme { ascii: true, ..Theme::default() });
        fold(&mut model, &events);
        press(&mut model, LARGE, &codes(keys));
        for size in [SMALL, LARGE] {
            let text = drawn(&model, size).1;
            let strange: Vec<_> = text.chars().filter(|c| !c.is_ascii()).collect();
            assert!(strange.is_empty(), "{strange:?} in\n{text}");
        }
    }
    let mut model = Model::new("demo".to_owned(), Theme { ascii: true, ..Theme::default() });
    fold(&mut model, &live(&recorded()));
    shows("ascii_80x24", &model, SMALL);
}

#[test]
fn without_colour_no_cell_has_one() {
    let mut model = Model::new("demo".to_owned(), Theme { no_color: true, ..Theme::default() });
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
                alert.mode = Some(evil.clone());
            }
            Event::Finding(finding) => {
                finding.text.clone_from(&evil);
                for row in &mut finding.evidence {
                    row.role = evil.clone().into();
                    row.flags = evil.clone().into();
                }
            }
            Event::Device(device) => {
                device.facts.mac = Some(evil.clone());
                device.facts.note = Some(evil.clone());
                device.facts.mode = Some(evil.clone());
            }
            Event::Flow(flow) => flow.client_state.clone_from(&evil),
            Event::Summary(summary) => {
                summary.verdict.clone_from(&evil);
                summary.devices.clear();
            }
            Event::Segment(_) | Event::Capture(_) | Event::Marker(_) | Event::Progress(_) => {}
        }
    }
    events.push(Event::Marker(MarkerEvent::note(at(80), evil.clone())));
    for verdict in [None, Some(evil.as_str())] {
        events.push(progress(Doing::Block, &[(&evil, verdict), ("fixed", verdict)], &evil, verdict));
    }
    for keys in ["", "\n", "\n\n", "2", "3", "3\n", "4", "5", "m", "m\n", "c", "/"] {
        let mut model = model(&events);
        press(&mut model, LARGE, &codes(keys));
        update(&mut model, Msg::Pasted(evil.clone()));
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
    events.push(experiment(Doing::Block));
    events.push(lost(12));
    for keys in ["", "2", "3", "\nG", "5", "3\nG", "?G", "m", "mG\n", "m\n", "M", "/x"] {
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
    for keys in ["", "2", "3", "4", "5", "\n", "\nG", "\n\n", "3\n", "?", "p", "/zz\n", "3/77\n"] {
        for events in [&[][..], &live(&recorded()), &recorded()] {
            let mut before = model(events);
            press(&mut before, SMALL, &codes(keys));
            for binding in keymap::BINDINGS.iter().filter(|binding| binding.hint.is_some()) {
                let key = binding.keys[0];
                let mut after = before.clone();
                let effects = update(&mut after, Msg::Key(KeyEvent::new(key.code, KeyModifiers::NONE)));
                let acts = !effects.is_empty()
                    || drawn(&after, SMALL).1 != drawn(&before, SMALL).1
                    || drawn(&after, SMALL).0 != drawn(&before, SMALL).0;
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
    for keys in ["", "\n", "?", "3", "4", "5", "m"] {
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
    assert_eq!((ended, exports.exported, console.suspended), (Ended::Quit, 2, 1));
    assert!(console.last.contains("Ended. 10.77.0.2 refused 11 SYNs"), "{}", console.last);
    assert!(console.last.contains("no report: full"), "{}", console.last);
}

#[test]
fn keys_lead_from_an_alert_to_its_flow_and_back() {
    let console = played(&[enter(), enter()], &mut Exports::default());
    assert!(console.last.contains("Flow 10.77.0.1:40000 → 10.77.0.2:80"), "{}", console.last);
    let console = played(&[enter(), enter(), esc(), esc()], &mut Exports::default());
    assert!(console.last.contains("▸ Alerts 1/"), "{}", console.last);
}

#[test]
fn a_device_is_switched_only_after_the_person_has_read_what_is_sent() {
    // Down to `fixed`; asked; gone back; asked again and sent.
    let mut keys = vec![key('m'), key('j'), enter(), esc()];
    let mut host = Exports::default();
    let console = played(&keys, &mut host);
    assert!(console.last.contains("╭ Switch 10.77.0.2"), "{}", console.last);
    assert!(host.switched.is_empty());

    keys.push(enter());
    let console = played(&keys, &mut host);
    assert!(
        console.last.contains("mode fixed\n") || console.last.contains("mode fixed "),
        "{}",
        console.last
    );
    assert!(host.switched.is_empty());

    keys.push(enter());
    let console = played(&keys, &mut host);
    assert_eq!(host.switched, ["10.77.0.2 fixed"]);
    assert!(console.last.contains("10.77.0.2 is in mode fixed now"), "{}", console.last);
}

#[test]
fn a_switch_that_is_refused_says_why() {
    struct Refuses;
    impl Host for Refuses {
        fn export_report(&mut self) -> Result<String, String> {
            Err("no".to_owned())
        }
    }
    let console = played(&[key('m'), enter(), enter()], &mut Refuses);
    assert!(
        console.last.contains("10.77.0.2 is not switched: devices are switched while they are watched live"),
        "{}",
        console.last
    );
}

#[test]
fn a_change_in_the_persons_own_words_is_sent_as_it_was_typed() {
    let mut keys = vec![key('m'), key('G'), enter()];
    keys.extend("3000".chars().map(key));
    keys.extend([Msg::Pasted("\n ".to_owned()), enter(), enter()]);
    let mut host = Exports::default();
    played(&keys, &mut host);
    assert_eq!(host.switched, ["10.77.0.2 msl_ms=3000"]);
}

#[test]
fn a_note_is_typed_and_dropped() {
    let mut keys = vec![key('M')];
    // Keys that mean something elsewhere are letters here.
    keys.extend("quit? 1st".chars().map(key));
    keys.push(enter());
    let mut host = Exports::default();
    let console = played(&keys, &mut host);
    assert_eq!(host.notes, ["quit? 1st"]);
    assert!(console.last.contains("✓ note dropped"), "{}", console.last);
}

#[test]
fn copying_says_what_was_copied() {
    for (keys, copied) in [
        (vec![key('5'), key('c')], "10.77.0.2"),
        (
            vec![key('3'), key('c')],
            "ip.addr == 10.77.0.1 && ip.addr == 10.77.0.2 && tcp.port == 40000 && tcp.port == 80",
        ),
        (vec![key('c')], "time-wait-collision (critical, proven): "),
    ] {
        let console = played(&keys, &mut Exports::default());
        assert!(console.copied.starts_with(copied), "{}", console.copied);
        assert!(console.last.contains("✓ copied "), "{}", console.last);
    }
}

#[test]
fn a_filter_hides_what_lacks_a_word_and_esc_brings_it_back() {
    let mut model = model(&live(&recorded()));
    press(&mut model, SMALL, &codes("2/ignored-rst WARNING\n"));
    let text = drawn(&model, SMALL).1;
    assert!(text.contains("Alerts 1/1 with \"ignored-rst warning\""), "{text}");
    assert!(text.contains("all of it"), "{text}");
    // Given up while it is typed, the one before is back.
    press(&mut model, SMALL, &codes("/zzz"));
    assert!(drawn(&model, SMALL).1.contains("No alert has these words."));
    press(&mut model, SMALL, &[KeyCode::Esc]);
    assert!(drawn(&model, SMALL).1.contains("Alerts 1/1 with"));
    press(&mut model, SMALL, &[KeyCode::Esc]);
    assert!(drawn(&model, SMALL).1.contains("Alerts 1/2"), "{}", drawn(&model, SMALL).1);
}

#[test]
fn flows_are_sorted_by_the_column_that_says_so() {
    let mut model = model(&forty_alerts());
    press(&mut model, LARGE, &codes("3"));
    let order = |model: &Model| {
        let shown: Vec<u16> = model.flows().iter().map(|(key, _)| key.0.port()).collect();
        shown
    };
    let newest_first = order(&model);
    press(&mut model, LARGE, &codes("S"));
    assert_eq!(order(&model), newest_first.iter().rev().copied().collect::<Vec<_>>());
    press(&mut model, LARGE, &codes("Ss"));
    let mut by_port = newest_first.clone();
    by_port.sort_unstable();
    assert_eq!(order(&model), by_port);
    assert!(drawn(&model, LARGE).1.contains("by addresses"), "{}", drawn(&model, LARGE).1);
    // All the way round, and each column has its arrow.
    for _ in 0..9 {
        let text = drawn(&model, LARGE).1;
        assert!(text.contains('▼'), "{text}");
        press(&mut model, LARGE, &codes("s"));
    }
    assert_eq!(order(&model), newest_first);
}

#[test]
fn the_mouse_chooses_opens_scrolls_and_changes_screens() {
    let mut model = model(&forty_alerts());
    press(&mut model, SMALL, &codes("2"));
    let row_of = |model: &Model, text: &str| {
        drawn(model, SMALL).1.lines().position(|line| line.contains(text)).unwrap() as u16
    };
    let third = row_of(&model, "Alerts 1/40") + 3;
    click(&mut model, 10, third);
    assert!(drawn(&model, SMALL).1.contains("Alerts 3/40"), "{}", drawn(&model, SMALL).1);
    click(&mut model, 10, third);
    assert!(model.open.is_some());
    let before = drawn(&model, SMALL).1;
    mouse(&mut model, MouseEventKind::ScrollDown, 10, 10);
    assert_ne!(drawn(&model, SMALL).1, before);
    let tab = drawn(&model, SMALL).1.lines().nth(1).unwrap().find("5 Device").unwrap() as u16;
    click(&mut model, tab, 1);
    assert_eq!(model.screen, Screen::Device);
    // Nowhere, beyond everything, and while a question is open.
    click(&mut model, 500, 500);
    click(&mut model, 0, 23);
    press(&mut model, SMALL, &codes("m"));
    click(&mut model, tab, 1);
    assert_eq!(model.screen, Screen::Device);
}

#[test]
fn an_alarm_that_is_over_leaves_the_banner() {
    let mut events = live(&recorded());
    let mut ended = events
        .iter()
        .find_map(|event| match event {
            Event::Alert(alert) if alert.id == 1 => Some(alert.clone()),
            _ => None,
        })
        .unwrap();
    ended.phase = esp_tcpwatch::analysis::rule::AlertPhase::Ended;
    ended.when = When(at(100));
    events.push(Event::Alert(ended));
    let mut model = model(&events);
    assert!(drawn(&model, SMALL).1.contains("over "), "{}", drawn(&model, SMALL).1);
    update(&mut model, Msg::Silent(Duration::from_secs(31)));
    assert!(!drawn(&model, SMALL).1.contains("CRITICAL:"), "{}", drawn(&model, SMALL).1);
    assert!(drawn(&model, SMALL).1.contains("over: "), "the list keeps it");
}

#[test]
fn each_theme_colours_every_cell_as_it_says() {
    for name in ThemeName::ALL {
        let mut model = Model::new("demo".to_owned(), Theme { name, ..Theme::default() });
        fold(&mut model, &live(&recorded()));
        let (buffer, text) = drawn(&model, LARGE);
        let own_ground = matches!(name, ThemeName::Dark | ThemeName::Light);
        let bare = buffer.content().iter().filter(|cell| cell.bg == Color::Reset).count();
        assert_eq!(bare == 0, own_ground, "{name}: {bare} cells without a ground");
        let mut plain = Model::new("demo".to_owned(), Theme { no_color: true, name, ..Theme::default() });
        fold(&mut plain, &live(&recorded()));
        // No colour says anything that the text does not.
        assert_eq!(drawn(&plain, LARGE).1, text);
        assert!(
            drawn(&plain, LARGE)
                .0
                .content()
                .iter()
                .all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset))
        );
    }
}

#[test]
fn a_rebound_key_works_and_the_footer_names_it() {
    let mut model = model(&live(&recorded()));
    model.keymap = Keymap::with([("freeze", vec!["f"]), ("quit", vec!["Q"])]).unwrap();
    assert!(drawn(&model, LARGE).1.contains("f freeze"));
    press(&mut model, LARGE, &codes("f"));
    assert!(model.is_frozen());
    press(&mut model, LARGE, &codes("p"));
    assert!(model.is_frozen());
    assert_eq!(update(&mut model, key('q')), []);
    assert_eq!(update(&mut model, key('Q')), [Effect::Quit]);
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
fn a_flood_neither_delays_keys_nor_draws_more_than_fifteen_frames_a_second() {
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
    assert!(console.drawn as f64 <= 15.0 * seconds + 1.0, "{} frames in {seconds} s", console.drawn);
    assert!(console.drawn > 2, "{} frames in {seconds} s", console.drawn);
    assert!(
        console.longest_away < Duration::from_millis(300),
        "no look at the keys for {:?}",
        console.longest_away
    );
}

#[test]
fn a_key_has_its_frame_before_more_events_are_looked_at() {
    let (sender, receiver) = channel();
    for _ in 0..200 {
        for event in live(&recorded()) {
            sender.send(event).unwrap();
        }
    }
    let mut console = Prompt { keys: ['3', '1'].into(), waits: false, looks: 0, most: 0 };
    run_on(&mut console, &receiver, options(true), &AtomicBool::new(false), &mut Exports::default()).unwrap();
    // One look for more keys; without any wait for the next regular frame.
    assert_eq!(console.most, 1);
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
    console.after = events.len() as u64;
    for event in events {
        sender.send(event).unwrap();
    }
    drop(sender);
    run_on(console, &receiver, options(keep_open_at_end), stop, host)
}

/// Plays `keys` while the recorded stream goes on, and quits; what was shown last.
fn played(keys: &[Msg], host: &mut dyn Host) -> Script {
    let mut console = Script::of(keys);
    console.quits = true;
    let (sender, receiver) = channel();
    for event in live(&recorded()) {
        console.after += 1;
        sender.send(event).unwrap();
    }
    run_on(&mut console, &receiver, options(true), &AtomicBool::new(false), host).unwrap();
    drop(sender);
    console
}

fn key(c: char) -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

fn enter() -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE))
}

fn esc() -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE))
}

fn number(screen: Screen) -> KeyCode {
    let at = Screen::ALL.iter().position(|known| *known == screen).unwrap();
    KeyCode::Char(char::from_digit(at as u32 + 1, 10).unwrap())
}

fn mouse(model: &mut Model, kind: MouseEventKind, column: u16, row: u16) {
    update(model, Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

fn click(model: &mut Model, column: u16, row: u16) {
    mouse(model, MouseEventKind::Down(MouseButton::Left), column, row);
}

/// Forty alerts of five devices and all severities, each with a flow of its own.
fn forty_alerts() -> Vec<Event> {
    use esp_tcpwatch::analysis::rule::Severity;
    let mut events = live(&recorded());
    let alerts: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Alert(alert) = event { Some(alert.clone()) } else { None })
        .collect();
    let device = events
        .iter()
        .rev()
        .find_map(|event| if let Event::Device(device) = event { Some(device.clone()) } else { None })
        .unwrap();
    let flow = events
        .iter()
        .rev()
        .find_map(|event| if let Event::Flow(flow) = event { Some(flow.clone()) } else { None })
        .unwrap();
    events.retain(|event| !matches!(event, Event::Alert(_)));
    for number in 0..40_u64 {
        let address = std::net::Ipv4Addr::new(10, 77, 0, 2 + (number % 5) as u8).into();
        let mut device = device.clone();
        device.facts.address = address;
        device.facts.mode = Some(["unfixed", "fixed"][number as usize % 2].to_owned());
        let mut flow = flow.clone();
        flow.device = Some(address);
        flow.server.set_ip(address);
        flow.client.set_port(40_100 + number as u16 * 7 % 40);
        flow.when = When(at(72 + number / 10));
        let mut alert = alerts[number as usize % alerts.len()].clone();
        alert.id = number + 1;
        alert.device = address;
        alert.server.set_ip(address);
        alert.severity =
            [Severity::Notice, Severity::Warning, Severity::Info, Severity::Critical][number as usize % 4];
        alert.count = 1 + number * number;
        alert.mode = device.facts.mode.clone();
        alert.last = at(70 - number);
        events.extend([Event::Device(device), Event::Flow(flow), Event::Alert(alert)]);
    }
    events
}

/// An experiment on the recorded device, of these arms and their verdicts.
fn progress(doing: Doing, arms: &[(&str, Option<&str>)], last: &str, verdict: Option<&str>) -> Event {
    let told = Progress {
        device: "10.77.0.2".parse().unwrap(),
        doing,
        arm: Some("fixed".to_owned()),
        block: 3,
        blocks: 8,
        requests: 12,
        arms: arms
            .iter()
            .zip([(2, 20, 61, 43), (1, 0, 0, 0)])
            .map(|((arm, verdict), (blocks, failed, collisions, ignored_rsts))| ArmProgress {
                arm: (*arm).to_owned(),
                blocks,
                planned: 4,
                reuses: blocks * 10,
                failed,
                stalled: failed,
                collisions,
                ignored_rsts,
                verdict: verdict.map(str::to_owned),
            })
            .collect(),
        left_s: Some(40.0),
        last: Some(last.to_owned()),
        verdict: verdict.map(str::to_owned),
    };
    Event::Progress(ProgressEvent { when: When(at(72)), progress: told })
}

fn experiment(doing: Doing) -> Event {
    let last = "2/8 unfixed 10 of 10 reused ports suffered, 30 refused SYNs (21.4 s)";
    if doing == Doing::Over {
        let verdict = "Every arm behaves as it declares. fixed: reused ports were refused less often.";
        let arms = [("unfixed", Some("shows the bug")), ("fixed", Some("removed"))];
        return progress(doing, &arms, last, Some(verdict));
    }
    progress(doing, &[("unfixed", None), ("fixed", None)], last, None)
}

/// Its first word, before anything is known.
fn begun() -> Event {
    let Event::Progress(mut told) = experiment(Doing::Control) else { panic!("progress was meant") };
    told.progress.arm = Some("unfixed".to_owned());
    told.progress.left_s = None;
    told.progress.last = None;
    for arm in &mut told.progress.arms {
        (arm.blocks, arm.reuses, arm.failed, arm.stalled) = (0, 0, 0, 0);
        (arm.collisions, arm.ignored_rsts) = (0, 0);
    }
    told.progress.requests = 0;
    Event::Progress(told)
}

fn long_experiment() -> Event {
    let arm = "close=keep-alive+msl_ms=6000+pcb_cap=12+rst_in_time_wait=honour+syn_in_time_wait";
    let Event::Progress(mut told) = progress(Doing::Block, &[(arm, None), ("fixed", None)], arm, None) else {
        panic!("progress was meant")
    };
    told.progress.device = LONG_ADDRESS.parse().unwrap();
    told.progress.arm = Some(arm.to_owned());
    for arm in &mut told.progress.arms {
        arm.collisions = u64::MAX;
    }
    Event::Progress(told)
}

const LONG_ADDRESS: &str = "fd12:3456:789a:bcde:f012:3456:789a:bcde";

/// Everything that has a name has a long one.
fn long_names() -> Vec<Event> {
    let long = "a-name-that-goes-on-and-on-日本語-and-does-not-end-where-one-would-expect-it-to-end-at-all";
    let mut events = live(&recorded());
    let address: std::net::IpAddr = LONG_ADDRESS.parse().unwrap();
    for event in &mut events {
        match event {
            Event::Start(start) => start.name = long.to_owned(),
            Event::Alert(alert) => {
                alert.rule = long.to_owned();
                alert.title = format!("{address} {long} {long}");
                alert.device = address;
                alert.server.set_ip(address);
                alert.mode = Some(long.to_owned());
            }
            Event::Finding(finding) => {
                finding.rule = long.into();
                finding.device = address;
                finding.server.set_ip(address);
                finding.client.set_ip(address);
            }
            Event::Device(device) => {
                device.facts.address = address;
                device.facts.mode = Some(long.to_owned());
                device.facts.note = Some(long.to_owned());
            }
            Event::Flow(flow) => {
                flow.device = Some(address);
                flow.server.set_ip(address);
                flow.client.set_ip(address);
            }
            Event::Segment(_) | Event::Capture(_) | Event::Marker(_) => {}
            Event::Progress(_) | Event::Summary(_) => {}
        }
    }
    events
}

fn ctrl(c: char) -> Msg {
    Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

/// A terminal that plays keys, one at each look that follows a frame, and keeps what was drawn last.
struct Script {
    keys: VecDeque<Msg>,
    /// Not before so many events were folded, however slow this machine is.
    after: u64,
    may_press: bool,
    last: String,
    drawn: u64,
    suspended: u32,
    gone: bool,
    begun: Instant,
    quit_after: Option<Duration>,
    looked: Instant,
    longest_away: Duration,
    copied: String,
    /// Quit after the last key, once a frame of what it did was drawn.
    quits: bool,
    drawn_at_key: u64,
}

impl Script {
    fn of(keys: &[Msg]) -> Script {
        let now = Instant::now();
        Script {
            keys: keys.iter().cloned().collect(),
            after: 0,
            may_press: false,
            last: String::new(),
            drawn: 0,
            suspended: 0,
            gone: false,
            begun: now,
            quit_after: None,
            looked: now,
            longest_away: Duration::ZERO,
            copied: String::new(),
            quits: false,
            drawn_at_key: 0,
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
        self.may_press = model.events() >= self.after;
        Ok(())
    }

    fn input(&mut self, wait: Duration) -> io::Result<Option<Msg>> {
        self.longest_away = self.longest_away.max(self.looked.elapsed());
        if self.quit_after.is_some_and(|after| self.begun.elapsed() > after) {
            return Ok(Some(key('q')));
        }
        let next = if std::mem::take(&mut self.may_press) { self.keys.pop_front() } else { None };
        if next.is_some() {
            self.drawn_at_key = self.drawn;
        } else if self.quits && self.keys.is_empty() && self.drawn > self.drawn_at_key {
            return Ok(Some(Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))));
        }
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

    fn copy(&mut self, text: &str) -> io::Result<()> {
        text.clone_into(&mut self.copied);
        Ok(())
    }

    fn check(&mut self) -> io::Result<Option<(u16, u16)>> {
        if self.gone { Err(io::Error::other("hung up")) } else { Ok(None) }
    }
}

/// A terminal whose person presses a key as soon as there is a frame, and counts the looks until the next one.
struct Prompt {
    keys: VecDeque<char>,
    waits: bool,
    looks: u32,
    most: u32,
}

impl Console for Prompt {
    fn size(&mut self) -> io::Result<(u16, u16)> {
        Ok(SMALL)
    }

    fn draw(&mut self, _: &Model) -> io::Result<()> {
        self.waits = false;
        Ok(())
    }

    fn input(&mut self, _: Duration) -> io::Result<Option<Msg>> {
        if self.waits {
            self.looks += 1;
            self.most = self.most.max(self.looks);
            return Ok(None);
        }
        (self.waits, self.looks) = (true, 0);
        Ok(Some(key(self.keys.pop_front().unwrap_or('q'))))
    }

    fn suspend(&mut self) -> io::Result<(u16, u16)> {
        Ok(SMALL)
    }

    fn copy(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn check(&mut self) -> io::Result<Option<(u16, u16)>> {
        Ok(None)
    }
}

/// Every second export fails; notes are taken; a switch is answered at once.
#[derive(Default)]
struct Exports {
    exported: u32,
    notes: Vec<String>,
    switched: Vec<String>,
    answers: Vec<Answer>,
}

impl Host for Exports {
    fn export_report(&mut self) -> Result<String, String> {
        self.exported += 1;
        if self.exported % 2 == 1 { Ok("report.md".to_owned()) } else { Err("full".to_owned()) }
    }

    fn mark(&mut self, note: &str) -> Result<(), String> {
        self.notes.push(note.to_owned());
        Ok(())
    }

    fn switch(&mut self, device: IpAddr, change: &str) -> Result<(), String> {
        self.switched.push(format!("{device} {change}"));
        self.answers.push(Answer { device, outcome: Ok(change.to_owned()) });
        Ok(())
    }

    fn answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}
