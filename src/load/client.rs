//! One client's connection: opened from the port it is told, asked, read to the end, closed or kept. Knows sockets and
//! deadlines; what is asked next, and when, is decided elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::Answer;
use super::exchange::{Answered, Closer, Exchange};
use super::failure::{Errno, Failure};

/// How long the kernel may hold a port back, and how often it is asked.
const PORT_WITHIN: Duration = Duration::from_secs(2);
const PORT_AGAIN: Duration = Duration::from_millis(10);

/// A server that means to close first has done so by then, or is about to.
const CLOSE_WITHIN: Duration = Duration::from_millis(100);

/// One whose answer makes no sense may still be sending it.
const WRONG_CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// What is asked, and how long an answer is waited for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub target: SocketAddr,
    /// What the `Host` field says.
    pub host: String,
    pub path: String,
    pub keep_alive: bool,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
}

pub(super) struct Client {
    ask: Arc<Ask>,
    request: String,
    kept: Option<TcpStream>,
    connects: u64,
    /// Since when the network is waited for, in a request that is still under way.
    since: Option<Instant>,
}

impl Client {
    pub(super) fn new(ask: Arc<Ask>) -> Self {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: esp-tcpwatch/{}\r\nConnection: {}\r\n\r\n",
            ask.path,
            ask.host,
            env!("CARGO_PKG_VERSION"),
            if ask.keep_alive { "keep-alive" } else { "close" },
        );
        Client { ask, request, kept: None, connects: 0, since: None }
    }

    /// Connections that were begun so far.
    pub(super) fn connects(&self) -> u64 {
        self.connects
    }

    /// How long a request that was given up had waited.
    pub(super) fn waited(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// One request: on the connection that was kept, otherwise on a new one from `port`.
    pub(super) async fn exchange(&mut self, port: Option<u16>) -> Exchange {
        self.since = None;
        let kept = self.kept.take().filter(is_still_open);
        if let Some(stream) = kept {
            let exchange = self.talk(stream, None).await;
            if !was_closed_meanwhile(&exchange) {
                return exchange;
            }
            // The server's FIN and our request met on the way. Nothing of it was answered, so it may be asked again
            // (RFC 9112 §9.3.1), as every client does.
        }
        self.connects += 1;
        match self.connect(port).await {
            Ok((stream, took)) => self.talk(stream, Some(took)).await,
            Err(failure) => Exchange { port, took: self.waited(), ..Exchange::failed(failure) },
        }
    }

    async fn connect(&mut self, port: Option<u16>) -> Result<(TcpStream, Duration), Failure> {
        let patience = Instant::now() + PORT_WITHIN;
        loop {
            // Anew each time: a socket whose connect failed is good for nothing more.
            let began = Instant::now();
            self.since = Some(began);
            let result = match socket(self.ask.target, port) {
                Ok(socket) => {
                    match timeout(self.ask.connect_timeout, socket.connect(self.ask.target)).await {
                        Ok(result) => result,
                        Err(_) => return Err(Failure::ConnectDeadline),
                    }
                }
                Err(error) => Err(error),
            };
            match result.map_err(|error| Failure::of_connect(&error)) {
                Ok(stream) => return Ok((stream, began.elapsed())),
                Err(Failure::PortHeld(_)) if Instant::now() < patience => {
                    self.since = None;
                    sleep(PORT_AGAIN).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn talk(&mut self, mut stream: TcpStream, connect: Option<Duration>) -> Exchange {
        let port = stream.local_addr().ok().map(|address| address.port());
        let began = Instant::now();
        self.since.get_or_insert(began);
        let mut answer = Answer::default();
        let ended = timeout(self.ask.response_timeout, ask(&mut stream, &self.request, &mut answer)).await;
        let response = began.elapsed();
        let took = connect.unwrap_or_default() + response;
        let (result, closed_by) = match ended {
            Err(_) => (Err(Failure::ResponseDeadline), Some(Closer::Us)),
            Ok(Err(failure)) => {
                let is_reset = is_reset(&failure);
                (Err(failure), Some(if is_reset { Closer::DeviceReset } else { Closer::Us }))
            }
            Ok(Ok(Settled::AtItsEnd(result))) => (result, Some(Closer::Device)),
            Ok(Ok(Settled::Open(Ok(())))) if self.ask.keep_alive && answer.keeps_open() => {
                self.kept = Some(stream);
                (Ok(()), None)
            }
            Ok(Ok(Settled::Open(result))) => {
                let quiet = if result.is_ok() { CLOSE_WITHIN } else { WRONG_CLOSE_WITHIN };
                let (more, closer) = see_it_closed(stream, quiet, self.ask.response_timeout).await;
                (if more { result.and(Err(Failure::TooLong)) } else { result }, Some(closer))
            }
        };
        let result = match result {
            Ok(()) if answer.status() >= 400 => Err(Failure::Status(answer.status())),
            Ok(()) => Ok(Answered { response, body: answer.body() }),
            Err(failure) => Err(failure),
        };
        Exchange { port, connect, bytes: answer.received(), took, closed_by, result }
    }
}

/// What came of the answer, and where that left the connection.
enum Settled {
    Open(Result<(), Failure>),
    AtItsEnd(Result<(), Failure>),
}

async fn ask(stream: &mut TcpStream, request: &str, answer: &mut Answer) -> Result<Settled, Failure> {
    stream.write_all(request.as_bytes()).await.map_err(|error| Failure::Send(Errno::of(&error)))?;
    let mut octets = [0u8; 4096];
    loop {
        if let Some(result) = answer.settled() {
            return Ok(Settled::Open(result));
        }
        match stream.read(&mut octets).await {
            Ok(0) => return Ok(Settled::AtItsEnd(answer.at_end())),
            Ok(length) => answer.take(octets.get(..length).unwrap_or(&[])),
            Err(error) => return Err(Failure::Receive(Errno::of(&error))),
        }
    }
}

/// Takes the stream and thereby closes it, once the server has, or has been `quiet` for so long: so that it is the
/// server who closes first if it means to, and nothing is left unread. That would turn our FIN into a RST, which takes
/// the connection from the device and with it the TIME-WAIT.
///
/// Whether anything more came, and who was first.
async fn see_it_closed(mut stream: TcpStream, quiet: Duration, within: Duration) -> (bool, Closer) {
    let deadline = Instant::now() + within;
    let mut octets = [0u8; 4096];
    let mut more = false;
    loop {
        let until = deadline.min(Instant::now() + quiet);
        match timeout_at(until, stream.read(&mut octets)).await {
            Err(_) => return (more, Closer::Us),
            Ok(Ok(0)) => return (more, Closer::Device),
            Ok(Ok(_)) => more = true,
            Ok(Err(_)) => return (more, Closer::DeviceReset),
        }
    }
}

fn is_reset(failure: &Failure) -> bool {
    match failure {
        Failure::Send(errno) | Failure::Receive(errno) => matches!(errno.name(), "ECONNRESET" | "EPIPE"),
        _ => false,
    }
}

/// An end that came while nothing was asked is no failure: a server may close an idle connection.
fn is_still_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0u8; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn was_closed_meanwhile(exchange: &Exchange) -> bool {
    let Err(failure) = &exchange.result else { return false };
    exchange.bytes == 0 && (*failure == Failure::ClosedEarly || is_reset(failure))
}

fn socket(target: SocketAddr, port: Option<u16>) -> io::Result<TcpSocket> {
    let (socket, any) = match target {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    if let Some(port) = port {
        // Only where the port is ours to name. Without it bind() refuses a port for any old connection of its, to
        // whomever; with it connect() judges by the four-tuple, and still refuses one that is known here.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(any, port))?;
    }
    Ok(socket)
}
