//! A network between a client and the server that breaks connections.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::{Error, ErrorKind};
use crate::server::{PATH, ReplayServer};

/// How a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Break {
    /// It is reset, before the server has heard of the request.
    Reset,
    /// It ends before the answer's first byte, though the server has answered.
    NoAnswer,
    /// It ends in the middle of the answer's head.
    InHead,
    /// It ends in the middle of the answer's body, whose length was promised.
    InBody,
}

/// Passes requests on to a [`ReplayServer`], one a connection, and breaks the connections of
/// those that it was told to. Dropping it ends it.
#[derive(Debug)]
pub struct FaultyNetwork {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FaultyNetwork {
    /// A network before `server`, in which the requests of these numbers, counted from 1, meet
    /// with a break.
    ///
    /// # Errors
    /// When no port on 127.0.0.1 can be had.
    pub fn before(
        server: &ReplayServer,
        breaks: impl IntoIterator<Item = (u64, Break)>,
    ) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Listen, format!("cannot listen: {error}")).with_source(error)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let network = Network {
            listener,
            server: server.address(),
            breaks: breaks.into_iter().collect(),
            is_over: Arc::clone(&is_over),
        };
        Ok(Self {
            address,
            is_over,
            thread: Some(std::thread::spawn(move || network.serve())),
        })
    }

    /// The endpoint, as clients are given it.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }
}

impl Drop for FaultyNetwork {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // a connection that says nothing wakes the thread
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Network {
    listener: TcpListener,
    server: SocketAddr,
    breaks: BTreeMap<u64, Break>,
    is_over: Arc<AtomicBool>,
}

impl Network {
    fn serve(&self) {
        let mut number = 0;
        for client in self.listener.incoming() {
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            number += 1;
            let broken = self.breaks.get(&number).copied();
            // a client that went away misses nothing
            let _ = client.and_then(|client| self.pass(client, broken));
        }
    }

    fn pass(&self, mut client: TcpStream, broken: Option<Break>) -> io::Result<()> {
        if broken == Some(Break::Reset) {
            // closed with something unread, the system resets it
            client.read_exact(&mut [0])?;
            return Ok(());
        }
        let request = read_message(&mut client)?;
        let mut server = TcpStream::connect(self.server)?;
        server.write_all(&request)?;
        let answer = closing(&read_message(&mut server)?);
        let head = end_of_head(&answer).unwrap_or(answer.len());
        let sent = match broken {
            None | Some(Break::Reset) => answer.len(),
            Some(Break::NoAnswer) => 0,
            Some(Break::InHead) => head / 2,
            Some(Break::InBody) => head.midpoint(answer.len()),
        };
        client.write_all(answer.get(..sent).unwrap_or_default())?;
        client.shutdown(Shutdown::Both)
    }
}

/// Reads a request or an answer: a head, and a body of the length that it names.
fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(head) = end_of_head(&message) {
            let length = content_length(message.get(..head).unwrap_or_default());
            if message.len() >= head + length {
                return Ok(message);
            }
        }
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(part.get(..read).unwrap_or_default());
    }
}

/// The same answer with a word that the connection ends with it.
fn closing(answer: &[u8]) -> Vec<u8> {
    let line = answer.windows(2).position(|pair| pair == b"\r\n");
    let (first, rest) = answer.split_at(line.map_or(0, |at| at + 2));
    [first, b"Connection: close\r\n", rest].concat()
}

fn end_of_head(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    end.map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
