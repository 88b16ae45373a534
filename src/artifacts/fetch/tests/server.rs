//! A release site on this machine, with everything that can go wrong with one.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;

/// What the server does with a request.
#[derive(Clone)]
pub enum Reply {
    Body(Vec<u8>),
    To(String),
    Status(u16),
    /// Announces more than it sends.
    CutShort(Vec<u8>),
    /// Sends the head and then nothing more.
    Stalls,
    /// Says nothing about the length, and sends this many bytes.
    Unannounced(usize),
}

/// An HTTP server on this machine that counts what it is asked.
pub struct Server {
    pub base: String,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            replies: Arc::default(),
            asked: Arc::default(),
        };
        let (replies, asked) = (Arc::clone(&server.replies), Arc::clone(&server.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (replies, asked) = (Arc::clone(&replies), Arc::clone(&asked));
                std::thread::spawn(move || answer(stream, &replies, &asked));
            }
        });
        server
    }

    /// A server with a release whose binary and hash list are what they should be.
    pub fn with_release() -> Self {
        let server = Self::new();
        let binary = elf(Architecture::Amd64);
        server.set(LIST, Reply::Body(list(&binary)));
        server.set(BINARY, Reply::Body(binary));
        server
    }

    pub fn set(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn answer(stream: TcpStream, replies: &Mutex<HashMap<String, Reply>>, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    for line in lines.by_ref() {
        if line.is_ok_and(|line| line.is_empty()) {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(path.clone());
    let reply = replies
        .lock()
        .unwrap()
        .get(&path)
        .cloned()
        .unwrap_or(Reply::Status(404));
    let mut stream = stream;
    let mut send = |head: &str, body: &[u8]| {
        let _ =
            stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
        let _ = stream.write_all(body);
    };
    match reply {
        Reply::Body(body) => send(&format!("200 OK\r\nContent-Length: {}", body.len()), &body),
        Reply::To(to) => send(
            &format!("302 Found\r\nContent-Length: 0\r\nLocation: {to}"),
            b"",
        ),
        Reply::Status(code) => send(&format!("{code} No\r\nContent-Length: 0"), b""),
        Reply::CutShort(body) => send(
            &format!("200 OK\r\nContent-Length: {}", body.len() * 2),
            &body,
        ),
        Reply::Stalls => {
            send("200 OK\r\nContent-Length: 1000", b"some");
            std::thread::sleep(Duration::from_secs(20));
        }
        Reply::Unannounced(size) => send("200 OK", &vec![b'x'; size]),
    }
}
