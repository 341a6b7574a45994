//! Words: every address, link-layer address and name in a text gets its stand-in.
//!
//! Knows how people and programs write them. It takes more than it must rather than less: whatever reads as an address
//! is one, whoever wrote it; only the section numbers of an RFC are not.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::stand_ins::{Redactor, colons};

/// Where an address had to go and no stand-in was left.
const NO_STAND_IN: &str = "[address]";
/// Endings of names that a local network gives.
const LOCAL: [&str; 8] =
    [".local", ".lan", ".home", ".internal", ".localdomain", ".home.arpa", ".fritz.box", ".box"];
/// Interfaces as kernels call them; any other name somebody chose.
const KERNEL: [&str; 17] = [
    "any", "ap", "awdl", "br", "docker", "en", "eth", "lo", "mon", "ppp", "tap", "tun", "usb", "veth", "wl",
    "wlan", "wg",
];
/// A path below these names a person; the file's own name stays.
const HOMES: [&str; 4] = ["/home/", "/Users/", "/root/", "C:\\Users\\"];

impl Redactor {
    pub fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            match self.replacement(&text[..at], &text[at..]) {
                Some((length, stand_in)) => {
                    out.push_str(&stand_in);
                    at += length;
                }
                None => {
                    out.push(c);
                    at += c.len_utf8();
                }
            }
        }
        out
    }

    /// An interface's name stays where the kernel chose it, without what identifies.
    pub fn interface(&mut self, name: &str) -> String {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let head = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_kernels = plain
            && (KERNEL.contains(&head)
                || ["enp", "eno", "ens", "enx", "wlp", "wlo", "wls", "wlx"]
                    .iter()
                    .any(|it| name.starts_with(it)));
        if is_kernels { self.text(name) } else { self.name("interface", name) }
    }

    /// What stands at the start of `rest`, if it must be replaced: its octets, and the words instead.
    fn replacement(&mut self, before: &str, rest: &str) -> Option<(usize, String)> {
        let previous = before.chars().next_back();
        let starts_word = !previous.is_some_and(char::is_alphanumeric);
        if let Some(path) = HOMES.iter().find(|home| rest.starts_with(**home)) {
            return Some(home_path(rest, path));
        }
        if starts_word && let Some(found) = self.ssid(rest) {
            return Some(found);
        }
        if !previous.is_some_and(|c| c.is_ascii_hexdigit() || c == ':')
            && let Some((length, mac)) = mac_at(rest)
        {
            let stand_in = self.mac(mac).map_or_else(|| NO_STAND_IN.to_owned(), colons);
            return Some((length, stand_in));
        }
        if let Some((length, mac)) = bare_mac_at(before, rest)
            && (before.ends_with("enx") || before.ends_with("wlx") || self.knows_mac(mac))
        {
            let stand_in =
                self.mac(mac).map_or_else(|| NO_STAND_IN.to_owned(), |mac| colons(mac).replace(':', ""));
            return Some((length, stand_in));
        }
        if !previous.is_some_and(|c| c.is_ascii_alphanumeric() || c == ':')
            && let Some((length, address)) = v6_at(rest)
        {
            return Some((
                length,
                self.v6(address).map_or_else(|| NO_STAND_IN.to_owned(), |it| it.to_string()),
            ));
        }
        if !previous.is_some_and(|c| c.is_ascii_digit())
            && let Some((length, address)) = v4_at(rest)
            && !is_section(before)
        {
            return Some((
                length,
                self.v4(address).map_or_else(|| NO_STAND_IN.to_owned(), |it| it.to_string()),
            ));
        }
        if !previous.is_some_and(is_of_name) { self.host(before, rest) } else { None }
    }

    /// A host's name: one that is known, one with a local ending, or the word after `host` in a capture filter.
    fn host(&mut self, before: &str, rest: &str) -> Option<(usize, String)> {
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches('.');
        if word.is_empty() {
            return None;
        }
        if let Some(known) = self.known_name(word) {
            return Some((word.len(), known.to_owned()));
        }
        let lower = word.to_ascii_lowercase();
        let is_local = LOCAL.iter().any(|ending| lower.len() > ending.len() && lower.ends_with(ending));
        let is_asked_for = ["host ", "gateway "].iter().any(|word| before.ends_with(word))
            && before.split_whitespace().count() <= 64
            && word.contains('.');
        (is_local || is_asked_for).then(|| (word.len(), self.name("host", word)))
    }

    /// `ssid=…`, `SSID: "…"`: to the closing quote, else to the end of the phrase.
    fn ssid(&mut self, rest: &str) -> Option<(usize, String)> {
        let word = rest.get(..4).filter(|word| word.eq_ignore_ascii_case("ssid"))?;
        let value = rest[4..].trim_start_matches([' ', '=', ':']);
        let mut start = rest.len() - value.len();
        if start == 4 {
            return None;
        }
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        start += quote.map_or(0, char::len_utf8);
        let name = &rest[start..];
        let end = match quote {
            Some(quote) => name.find(quote),
            None => name.find([',', ';', '\n', ')', ']']),
        };
        let name = &name[..end.unwrap_or(name.len())];
        if name.trim().is_empty() {
            return None;
        }
        let stand_in = self.name("ssid", name.trim());
        Some((start + name.len(), format!("{word}{}{stand_in}", &rest[4..start])))
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// Up to the last part of the path.
fn home_path(rest: &str, home: &str) -> (usize, String) {
    let separator = if home.contains('\\') { '\\' } else { '/' };
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';'))
        .unwrap_or(rest.len());
    let cut = rest[..end].rfind(separator).map_or(end, |at| at + separator.len_utf8());
    (cut, String::new())
}

