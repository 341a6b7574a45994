//! What is asked of a condition before a parser sees it: that it is short, flat, and made of known signs.
//!
//! The parser and the evaluation recurse, so nesting and the number of signs are bounded here, on the plain text. The
//! bounds leave room for a condition of a dozen lines; who needs more wants a detector.

use super::Fault;

/// Octets.
pub const LENGTH: usize = 1_000;
/// How deep the parser may have to go: [`BRACKET`] for each bracket around a place, 1 for each operator in a row.
pub const DEPTH: usize = 30;
/// A bracket takes the parser through its whole grammar once more. Measured: without optimisation 170 kB of stack, and
/// 38 kB for an operator; so a condition takes about 1 MB of the 2 MB that the smallest of our threads has.
pub const BRACKET: usize = 5;
/// Names, numbers, strings and operator signs.
pub const SIGNS: usize = 200;

/// Refuses `source` where it exceeds a bound or holds what no condition holds.
pub fn scan(source: &str) -> Result<(), Fault> {
    if source.trim().is_empty() {
        return Err(Fault::new(0, "it is empty; expected a condition, for example `server_port == 80`"));
    }
    if source.len() > LENGTH {
        return Err(Fault::new(0, format!("it has {} octets; expected at most {LENGTH}", source.len())));
    }
    let octets = source.as_bytes();
    let (mut at, mut signs, mut depth) = (0, 0, Depth::default());
    while let Some(&octet) = octets.get(at) {
        let next = octets.get(at + 1).copied();
        let end = match octet {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if next == Some(b'/') => {
                at += octets[at..].iter().position(|octet| *octet == b'\n').unwrap_or(octets.len() - at);
                continue;
            }
            b'\'' | b'"' => end_of_string(octets, at)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {
                let is_word = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'_';
                let end = at + octets[at..].iter().take_while(|octet| is_word(octet)).count();
                depth.innermost.operators += usize::from(&octets[at..end] == b"in");
                end
            }
            b'(' | b'[' => {
                depth.open();
                at + 1
            }
            b')' | b']' => {
                depth.close();
                at + 1
            }
            b'&' | b'|' if next == Some(octet) => {
                depth.innermost.next_term();
                at + 2
            }
            b',' => {
                depth.innermost.next_term();
                at + 1
            }
            b'&' | b'|' => {
                let what = format!("`{0}` alone means nothing here; write `{0}{0}`", char::from(octet));
                return Err(Fault::new(at, what));
            }
            b'=' if next != Some(b'=') => return Err(Fault::new(at, "`=` compares nothing; write `==`")),
            b'=' | b'!' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'?' | b'.' => {
                depth.innermost.operators += 1;
                at + if next == Some(b'=') { 2 } else { 1 }
            }
            b':' => at + 1,
            b'{' | b'}' => return Err(Fault::new(at, "a condition builds no maps and no messages")),
            _ => {
                let sign = source.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                return Err(Fault::new(at, format!("`{}` has no place in a condition", sign.escape_debug())));
            }
        };
        if depth.now() > DEPTH {
            let what = "it nests too deep; take brackets away, or split it with `&&` or `||`";
            return Err(Fault::new(at, what));
        }
        signs += 1;
        if signs > SIGNS {
            let what = format!("it has more than {SIGNS} names, numbers, strings and operators");
            return Err(Fault::new(at, what));
        }
        at = end;
    }
    Ok(())
}

/// How deep the parser will be, counted while the text goes by.
#[derive(Debug, Default)]
struct Depth {
    /// The brackets around the innermost, from the outside.
    outer: Vec<Level>,
    innermost: Level,
}

/// What was seen within one pair of brackets so far.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Operators of the term at hand, and the deepest bracket in it.
    operators: usize,
    inner: usize,
    /// Of the terms before it.
    deepest: usize,
}

impl Depth {
    fn open(&mut self) {
        self.outer.push(core::mem::take(&mut self.innermost));
    }

    /// A bracket too many is the parser's to tell.
    fn close(&mut self) {
        let Some(mut level) = self.outer.pop() else { return };
        level.inner = level.inner.max(self.innermost.depth() + BRACKET);
        self.innermost = level;
    }

    fn now(&self) -> usize {
        let around: usize = self.outer.iter().map(|level| level.operators + BRACKET).sum();
        let outside = self.outer.iter().map(|level| level.depth()).max().unwrap_or(0);
        outside.max(around + self.innermost.depth())
    }
}

impl Level {
    fn depth(self) -> usize {
        self.deepest.max(self.operators + self.inner)
    }

    /// `&&`, `||` or a comma: what follows does not stand on what was.
    fn next_term(&mut self) {
        *self = Level { deepest: self.depth(), ..Level::default() };
    }
}

/// Where the string that begins at `start` is over.
fn end_of_string(octets: &[u8], start: usize) -> Result<usize, Fault> {
    let quote = octets[start];
    let before = start.checked_sub(1).map(|before| octets[before]);
    let is_raw = matches!(before, Some(b'r' | b'R'));
    let triple = [quote; 3];
    let end: &[u8] = if octets[start..].starts_with(&triple) { &triple } else { &triple[..1] };
    let mut at = start + end.len();
    while at < octets.len() {
        if octets[at..].starts_with(end) {
            return Ok(at + end.len());
        }
        if octets[at] == b'\n' && end.len() == 1 {
            break;
        }
        at += if octets[at] == b'\\' && !is_raw { 2 } else { 1 };
    }
    Err(Fault::new(start, "this string is not closed"))
}
