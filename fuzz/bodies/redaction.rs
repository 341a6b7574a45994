//! Words for the public: whatever text addresses stand in, none of them is left.
//!
//! `\x01` to `\x03` in the input are replaced by a secret IPv4, IPv6 and link-layer address.

use esp_tcpwatch::report::redact::Redactor;

const SECRETS: [&str; 3] = ["186.75.43.209", "2a02:8071:cafe::beef", "d8:3a:dd:91:47:5b"];

pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut given = String::new();
    // Those that stand alone: inside a longer number or word an address is none.
    let mut planted = [false; SECRETS.len()];
    let letters: Vec<char> = text.chars().collect();
    for (at, c) in letters.iter().enumerate() {
        let Some(which) = secret(*c) else {
            given.push(*c);
            continue;
        };
        let before = at.checked_sub(1).and_then(|at| letters.get(at)).copied().unwrap_or(' ');
        let after = letters.get(at + 1).copied().unwrap_or(' ');
        planted[which] |= is_apart(before) && is_apart(after) && !is_place(&given);
        given.push_str(SECRETS[which]);
    }
    let mut redactor = Redactor::default();
    let shown = redactor.text(&given);
    for (secret, _) in SECRETS.iter().zip(planted).filter(|(_, planted)| *planted) {
        let is_word = |(at, _): (usize, &str)| {
            shown[..at].chars().next_back().is_none_or(is_apart)
                && shown[at + secret.len()..].chars().next().is_none_or(is_apart)
                && !is_place(&shown[..at])
        };
        assert!(!shown.match_indices(secret).any(is_word), "{secret} in {shown:?}");
    }
    let _ = redactor.interface(text);
    assert_eq!(shown, Redactor::default().text(&given), "the same text gives the same stand-ins");
}

fn secret(c: char) -> Option<usize> {
    match c {
        '\x01' => Some(0),
        '\x02' => Some(1),
        '\x03' => Some(2),
        _ => None,
    }
}

/// Neither a letter nor a digit, nor what joins them to addresses.
fn is_apart(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '.' | ':' | '-' | '_' | '\x01'..='\x03')
}

/// `RFC 1122 4.2.2.13` has a section number, however much it looks like an address.
fn is_place(before: &str) -> bool {
    let before = before.trim_end();
    let is_apart = |word: &str| word.chars().next_back().is_none_or(|c| c == ' ' || c == '(');
    before.ends_with('§') || before.strip_suffix("section").is_some_and(is_apart) || {
        let rfc = before.trim_end_matches(|c: char| c.is_ascii_digit());
        rfc != before && rfc.trim_end().ends_with("RFC")
    }
}