/// `aa:bb:cc:dd:ee:ff`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff`.
fn mac_at(rest: &str) -> Option<(usize, [u8; 6])> {
    let length = match rest.as_bytes() {
        [_, _, mark @ (b':' | b'-'), ..] => {
            let marks = rest.as_bytes().get(..17)?.iter().skip(2).step_by(3);
            marks.copied().all(|octet| octet == *mark).then_some(17)?
        }
        [_, _, _, _, b'.', _, _, _, _, b'.', ..] => 14,
        _ => return None,
    };
    let digits: Vec<u8> =
        rest.get(..length)?.bytes().filter(|octet| !matches!(octet, b':' | b'-' | b'.')).collect();
    is_end(&rest[length..]).then(|| hex(&digits)).flatten().map(|mac| (length, mac))
}

fn bare_mac_at(before: &str, rest: &str) -> Option<(usize, [u8; 6])> {
    let digits = rest.as_bytes().get(..12)?;
    let is_whole = rest.get(12..).is_none_or(is_end);
    let begins = before.ends_with('x') || !before.ends_with(|c: char| c.is_ascii_hexdigit());
    (is_whole && begins).then(|| hex(digits)).flatten().map(|mac| (12, mac))
}

/// Whether an address is over where `rest` follows. The `C` of a path below a home is no digit of it: the path goes.
fn is_end(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_hexdigit()) || HOMES.iter().any(|home| rest.starts_with(home))
}

fn hex(digits: &[u8]) -> Option<[u8; 6]> {
    let digits: &[u8; 12] = digits.try_into().ok()?;
    let mut mac = [0; 6];
    for (octet, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *octet = (high? << 4 | low?) as u8;
    }
    Some(mac)
}

/// The longest that reads as an address; `::` alone says nothing.
fn v6_at(rest: &str) -> Option<(usize, Ipv6Addr)> {
    const LONGEST: usize = 45;
    let run = rest
        .bytes()
        .take(LONGEST + 1)
        .take_while(|c| c.is_ascii_hexdigit() || matches!(c, b':' | b'.'))
        .count();
    if rest.as_bytes()[..run].iter().filter(|c| **c == b':').count() < 2 {
        return None;
    }
    (3..=run.min(LONGEST)).rev().find_map(|length| Some((length, rest[..length].parse().ok()?)))
}

