//! The screens over any stream and any keys: columns and rows, then lines, each an event or, behind a `>`, keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use esp_tcpwatch::text::acts_or_hides;
use esp_tcpwatch::tui::{
    model::Model,
    theme::Theme,
    update::{Msg, update},
    view::view,
};
use ratatui::{Terminal, backend::TestBackend};

use super::octets::Octets;

/// Lines of one input, and keys of one line.
const LINES: usize = 200;
const KEYS: usize = 40;

pub fn run(data: &[u8]) {
    let mut octets = Octets(data);
    let size = (u16::from(octets.u8()), u16::from(octets.u8()) % 80);
    let theme = Theme { ascii: size.0 % 2 == 1, ..Theme::default() };
    let mut model = Model::new("fuzz".to_owned(), theme);
    update(&mut model, Msg::Resized(size.0, size.1));
    for line in octets.0.split(|octet| *octet == b'\n').take(LINES) {
        if let Some(keys) = line.strip_prefix(b">") {
            for octet in keys.iter().take(KEYS) {
                let _ = update(&mut model, pressed(*octet));
            }
            drawn(&model, size);
        } else if let Ok(event) = serde_json::from_slice(line) {
            update(&mut model, Msg::Event(Box::new(event)));
        }
    }
    update(&mut model, Msg::StreamOver);
    drawn(&model, size);
}

fn pressed(octet: u8) -> Msg {
    let key = |code| Msg::Key(KeyEvent::new(code, KeyModifiers::NONE));
    match octet {
        b' '..=b'~' => key(KeyCode::Char(char::from(octet))),
        0x0d => key(KeyCode::Enter),
        0x1b => key(KeyCode::Esc),
        0x08 => key(KeyCode::Backspace),
        0x09 => key(KeyCode::Tab),
        0x01 => key(KeyCode::Up),
        0x02 => key(KeyCode::Down),
        0x03 => key(KeyCode::PageUp),
        0x04 => key(KeyCode::PageDown),
        0x05 => key(KeyCode::Left),
        0x06 => key(KeyCode::Right),
        0x07 => key(KeyCode::Delete),
        0x0b => Msg::Resized(40, 10),
        0x0c => Msg::Resized(1, 1),
        0x0e => Msg::Pasted("\u{1b}[2J\u{202e}fixed".to_owned()),
        _ => Msg::Mouse(MouseEvent {
            kind: match octet % 3 {
                0 => MouseEventKind::Down(MouseButton::Left),
                1 => MouseEventKind::ScrollDown,
                _ => MouseEventKind::ScrollUp,
            },
            column: u16::from(octet & 0x7f),
            row: u16::from(octet >> 2),
            modifiers: KeyModifiers::NONE,
        }),
    }
}

/// At the size that the terminal has, also where the model still believes in another.
fn drawn(model: &Model, (columns, rows): (u16, u16)) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("it needs no terminal");
    terminal.draw(|frame| view(model, frame)).expect("it draws into memory");
    for cell in terminal.backend().buffer().content() {
        assert!(!cell.symbol().chars().any(acts_or_hides), "{:?} is on the screen", cell.symbol());
    }
}
