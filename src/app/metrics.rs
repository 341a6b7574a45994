//! Where Prometheus asks: a small HTTP/1.1 server on a thread of its own.
//!
//! Knows sockets and what is asked for. What is answered is the sink's; nothing here can keep the engine waiting. Whoever
//! asks gets at most [`TIME`] and [`LONGEST`] octets to do so, and only [`AT_ONCE`] are heard at a time.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::waiter::Waiter;
use crate::sink::metrics::{Exposition, MEDIA_TYPE};

/// For one request and its answer.
const TIME: Duration = Duration::from_secs(5);
/// A request line and headers.
const LONGEST: usize = 8192;
const AT_ONCE: usize = 8;
/// After the system would not let us take a connection (no descriptors).
const PAUSE: Duration = Duration::from_millis(200);

/// A socket that listens and that nobody is served on yet: made before the privileges go.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// # Errors
    /// The address is not ours, or its port is taken.
    pub fn on(wanted: SocketAddr) -> Result<Listening> {
        let listener = TcpListener::bind(wanted)
            .with_context(|| format!("cannot serve metrics on {wanted}; choose another with --metrics"))?;
        listener.set_nonblocking(true).context("cannot serve metrics")?;
        let address = listener.local_addr().context("cannot serve metrics")?;
        if !address.ip().is_loopback() {
            eprintln!(
                "esp-tcpwatch: metrics are served on {address} to everyone who can reach it, without a password"
            );
        }
        eprintln!("metrics: http://{address}/metrics");
        Ok(Listening { listener, address })
    }

    /// Serves until [`Serving::finish`]. Makes a thread: call it after the privileges went.
    ///
    /// # Errors
    /// A runtime or a thread cannot be made.
    pub fn serve(self, exposition: Exposition) -> Result<Serving> {
        let what = format!("cannot serve metrics on {}", self.address);
        let serve = async move || {
            let served = async {
                let listener = tokio::net::TcpListener::from_std(self.listener)?;
                forever(listener, exposition).await
            };
            served.await.context(what)
        };
        Ok(Serving(Waiter::begin("metrics", serve)?))
    }
}

/// A server that runs.
pub struct Serving(Waiter<Result<()>>);

impl Serving {
    pub fn finish(self) -> Result<()> {
        self.0.give_up()?.unwrap_or(Ok(()))
    }
}

async fn forever(listener: tokio::net::TcpListener, exposition: Exposition) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // The semaphore is never closed.
        let Ok(place) = room.clone().acquire_owned().await else { return Ok(()) };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                sleep(PAUSE).await;
                continue;
            }
        };
        let exposition = exposition.clone();
        tokio::spawn(async move {
            // Whoever asks and goes away does no harm.
            let _ = timeout(TIME, answer(stream, &exposition)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, exposition: &Exposition) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let asked = loop {
        match asked(&head) {
            Some(asked) => break asked,
            None if head.len() >= LONGEST => break Asked::TooLong,
            None => {}
        }
        if (&mut stream).take((LONGEST - head.len()) as u64).read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let (status, kind, body) = match asked {
        Asked::Metrics { .. } => match exposition.text() {
            Ok(text) => ("200 OK", MEDIA_TYPE, text),
            Err(error) => ("500 Internal Server Error", "text/plain", format!("{error}\n")),
        },
        Asked::Root => ("200 OK", "text/plain", "esp-tcpwatch: the metrics are at /metrics\n".to_owned()),
        Asked::Elsewhere => ("404 Not Found", "text/plain", "the metrics are at /metrics\n".to_owned()),
        Asked::Otherwise => ("405 Method Not Allowed", "text/plain", "GET or HEAD\n".to_owned()),
        Asked::Nonsense => ("400 Bad Request", "text/plain", "this is not HTTP\n".to_owned()),
        Asked::TooLong => ("431 Request Header Fields Too Large", "text/plain", "too long\n".to_owned()),
    };
    let allow = if asked == Asked::Otherwise { "Allow: GET, HEAD\r\n" } else { "" };
    let length = body.len();
    let mut message = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    if asked != (Asked::Metrics { head: true }) {
        message.push_str(&body);
    }
    stream.write_all(message.as_bytes()).await?;
    stream.shutdown().await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// `head`: what would be told, without it.
    Metrics {
        head: bool,
    },
    Root,
    Elsewhere,
    Otherwise,
    Nonsense,
    TooLong,
}

/// `None`: there is more to come.
fn asked(head: &[u8]) -> Option<Asked> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Some(Asked::Nonsense),
    }
    let path = request.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    Some(match (request.method.unwrap_or_default(), path) {
        ("GET", "/metrics") => Asked::Metrics { head: false },
        ("HEAD", "/metrics") => Asked::Metrics { head: true },
        ("GET", "/") => Asked::Root,
        ("GET" | "HEAD", _) => Asked::Elsewhere,
        _ => Asked::Otherwise,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", Some(Asked::Metrics { head: false })),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Some(Asked::Metrics { head: false })),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Some(Asked::Metrics { head: true })),
            ("GET / HTTP/1.1\r\n\r\n", Some(Asked::Root)),
            ("GET /metrics/.. HTTP/1.1\r\n\r\n", Some(Asked::Elsewhere)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some(Asked::Otherwise)),
            ("\u{1}\u{2}", Some(Asked::Nonsense)),
            ("GET /metrics HTTP/1.1\r\nHost", None),
            ("", None),
        ] {
            assert_eq!(asked(request.as_bytes()), expected, "{request:?}");
        }
    }
}