fn v4_at(rest: &str) -> Option<(usize, Ipv4Addr)> {
    const LONGEST: usize = 15;
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let run = rest.bytes().take(LONGEST + 1).take_while(|c| c.is_ascii_digit() || *c == b'.').count();
    // Of five numbers in a row the first four are one address, and may be somebody's.
    (7..=run.min(LONGEST)).rev().find_map(|length| Some((length, rest[..length].parse().ok()?)))
}

/// `RFC 1122 4.2.2.13` and `§4.2.2.13` are places in a document.
fn is_section(before: &str) -> bool {
    let before = before.trim_end_matches(' ');
    let rfc = before.trim_end_matches(|c: char| c.is_ascii_digit());
    // The end of a name that will be replaced is no such word.
    let is_apart = |word: &str| word.chars().next_back().is_none_or(|c| c == ' ' || c == '(');
    before.ends_with('§')
        || before.strip_suffix("section").is_some_and(is_apart)
        || rfc != before && rfc.trim_end().ends_with("RFC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Redactor::default().text(text)
    }

    #[test]
    fn addresses_are_found_as_people_write_them() {
        for (given, expected) in [
            ("10.0.0.7 refused 11 SYNs.", "192.0.2.1 refused 11 SYNs."),
            ("from 10.0.0.7:80, then 10.0.0.8.", "from 192.0.2.1:80, then 192.0.2.2."),
            ("10.0.0.7 and 10.0.0.7", "192.0.2.1 and 192.0.2.1"),
            ("net 192.168.4.0/24", "net 192.0.2.1/24"),
            ("x10.0.0.7y", "x192.0.2.1y"),
            ("trace-10.0.0.7.pcapng", "trace-192.0.2.1.pcapng"),
            ("1.10.0.0.7", "192.0.2.1.7"),
            ("[fd00::7]:80", "[2001:db8:0:1::e0:1]:80"),
            ("src fd00::7%wlan0", "src 2001:db8:0:1::e0:1%wlan0"),
            ("via fd00::7.", "via 2001:db8:0:1::e0:1."),
            ("24:0A:C4:12:34:56", "24:0a:c4:e0:00:01"),
            ("24-0a-c4-12-34-56", "24:0a:c4:e0:00:01"),
            ("240a.c412.3456", "24:0a:c4:e0:00:01"),
            ("enx240ac4123456", "enx240ac4e00001"),
            // The path goes, and must not leave an address behind that it had made longer.
            ("24:0a:c4:12:34:56C:\\Users\\me\\a.b", "24:0a:c4:e0:00:01a.b"),
            ("24:0a:c4:12:34:56 is 240ac4123456", "24:0a:c4:e0:00:01 is 240ac4e00001"),
            ("ask Kitchen.local again, kitchen.local!", "ask host-1 again, host-1!"),
            ("tcp and host web.example.org", "tcp and host host-1"),
            ("ssid=Home §\n10.0.0.7", "ssid=ssid-1\n192.0.2.1"),
            ("subsection 10.0.0.7", "subsection 192.0.2.1"),
            ("joined SSID \"Our Home\" at last", "joined SSID \"ssid-1\" at last"),
            ("ssid=Our Home, channel 6", "ssid=ssid-1, channel 6"),
            ("read /home/alice/esp/run.pcapng", "read run.pcapng"),
        ] {
            assert_eq!(shown(given), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in [
            "RFC 1122 4.2.2.13",
            "RFC 9293 §3.10.7.4",
            "at 23:43:48.993133, frame 34",
            "seq 2022877306, 1.6 ms, 67.5 s",
            "Foo::bar and std::io",
            "127.0.0.1, ::1, 0.0.0.0 and 255.255.255.255",
            "CONFIG_LWIP_TCP_MSL=6000",
            "https://www.rfc-editor.org/rfc/rfc1337",
            "ж 10.0.0 日本語",
            "123456789012",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn an_interface_keeps_a_name_that_the_kernel_gave() {
        let mut redactor = Redactor::default();
        for name in ["wlan0", "tap0", "enp3s0", "lo", "any", "eth1"] {
            assert_eq!(redactor.interface(name), name);
        }
        assert_eq!(redactor.interface("enx240ac4123456"), "enx240ac4e00001");
        assert_eq!(redactor.interface("br-smith"), "interface-1");
    }
}
