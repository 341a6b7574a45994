//! One connection from one source port, one request, a proper close. Knows sockets and deadlines; what is tried next
//! is decided elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::outcome::{Attempt, Failure};

/// A server that says nothing for so long, or never ends, is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long the kernel may hold a port back, and how often it is asked.
const PORT_WITHIN: Duration = Duration::from_secs(2);
const PORT_AGAIN: Duration = Duration::from_millis(10);

/// Connects from `port`, asks, reads to the end and closes.
pub(super) async fn attempt(target: SocketAddr, port: u16, connect_timeout: Duration) -> Attempt {
    let (stream, connected_in) = match connect(target, port, connect_timeout).await {
        Ok(connected) => connected,
        Err(failure) => return Attempt::without_connection(failure),
    };
    let mut answer = Answer::default();
    let ended = match timeout(ANSWER_WITHIN, ask(stream, target, &mut answer)).await {
        Ok(ended) => ended,
        Err(_) => Err(Failure::Deadline),
    };
    Attempt { connect: Ok(connected_in), bytes: answer.received(), answer: ended }
}

async fn connect(target: SocketAddr, port: u16, limit: Duration) -> Result<(TcpStream, Duration), Failure> {
    let patience = Instant::now() + PORT_WITHIN;
    loop {
        // Anew each time: a socket whose connect failed is good for nothing more.
        let began = Instant::now();
        let result = match socket(target, port) {
            Ok(socket) => match timeout(limit, socket.connect(target)).await {
                Ok(result) => result,
                Err(_) => return Err(Failure::Deadline),
            },
            Err(error) => Err(error),
        };
        match result {
            Ok(stream) => return Ok((stream, began.elapsed())),
            Err(error) if is_held_back(&error) && Instant::now() < patience => sleep(PORT_AGAIN).await,
            Err(error) => return Err(Failure::from(&error)),
        }
    }
}

/// The port is still taken on *our* side: not bound, or bound and the same four-tuple still known. Nothing was sent.
fn is_held_back(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

fn socket(target: SocketAddr, port: u16) -> io::Result<TcpSocket> {
    let (socket, any) = match target {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    // Lets the port be bound while an old connection of its lingers on; the four-tuple is still its own.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(any, port))?;
    Ok(socket)
}

/// Takes the stream and thereby closes it: with everything read, that is a FIN; a RST would have no reason.
async fn ask(mut stream: TcpStream, target: SocketAddr, answer: &mut Answer) -> Result<(), Failure> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {target}\r\nUser-Agent: esp-tcpwatch/{}\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| Failure::from(&error))?;
    let mut octets = [0u8; 4096];
    while !answer.is_whole() {
        match stream.read(&mut octets).await {
            Ok(0) if answer.may_end_here() => return Ok(()),
            Ok(0) => return Err(Failure::CutShort),
            Ok(length) => answer.take(octets.get(..length).unwrap_or(&[])),
            Err(error) => return Err(Failure::from(&error)),
        }
    }
    // Announced and complete. A server that means to close first has done so or is about to.
    let _closed_or_not = timeout(Duration::from_millis(100), stream.read(&mut octets)).await;
    Ok(())
}
