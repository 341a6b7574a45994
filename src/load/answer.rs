//! Where an HTTP answer ends, and whether it ended there: by its announced length, by its chunks, or with the
//! connection (RFC 9112 §6.3). Pure; keeps the head of an answer and only counts the rest.
//!
//! Knows framing and the status. What the octets say is nobody's business here.

use super::chunks::Chunks;
use super::failure::Failure;

/// A head longer than this is none: a device that never comes to its empty line must not fill our memory.
const HEAD_MOST: usize = 8192;
const FIELDS_MOST: usize = 64;

/// An answer on its way in.
#[derive(Debug, Default)]
pub(super) struct Answer {
    received: u64,
    body: u64,
    status: u16,
    /// The connection may carry another request afterwards.
    keeps_open: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    Body(Framing),
    /// All of it is here.
    Over,
    /// What came cannot be the answer to an HTTP request, or goes on after its end.
    Wrong(Failure),
}

#[derive(Debug)]
enum Framing {
    /// So many octets are still to come.
    Counted(u64),
    Chunked(Chunks),
    ToTheEnd,
}

impl Default for State {
    fn default() -> Self {
        State::Head(Vec::new())
    }
}

impl Answer {
    pub(super) fn take(&mut self, octets: &[u8]) {
        self.received = self.received.saturating_add(octets.len() as u64);
        self.advance(octets);
    }

    /// Octets of the whole answer so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Octets of its body so far, without the framing of chunks.
    pub(super) fn body(&self) -> u64 {
        self.body
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may be asked again once this answer is over.
    pub(super) fn keeps_open(&self) -> bool {
        self.keeps_open
    }

    /// What came of it, if that is settled while the connection is still open.
    pub(super) fn settled(&self) -> Option<Result<(), Failure>> {
        match &self.state {
            State::Over => Some(Ok(())),
            State::Wrong(failure) => Some(Err(failure.clone())),
            State::Head(_) | State::Body(_) => None,
        }
    }

    /// What came of it, now that the connection has ended.
    pub(super) fn at_end(&self) -> Result<(), Failure> {
        match &self.state {
            State::Over | State::Body(Framing::ToTheEnd) => Ok(()),
            State::Wrong(failure) => Err(failure.clone()),
            State::Head(_) if self.received == 0 => Err(Failure::ClosedEarly),
            State::Head(_) | State::Body(_) => Err(Failure::Short),
        }
    }

    fn advance(&mut self, octets: &[u8]) {
        match &mut self.state {
            State::Head(head) => {
                head.extend_from_slice(octets);
                let head = core::mem::take(head);
                self.read_head(head);
            }
            State::Body(framing) => {
                let (taken, is_over) = match framing {
                    Framing::ToTheEnd => (octets.len() as u64, Ok(false)),
                    Framing::Counted(left) => {
                        let taken = (*left).min(octets.len() as u64);
                        *left -= taken;
                        let excess = octets.len() as u64 > taken;
                        (taken, if excess { Err(Failure::TooLong) } else { Ok(*left == 0) })
                    }
                    Framing::Chunked(chunks) => chunks.take(octets),
                };
                self.body = self.body.saturating_add(taken);
                match is_over {
                    Ok(false) => {}
                    Ok(true) => self.state = State::Over,
                    Err(failure) => self.state = State::Wrong(failure),
                }
            }
            State::Over if !octets.is_empty() => self.state = State::Wrong(Failure::TooLong),
            State::Over | State::Wrong(_) => {}
        }
    }

    fn read_head(&mut self, head: Vec<u8>) {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MOST];
        let mut response = httparse::Response::new(&mut fields);
        let end = match response.parse(&head) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if head.len() <= HEAD_MOST => {
                self.state = State::Head(head);
                return;
            }
            Ok(httparse::Status::Partial) | Err(_) => {
                self.state = State::Wrong(Failure::NotHttp);
                return;
            }
        };
        let status = response.code.unwrap_or(0);
        let rest = head.get(end..).unwrap_or(&[]);
        if (100..200).contains(&status) {
            // An interim answer: the real one follows (RFC 9110 §15.2).
            self.state = State::default();
            if !rest.is_empty() {
                self.advance(rest);
            }
            return;
        }
        self.status = status;
        let framing = framing(status, response.headers);
        self.keeps_open =
            !matches!(framing, Some(Framing::ToTheEnd)) && persists(response.version, response.headers);
        self.state = match framing {
            None => State::Wrong(Failure::NotHttp),
            Some(Framing::Counted(0)) => State::Over,
            Some(framing) => State::Body(framing),
        };
        if !rest.is_empty() {
            self.advance(rest);
        }
    }
}

