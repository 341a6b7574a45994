//! Rust text as words and marks: comments, strings and lifetimes are gone, line numbers stay.
//!
//! Knows only as much of Rust's lexical grammar as that takes.

/// A word, a `::`, or one other character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub line: usize,
    pub text: &'a str,
}

impl Token<'_> {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic())
    }
}

pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        let rest = &bytes[at..];
        let keep = match rest[0] {
            b'/' if rest.starts_with(b"//") => {
                at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                false
            }
            b'/' if rest.starts_with(b"/*") => {
                at += block_comment(rest);
                false
            }
            b'"' => {
                at += string(rest);
                false
            }
            b'\'' => {
                at += quote(&text[at..]);
                false
            }
            first if is_word_byte(first) => {
                at += rest.iter().position(|byte| !is_word_byte(*byte)).unwrap_or(rest.len());
                match (&text[start..at], raw_string(&bytes[at..])) {
                    ("r" | "br" | "cr", Some(length)) => {
                        at += length;
                        false
                    }
                    _ => !first.is_ascii_digit(),
                }
            }
            b':' if rest.starts_with(b"::") => {
                at += 2;
                true
            }
            first => {
                at += 1;
                first.is_ascii_graphic()
            }
        };
        if keep {
            found.push(Token { line, text: &text[start..at] });
        }
        line += bytes[start..at].iter().filter(|byte| **byte == b'\n').count();
    }
    found
}

fn is_word_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Octets of the (nested) block comment that `text` opens with.
fn block_comment(text: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < text.len() && depth > 0 {
        let (step, change) = match &text[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
    }
    at
}

/// Octets of the string literal that `text` opens with.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Octets of the raw string whose `r` ended just before `text`; `None` where it is something else (`r#type`).
fn raw_string(text: &[u8]) -> Option<usize> {
    let hashes = text.iter().position(|byte| *byte != b'#')?;
    if text[hashes] != b'"' {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let body = &text[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    Some((hashes + 1 + length + end.len()).min(text.len()))
}

/// Octets of the character literal or the lifetime that `text` opens with.
fn quote(text: &str) -> usize {
    let mut inside = text[1..].chars();
    match inside.next() {
        Some('\\') => {
            let escaped = inside.next().map_or(0, char::len_utf8);
            let end = text[2 + escaped..].find('\'').map_or(text.len(), |at| 2 + escaped + at + 1);
            end.min(text.len())
        }
        Some(first) if inside.next() == Some('\'') => 1 + first.len_utf8() + 1,
        Some(_) => 1 + text[1..].bytes().position(|byte| !is_word_byte(byte)).unwrap_or(text.len() - 1),
        None => 1,
    }
}
