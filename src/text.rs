//! Text made fit to be shown to a person: what strangers wrote, and numbers in words.
//!
//! Knows which characters act on a terminal or hide from the reader. Refuses to know where the text goes:
//! what Markdown or HTML needs beyond this is their renderer's business.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with everything that acts instead of showing written as an escape: `\n`, `\t`, `\u{1b}`.
///
/// A name chosen by a stranger must not move the cursor, recolour the screen (C0, ESC, DEL, C1),
/// break a line in two, show itself in another order than it is stored (bidi controls)
/// or look like a name that it is not (zero-width characters, blank fillers).
/// Letters of every language, and emoji without joiners, pass as they are.
pub fn escape(text: &str) -> Cow<'_, str> {
    let Some(first) = first_that_acts_or_hides(text) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(clean);
    for c in rest.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if acts_or_hides(c) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Where in `text` the first character stands that does something to its surroundings, or is there without being seen.
///
/// Nearly all text is plain ASCII, and there only the controls do: octets tell it without decoding a character.
pub fn first_that_acts_or_hides(text: &str) -> Option<usize> {
    // All octets and not up to the first: so the processor looks at many in one step.
    let is_plain = text.bytes().fold(true, |plain, octet| plain & matches!(octet, b' '..=b'~'));
    if is_plain { None } else { text.find(acts_or_hides) }
}

/// Whether `c` does something to its surroundings, or is there without being seen.
pub fn acts_or_hides(c: char) -> bool {
    c.is_control() // C0 (ESC among them), DEL, C1
        || matches!(c,
            '\u{ad}' | '\u{34f}' // soft hyphen, grapheme joiner
            | '\u{61c}' | '\u{200e}' | '\u{200f}' // bidi marks
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // bidi embeddings, overrides, isolates
            | '\u{2028}' | '\u{2029}' // line and paragraph separator
            | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // zero width
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' // blank letters
            | '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180d}' | '\u{180f}' // variation selectors
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // shorthand and musical format controls
            | '\u{e0000}'..='\u{e0fff}' // tags and variation selectors: an invisible alphabet
        )
}

/// `1 frame`, `2 frames`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `once`, `twice`, `3 times`.
pub fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn looking_at_octets_first_finds_what_looking_at_characters_finds(text in ".{0,8}[ -~]{0,40}.{0,8}(\\PC|\\pC){0,4}") {
            prop_assert_eq!(first_that_acts_or_hides(&text), text.find(acts_or_hides));
        }
    }

    #[test]
    fn what_acts_is_shown() {
        for (given, shown) in [
            ("plain", "plain"),
            ("", ""),
            ("naïve 日本語 ไทย 🙂", "naïve 日本語 ไทย 🙂"),
            ("a\x1b[31mred", "a\\u{1b}[31mred"),
            ("two\nlines\r\n\tx", "two\\nlines\\r\\n\\tx"),
            ("\u{7f}\u{9b}2J", "\\u{7f}\\u{9b}2J"),
            ("evil\u{202e}gpj.exe", "evil\\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("pay\u{200b}pal", "pay\\u{200b}pal"),
            ("\u{feff}bom", "\\u{feff}bom"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(escape(given), shown, "{given:?}");
        }
    }

    #[test]
    fn clean_text_is_not_copied_and_escaping_twice_changes_nothing() {
        assert!(matches!(escape("10.77.0.2:80"), Cow::Borrowed(_)));
        let once = escape("\x1b]0;title\x07\u{202e}").into_owned();
        assert_eq!(escape(&once), once.as_str());
    }
}
