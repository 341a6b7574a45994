//! The chunks of an answer (RFC 9112 §7.1), as ESP-IDF's web server sends them. Pure; counts their octets and finds
//! the last one.

use super::failure::Failure;

/// A chunk's size with its extensions, or a trailer field; nothing honest is longer.
const LINE_MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Size,
    /// So many octets of the chunk are still to come.
    Data(u64),
    /// The empty rest of the line that a chunk's data end with.
    DataEnd,
    /// After the last chunk: fields up to an empty line.
    Trailer,
    Over,
}

impl Chunks {
    /// How many of `octets` belong to the body, and whether it is over.
    pub(super) fn take(&mut self, mut octets: &[u8]) -> (u64, Result<bool, Failure>) {
        let mut body = 0;
        while let Some((&first, rest)) = octets.split_first() {
            if let State::Data(left) = self.state {
                let taken = left.min(octets.len() as u64);
                body += taken;
                octets = octets.get(usize::try_from(taken).unwrap_or(usize::MAX)..).unwrap_or(&[]);
                self.state = if taken == left { State::DataEnd } else { State::Data(left - taken) };
                continue;
            }
            if matches!(self.state, State::Over) {
                return (body, Err(Failure::TooLong));
            }
            octets = rest;
            self.line.push(first);
            if first == b'\n' {
                let line = core::mem::take(&mut self.line);
                match self.after(&line) {
                    Some(state) => self.state = state,
                    None => return (body, Err(Failure::NotHttp)),
                }
            } else if self.line.len() > LINE_MOST {
                return (body, Err(Failure::NotHttp));
            }
        }
        (body, Ok(matches!(self.state, State::Over)))
    }

    /// What follows this line; `None` where it has no business to be.
    fn after(&self, line: &[u8]) -> Option<State> {
        let is_empty = matches!(line, b"\r\n" | b"\n");
        match self.state {
            State::Size => match httparse::parse_chunk_size(line) {
                Ok(httparse::Status::Complete((_, 0))) => Some(State::Trailer),
                Ok(httparse::Status::Complete((_, size))) => Some(State::Data(size)),
                Ok(httparse::Status::Partial) | Err(_) => None,
            },
            State::DataEnd => is_empty.then_some(State::Size),
            State::Trailer => Some(if is_empty { State::Over } else { State::Trailer }),
            State::Data(_) | State::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted_to_the_last() {
        use Failure::*;
        let table = [
            ("", 0, Ok(false)),
            ("5\r\nhel", 3, Ok(false)),
            ("5\r\nhello\r\n", 5, Ok(false)),
            ("5\r\nhello\r\n0\r\n\r\n", 5, Ok(true)),
            ("a;name=value\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n", 10, Ok(true)),
            ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 3, Ok(true)),
            ("0\r\n\r\nmore", 0, Err(TooLong)),
            ("5\r\nhello, world", 5, Ok(false)),
            ("5\r\nhello, world\r\n", 5, Err(NotHttp)),
            ("no size\r\n", 0, Err(NotHttp)),
            ("fffffffffffffffff\r\n", 0, Err(NotHttp)),
            ("ffffffffffffffff\r\nab", 2, Ok(false)),
        ];
        for (text, body, over) in table {
            assert_eq!(Chunks::default().take(text.as_bytes()), (body, over), "{text:?}");
        }
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let (_, over) = Chunks::default().take(&[b'1'; 5000]);
        assert_eq!(over, Err(Failure::NotHttp));
    }
}
