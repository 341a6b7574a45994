//! Small web servers of this machine, one misbehaviour each. They wait for the client and never for a clock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

pub const HELLO: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";
pub const HELLO_AND_STAY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A server, and what it was asked.
pub struct Server {
    pub address: SocketAddr,
    told: Receiver<Asked>,
}

/// One connection: from which port, and everything that was sent on it.
#[derive(Debug)]
pub struct Asked {
    pub from: u16,
    pub request: String,
}

impl Server {
    /// Each connection through `serve`, in a thread of its own.
    pub fn new(serve: impl Fn(&mut TcpStream) -> String + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = channel();
        let serve = Arc::new(serve);
        thread::spawn(move || {
            while let Ok((mut stream, client)) = listener.accept() {
                let (tell, serve) = (tell.clone(), serve.clone());
                thread::spawn(move || {
                    let request = serve(&mut stream);
                    drop(stream);
                    let _nobody_listens = tell.send(Asked { from: client.port(), request });
                });
            }
        });
        Server { address, told }
    }

    /// Reads a request, says `answer`, closes, and expects the client to close as a good client does.
    pub fn saying(answer: &'static [u8]) -> Server {
        Server::new(move |stream| {
            let request = request_of(stream);
            stream.write_all(answer).unwrap();
            let _the_client_may_be_gone = stream.shutdown(std::net::Shutdown::Write);
            // The client's end: a FIN reads as nothing, a RST as an error.
            assert_eq!(stream.read(&mut [0; 16]).expect("the client reset the connection"), 0);
            request
        })
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// The next connection that is over.
    pub fn next(&self) -> Asked {
        self.told.recv_timeout(Duration::from_secs(10)).expect("nobody asked")
    }

    pub fn rest(&self) -> Vec<Asked> {
        self.told.try_iter().collect()
    }
}

/// One request, to its empty line; nothing where the connection ended.
pub fn request_of(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|length| length == 1) {
        request.push(octet[0]);
    }
    String::from_utf8(request).unwrap()
}