/// `None`: the head contradicts itself, and no end can be found by it.
fn framing(status: u16, fields: &[httparse::Header<'_>]) -> Option<Framing> {
    if matches!(status, 204 | 304) {
        return Some(Framing::Counted(0));
    }
    if values(fields, "transfer-encoding").next().is_some() {
        let last = tokens(fields, "transfer-encoding").last();
        let is_chunked = last.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        return Some(if is_chunked { Framing::Chunked(Chunks::default()) } else { Framing::ToTheEnd });
    }
    let mut lengths = values(fields, "content-length").map(|length| length.parse::<u64>().ok());
    let Some(first) = lengths.next() else { return Some(Framing::ToTheEnd) };
    let agreed = lengths.all(|length| length == first);
    first.filter(|_| agreed).map(Framing::Counted)
}

/// Whether the server leaves the connection open (RFC 9112 §9.3).
fn persists(version: Option<u8>, fields: &[httparse::Header<'_>]) -> bool {
    let says = |word: &str| tokens(fields, "connection").any(|token| token.eq_ignore_ascii_case(word));
    if version == Some(1) { !says("close") } else { says("keep-alive") && !says("close") }
}

fn values<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
    named.map(|field| core::str::from_utf8(field.value).unwrap_or("").trim())
}

fn tokens<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    values(fields, name).flat_map(|value| value.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Answer {
        let mut answer = Answer::default();
        answer.take(text.as_bytes());
        answer
    }

    fn in_pieces(text: &str) -> Answer {
        let mut answer = Answer::default();
        text.as_bytes().iter().for_each(|octet| answer.take(core::slice::from_ref(octet)));
        answer
    }

    #[test]
    fn an_answer_is_over_where_it_says() {
        use Failure::*;
        // answer; settled while the connection is open; what it is when the connection ends; octets of its body
        let table = [
            ("", None, Err(ClosedEarly), 0),
            ("HTTP/1.1 200 OK\r\n", None, Err(Short), 0),
            ("HTTP/1.1 200 OK\r\n\r\n", None, Ok(()), 0),
            ("HTTP/1.0 200 OK\nA: b\n\nhello", None, Ok(()), 5),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", None, Err(Short), 4),
            ("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", Some(Ok(())), Ok(()), 5),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", Some(Err(TooLong)), Err(TooLong), 5),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some(Ok(())), Ok(()), 0),
            ("HTTP/1.1 204 None\r\n\r\n", Some(Ok(())), Ok(()), 0),
            (
                "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                Some(Ok(())),
                Ok(()),
                1,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello", Some(Err(NotHttp)), Err(NotHttp), 0),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Some(Err(NotHttp)),
                Err(NotHttp),
                0,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello", None, Err(Short), 5),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
                Some(Err(NotHttp)),
                Err(NotHttp),
                0,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nhello", None, Ok(()), 5),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", None, Err(Short), 5),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                Some(Ok(())),
                Ok(()),
                5,
            ),
            ("<h1>hello</h1>", Some(Err(NotHttp)), Err(NotHttp), 0),
        ];
        for (text, settled, at_end, body) in table {
            for answer in [whole(text), in_pieces(text)] {
                assert_eq!(answer.settled(), settled, "{text:?}");
                assert_eq!(answer.at_end(), at_end, "{text:?}");
                assert_eq!((answer.received(), answer.body()), (text.len() as u64, body), "{text:?}");
            }
        }
    }

    #[test]
    fn the_head_says_whether_the_connection_may_be_used_again() {
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: foo, Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true),
            // It ends with the connection, whatever it says.
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", false),
        ];
        for (text, keeps_open) in table {
            assert_eq!(whole(text).keeps_open(), keeps_open, "{text:?}");
        }
        assert_eq!(whole("HTTP/1.1 503 Busy\r\n\r\n").status(), 503);
    }

    #[test]
    fn an_endless_head_is_not_kept() {
        let mut answer = Answer::default();
        answer.take(b"HTTP/1.1 200 OK\r\nX: ");
        for _ in 0..100 {
            answer.take(&[b'x'; 1000]);
        }
        assert_eq!(answer.settled(), Some(Err(Failure::NotHttp)));
        assert!(matches!(answer.state, State::Wrong(_)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_however_it_comes_it_is_read_the_same(
            head in "(HTTP/1.[01] [1-5][0-9]{2} x\r\n|)(content-length: [0-9]{1,3}\r\n|transfer-encoding: chunked\r\n|)\r\n",
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
            cut in 0usize..200,
        ) {
            let octets = [head.as_bytes(), &body].concat();
            let (before, after) = octets.split_at(cut.min(octets.len()));
            let (mut at_once, mut in_two) = (Answer::default(), Answer::default());
            at_once.take(&octets);
            in_two.take(before);
            in_two.take(after);
            proptest::prop_assert_eq!(at_once.at_end(), in_two.at_end());
            proptest::prop_assert_eq!(at_once.body(), in_two.body());
            proptest::prop_assert_eq!(at_once.received(), octets.len() as u64);
        }
    }
}
