//! When an HTTP answer is over: with the connection, or after as many octets as it announced. Pure, and deliberately
//! no more of HTTP than that.

/// Heads longer than this are not looked into; their answer is over with the connection.
const HEAD_MOST: usize = 8192;

/// An answer on its way in. Keeps its head and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Answer {
    received: usize,
    head: Vec<u8>,
    /// Octets of the whole answer, known once its head is, and if it says so.
    whole: Option<usize>,
    head_is_over: bool,
}

impl Answer {
    pub(super) fn take(&mut self, octets: &[u8]) {
        self.received = self.received.saturating_add(octets.len());
        if self.head_is_over {
            return;
        }
        self.head.extend_from_slice(octets);
        if let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") {
            self.head_is_over = true;
            self.head.truncate(end);
            self.whole = announced(&self.head).and_then(|length| length.checked_add(end + 4));
        } else if self.head.len() > HEAD_MOST {
            self.head_is_over = true;
        }
    }

    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// Nothing more is to be expected although the connection is open: the server waits for us to close it.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_some_and(|whole| self.received >= whole)
    }

    /// Whether the end of the connection may be the end of the answer.
    pub(super) fn may_end_here(&self) -> bool {
        self.received > 0 && self.whole.is_none_or(|whole| self.received >= whole)
    }
}

/// Content-Length, unless another framing makes it void (RFC 9112 §6.3).
fn announced(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head);
    let field = |name: &str| {
        head.split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(field, value)| field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
    };
    if field("transfer-encoding").is_some() {
        return None;
    }
    field("content-length")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_over_where_it_says() {
        // answer, whole while the connection is open, acceptable when the connection ends
        let table = [
            ("", false, false),
            ("HTTP/1.1 200 OK\r\n", false, true),
            ("HTTP/1.1 200 OK\r\n\r\nhello", false, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", false, false),
            ("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", true, true),
            ("HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", true, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello", false, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello", false, true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n5\r\nhello",
                false,
                true,
            ),
        ];
        for (text, whole, may_end) in table {
            let mut at_once = Answer::default();
            at_once.take(text.as_bytes());
            let mut in_pieces = Answer::default();
            text.as_bytes().iter().for_each(|octet| in_pieces.take(std::slice::from_ref(octet)));
            for answer in [at_once, in_pieces] {
                assert_eq!(
                    (answer.is_whole(), answer.may_end_here(), answer.received()),
                    (whole, may_end, text.len())
                );
            }
        }
    }

    #[test]
    fn an_endless_head_is_not_kept() {
        let mut answer = Answer::default();
        for _ in 0..100 {
            answer.take(&[b'x'; 1000]);
        }
        assert_eq!(answer.received(), 100_000);
        assert!(answer.head.len() <= HEAD_MOST + 1000);
    }
}
