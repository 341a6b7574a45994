//! Text made to fit: cut, padded, wrapped, by the widths that the terminal's cells will have.
//!
//! Knows columns. Refuses to know meaning; takes only text that is fit to be shown.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text` in at most `room` columns; where it is cut, `ellipsis` says so.
pub fn cut(text: &str, room: usize, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mark = width(ellipsis);
    if room < mark {
        return String::new();
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in Span::raw(text).styled_graphemes(Style::new()) {
        let wide = width(grapheme.symbol);
        if used + wide > room - mark {
            break;
        }
        used += wide;
        kept.push_str(grapheme.symbol);
    }
    kept.push_str(ellipsis);
    kept
}

/// `text` in at most `room` columns, its beginning and its end; `ellipsis` stands for what is between them.
pub fn middle(text: &str, room: usize, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let span = Span::raw(text);
    let graphemes: Vec<&str> = span.styled_graphemes(Style::new()).map(|grapheme| grapheme.symbol).collect();
    let rest = room.saturating_sub(width(ellipsis));
    let mut tail = String::new();
    for symbol in graphemes.iter().rev() {
        if width(&tail) + width(symbol) > rest - rest / 2 {
            break;
        }
        tail.insert_str(0, symbol);
    }
    cut(text, room.saturating_sub(width(&tail)), ellipsis) + &tail
}

/// `text` in exactly `room` columns, blanks behind it.
pub fn left(text: &str, room: usize, ellipsis: &str) -> String {
    let mut fitted = cut(text, room, ellipsis);
    fitted.push_str(&" ".repeat(room.saturating_sub(width(&fitted))));
    fitted
}

/// `text` in exactly `room` columns, blanks before it.
pub fn right(text: &str, room: usize, ellipsis: &str) -> String {
    let fitted = cut(text, room, ellipsis);
    format!("{}{fitted}", " ".repeat(room.saturating_sub(width(&fitted))))
}

/// `text` in lines of at most `room` columns, broken between words, and inside one only where it is wider than a line.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let wide = width(word);
        if used > 0 && used + 1 + wide > room {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if used + wide <= room {
            line.push_str(word);
            used += wide;
        } else {
            used = hack(&mut lines, word, room);
        }
    }
    lines
}

/// Breaks one word over lines; the columns used on the last one.
fn hack(lines: &mut Vec<String>, word: &str, room: usize) -> usize {
    let mut used = 0;
    for grapheme in Span::raw(word).styled_graphemes(Style::new()) {
        let wide = width(grapheme.symbol);
        if used > 0 && used + wide > room {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(grapheme.symbol);
        }
        used += wide;
    }
    used
}

/// Wrapped `text`, every line behind `indent` blanks, the first behind `mark` instead.
pub fn paragraph(text: &str, room: u16, indent: usize, mark: &str, style: Style) -> Vec<Line<'static>> {
    wrap(text, usize::from(room).saturating_sub(indent))
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            let before = if at == 0 { left(mark, indent, "") } else { " ".repeat(indent) };
            Line::from(vec![Span::raw(before), Span::styled(line, style)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_keeps_to_the_room() {
        for (text, room, cut_to) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("abcd", 1, "…"),
            ("abcd", 0, ""),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("", 0, ""),
        ] {
            assert_eq!(cut(text, room, "…"), cut_to, "{text:?} in {room}");
            assert_eq!(width(&left(text, room, "…")), room);
            assert_eq!(width(&right(text, room, "…")), room);
        }
    }

    #[test]
    fn the_middle_goes_and_both_ends_stay() {
        for (text, room, kept) in [
            ("abcdefgh", 8, "abcdefgh"),
            ("abcdefgh", 5, "ab…gh"),
            ("abcdefgh", 4, "a…gh"),
            ("abcdefgh", 1, "…"),
            ("abcdefgh", 0, ""),
            ("日本語日本語", 6, "日…語"),
        ] {
            assert_eq!(middle(text, room, "…"), kept, "{text:?} in {room}");
        }
    }

    #[test]
    fn wrapping_breaks_between_words_and_long_words_inside() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a bcdefghij k", 4), ["a", "bcde", "fghi", "j k"]);
        assert_eq!(wrap("日本語 x", 4), ["日本", "語 x"]);
        assert_eq!(wrap("", 9), [""]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }
}
