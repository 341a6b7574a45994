//! The box that asks before a device is changed, and the line that is typed in.
//!
//! Knows how a question looks. Refuses to know what its answer does.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use tui_input::Input;

use super::fit;
use crate::tui::dialogue::{CHOICES, Dialogue, ModeDialogue, ModeStep};
use crate::tui::model::Model;
use crate::tui::theme::Theme;

/// Columns of the box where there are so many.
const WIDTH: u16 = 88;

pub fn render(model: &Model, frame: &mut Frame<'_>, body: Rect) {
    let Some(Dialogue::Mode(mode)) = &model.dialogue else { return };
    let theme = model.theme;
    let width = WIDTH.min(body.width);
    let inner = width.saturating_sub(2);
    let lines = lines(model, mode, inner);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(body.height);
    let area =
        Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    // Where not all has room, what is chosen does.
    let chosen = if matches!(mode.step, ModeStep::Choose) { mode.at + 2 } else { 0 };
    let shown = super::in_sight(lines.len(), &(chosen..chosen + 1), height.saturating_sub(2).into());
    let lines: Vec<_> = lines.into_iter().take(shown.end).skip(shown.start).collect();
    let mut block = Block::bordered()
        .title(Span::styled(format!(" Switch {} ", mode.device), theme.strong()))
        .border_style(theme.accent());
    block = if theme.ascii { block.border_set(ASCII) } else { block.border_type(BorderType::Rounded) };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

const ASCII: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

fn lines(model: &Model, mode: &ModeDialogue, width: u16) -> Vec<Line<'static>> {
    match &mode.step {
        ModeStep::Choose => choices(model, mode, width),
        ModeStep::Type(input) => {
            let theme = model.theme;
            let mut lines =
                vec![Line::raw(" A mode, or REMEDY=VALUE as `esp-tcpwatch mode` takes it:"), Line::default()];
            let mut typed = vec![Span::raw("   ")];
            typed.extend(typed_in(theme, input, usize::from(width).saturating_sub(4)));
            lines.push(Line::from(typed));
            lines
        }
        ModeStep::Confirm(change) => confirm(model, mode, change, width),
    }
}

fn choices(model: &Model, mode: &ModeDialogue, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let now = model.shown().device_at(mode.device).and_then(|facts| facts.mode.as_deref());
    let now = match now {
        Some(now) => format!(" Its mode as it was last told: {}. Make it:", theme.show(now)),
        None => " It has told no mode; only the test firmware has one. Make it:".to_owned(),
    };
    let mut lines = vec![Line::raw(fit::cut(&now, width.into(), glyphs.ellipsis)), Line::default()];
    let other = ("REMEDY=VALUE", "in your own words");
    let choices = CHOICES.iter().map(|choice| (choice.change, choice.says)).chain([other]);
    for (at, (change, says)) in choices.enumerate() {
        let chosen = at == mode.at;
        let mark = if chosen { glyphs.selected } else { " " };
        let text = format!("{mark}{} {says}", fit::left(change, 24, glyphs.ellipsis));
        let line = Line::raw(fit::left(&text, width.into(), glyphs.ellipsis));
        lines.push(if chosen { line.style(theme.chosen(true)) } else { line });
    }
    lines
}

fn confirm(model: &Model, mode: &ModeDialogue, change: &str, width: u16) -> Vec<Line<'static>> {
    let theme = model.theme;
    let prose = |text: &str| fit::paragraph(text, width.saturating_sub(1), 1, "", Style::new());
    let mut lines = prose(&format!(
        "This would be sent to the test firmware of {}, and signed with your key:",
        mode.device
    ));
    lines.push(Line::default());
    lines.push(Line::styled(
        fit::cut(&format!("   mode {}", theme.show(change)), width.into(), theme.glyphs().ellipsis),
        theme.strong(),
    ));
    lines.push(Line::default());
    lines.extend(prose("The device behaves otherwise from then on. A marker in the stream tells when."));
    lines.extend(prose(&format!("The same as: esp-tcpwatch mode {} -d {}", theme.show(change), mode.device)));
    lines.push(Line::default());
    lines.extend(prose("Enter sends it, Esc goes back."));
    lines
}

/// What is being typed, with a cursor that every terminal can show.
pub fn typed_in(theme: Theme, input: &Input, room: usize) -> Vec<Span<'static>> {
    let room = room.max(2);
    let first = input.visual_scroll(room - 1);
    let cursor = Style::new().add_modifier(Modifier::REVERSED);
    let mut spans = Vec::new();
    let mut column = 0;
    for (at, c) in input.value().chars().enumerate() {
        let shown = theme.show(&c.to_string());
        let wide = fit::width(&shown);
        if column >= first && column + wide <= first + room {
            let style = if at == input.cursor() { cursor } else { Style::new() };
            spans.push(Span::styled(shown, style));
        }
        column += wide;
    }
    if input.cursor() >= input.value().chars().count() {
        spans.push(Span::styled(" ", cursor));
    }
    spans
}
