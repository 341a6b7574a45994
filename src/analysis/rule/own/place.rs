//! Where in a rule file a place of a condition stands: a TOML string may hold escapes, so the two do not run in step.

use core::ops::Range;

/// The octet offset in `text` of what became the octet at `offset` of the string written at `span`, quotes included.
pub fn in_file(text: &str, span: Range<usize>, offset: usize) -> usize {
    let Some(raw) = text.get(span.clone()) else { return span.start };
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
    let mut at = quotes;
    if quotes == 3 {
        let rest = raw.get(at..).unwrap_or_default();
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let has_escapes = raw.starts_with('"');
    let mut decoded = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let (written, becomes) = if has_escapes { step(rest) } else { plain(rest) };
        // What becomes nothing stands before the octet that is looked for.
        if decoded + becomes > offset {
            break;
        }
        at += written;
        decoded += becomes;
    }
    span.start + at.min(raw.len().saturating_sub(quotes))
}

fn plain(rest: &str) -> (usize, usize) {
    let octets = rest.chars().next().map_or(1, char::len_utf8);
    (octets, octets)
}

/// The octets of the first character or escape of `rest`, and how many it stands for.
fn step(rest: &str) -> (usize, usize) {
    let Some(escape) = rest.strip_prefix('\\') else { return plain(rest) };
    let digits = match escape.chars().next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(space) if space.is_whitespace() => {
            // A backslash at the end of a line takes the line's end and what indents the next one.
            return (1 + escape.len() - escape.trim_start().len(), 0);
        }
        _ => return (2, 1),
    };
    let code = escape.get(1..1 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_found_where_it_was_written() {
        for written in [
            r#""a == \"b\" && c""#,
            r#"'a == "b" && c'"#,
            "\"\"\"\na == \\\"b\\\" \\\n     && c\"\"\"",
            "'''\na == 'b'\n&& c'''",
            r#""\u0061 == '\t\u00e4' && c""#,
            "'''\r\na && c'''",
        ] {
            let text = format!("when = {written}\n");
            let table: toml::Table = toml::from_str(&text).unwrap();
            let meant = table["when"].as_str().unwrap();
            let place = in_file(&text, 7..7 + written.len(), meant.rfind('c').unwrap());
            assert_eq!(&text[place..place + 1], "c", "{written}");
            assert_eq!(place, text.rfind('c').unwrap(), "{written}");
            for offset in 0..meant.len() + 3 {
                assert!(in_file(&text, 7..7 + written.len(), offset) < text.len());
            }
        }
    }
}
