//! Text from outside, made fit to stand in Markdown and in HTML: it can be read there and can do nothing.
//!
//! Knows what GitHub's Markdown acts on: emphasis, code, tables, links, HTML, mentions, mathematics; and what HTML acts
//! on. Refuses to know what the text says.

use std::borrow::Cow;

use crate::text::escape;

/// `text`, cut to at most `limit` characters where it is longer; the cut shows.
pub fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
    }
}

/// Text from outside on one line, nothing hidden in it, at most `limit` characters.
pub fn shown(text: &str, limit: usize) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(&escape(&one_line), limit).into_owned()
}

/// Running text for Markdown, without effect there. `is_start`: it begins a paragraph or an item of a list.
///
/// Text that would grow to more than twice its length by escapes is nobody's prose, and is cut.
pub fn markdown(text: &str, is_start: bool) -> String {
    let shown = escape(text);
    let limit = 2 * shown.len() + 64;
    let mut out = String::with_capacity(shown.len() + 16);
    let mut before = None;
    let mut characters = shown.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if out.len() >= limit {
            out.push('…');
            break;
        }
        let after = characters.peek().map(|(_, next)| *next);
        let is_start = is_start && at == 0;
        match c {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '$' => out.push_str("&#36;"), // a pair of them would be mathematics
            // Inside a word an underscore is an underscore: CONFIG_LWIP_TCP_MSL.
            '_' if before.is_some_and(is_word) && after.is_some_and(is_word) => out.push(c),
            '_' => out.push_str("\\_"),
            // Nobody is notified, no issue is linked, because of what a packet said.
            '@' => out.push_str("@<!-- -->"),
            '#' if after.is_some_and(|next| next.is_ascii_digit()) => out.push_str("#<!-- -->"),
            '#' | '-' | '+' | '=' if is_start => out.extend(['\\', c]),
            '.' | ')'
                if after.is_none_or(char::is_whitespace)
                    && at > 0
                    && shown[..at].chars().all(|c| c.is_ascii_digit()) =>
            {
                out.extend(['\\', c])
            }
            ':' if shown[at..].starts_with("://") => out.push_str(":<!-- -->"),
            _ => out.push(c),
        }
        before = Some(c);
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

/// Text as a code span of Markdown that it cannot leave, in a table or out of it.
pub fn code(text: &str) -> String {
    let shown = escape(text);
    if shown.trim().is_empty() {
        return "(empty)".to_owned();
    }
    if shown.contains('|') {
        // A table would end the cell there, and only a table takes `\|` in code: HTML serves in both.
        return format!("<code>{}</code>", markdown(&shown, false));
    }
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if longest > 0 { " " } else { "" };
    format!("{fence}{blank}{shown}{blank}{fence}")
}

/// Text for an element or a quoted attribute of HTML.
pub fn html(text: &str) -> String {
    let shown = escape(text);
    let mut out = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text from outside as one word of a POSIX shell, for a line inside a code block.
pub fn shell_word(text: &str, limit: usize) -> String {
    let shown = escape(text);
    let shown = clip(&shown, limit);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:,+=@%".contains(c);
    if !shown.is_empty() && !shown.starts_with('-') && shown.chars().all(plain) {
        return shown.into_owned();
    }
    let dashed = if shown.starts_with('-') { "./" } else { "" };
    format!("'{dashed}{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_effect() {
        for (given, shown) in [
            ("plain words, 2·MSL = 120 s.", "plain words, 2·MSL = 120 s."),
            ("CONFIG_LWIP_TCP_MSL=6000", "CONFIG_LWIP_TCP_MSL=6000"),
            ("_under_ *star* `code`", "\\_under\\_ \\*star\\* \\`code\\`"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a|b", "a\\|b"),
            ("[x](javascript:y)", "\\[x\\](javascript:y)"),
            ("# not a heading", "\\# not a heading"),
            ("1. not a list", "1\\. not a list"),
            ("10.77.0.2 refused", "10.77.0.2 refused"),
            ("- nor this", "\\- nor this"),
            ("@octocat #12", "@<!-- -->octocat #<!-- -->12"),
            ("https://evil.example", "https:<!-- -->//evil.example"),
            ("esc\x1b[0m", "esc\\\\u{1b}\\[0m"),
            ("$x$", "&#36;x&#36;"),
        ] {
            assert_eq!(markdown(given, true), shown, "{given:?}");
        }
    }

    #[test]
    fn text_is_shown_on_one_line() {
        assert_eq!(shown("two\nlines\x1b", 100), "two lines\\u{1b}");
        assert_eq!(shown("far too long", 3), "far…");
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("tap0"), "`tap0`");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("a|b`"), "<code>a\\|b\\`</code>");
        assert_eq!(code(""), "(empty)");
    }

    #[test]
    fn html_shows_what_would_act() {
        assert_eq!(html("<a href=\"x\">&'\x1b"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\\u{1b}");
    }

    #[test]
    fn shell_words_are_quoted() {
        assert_eq!(shell_word("run.pcapng", 50), "run.pcapng");
        assert_eq!(shell_word("it's $(here)", 50), "'it'\\''s $(here)'");
        assert_eq!(shell_word("-rf", 50), "'./-rf'");
    }
}
