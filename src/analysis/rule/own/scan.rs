//! What is asked of a condition before a parser sees it: that it is short, flat, and made of known signs.
//!
//! The parser and the evaluation recurse, so nesting and the number of signs are bounded here, on the plain text. The
//! bounds leave room for a condition of a dozen lines; who needs more wants a detector.

use super::Fault;

/// Octets.
pub const LENGTH: usize = 1_000;
/// Brackets within brackets.
pub const NESTING: usize = 16;
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
    let (mut at, mut nesting, mut signs) = (0, 0_usize, 0);
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
                at + octets[at..].iter().take_while(|octet| is_word(octet)).count()
            }
            b'(' | b'[' => {
                nesting += 1;
                if nesting > NESTING {
                    return Err(Fault::new(at, format!("it nests deeper than {NESTING} brackets")));
                }
                at + 1
            }
            b')' | b']' => {
                nesting = nesting.saturating_sub(1);
                at + 1
            }
            b'=' | b'!' | b'<' | b'>' if next == Some(b'=') => at + 2,
            b'&' | b'|' if next == Some(octet) => at + 2,
            b'&' | b'|' => {
                let what = format!("`{0}` alone means nothing here; write `{0}{0}`", char::from(octet));
                return Err(Fault::new(at, what));
            }
            b'=' => return Err(Fault::new(at, "`=` compares nothing; write `==`")),
            b'<' | b'>' | b'!' | b'+' | b'-' | b'*' | b'/' | b'%' | b'?' | b':' | b'.' | b',' => at + 1,
            b'{' | b'}' => return Err(Fault::new(at, "a condition builds no maps and no messages")),
            _ => {
                let sign = source.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                return Err(Fault::new(at, format!("`{}` has no place in a condition", sign.escape_debug())));
            }
        };
        signs += 1;
        if signs > SIGNS {
            let what = format!("it has more than {SIGNS} names, numbers, strings and operators");
            return Err(Fault::new(at, what));
        }
        at = end;
    }
    Ok(())
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
