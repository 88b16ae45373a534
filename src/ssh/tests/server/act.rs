//! What a server does with a command: honest things, and lies.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russh::server::{self, Msg};
use russh::{Channel, ChannelMsg, Sig};

use super::shell::shell;

/// What the server does with a command.
#[derive(Debug, Clone)]
pub enum Act {
    /// Really runs it.
    Shell,
    /// Really runs it, with the programs in this folder before all others.
    With(PathBuf),
    /// Ends with status 28 and a complaint after this many bytes of input.
    Early(usize),
    /// Ends the connection after the first input.
    Drop,
    /// Closes the channel without a status.
    NoStatus,
    /// Says that a signal ended it.
    Signal(Sig),
    /// Prints as many bytes to standard output and to standard error, then ends well.
    Flood(usize, usize),
    /// Never reads, never answers.
    Hang,
    /// Reads all its input, with a pause after each piece, then ends well.
    Slow(Duration),
    /// Never reads, and says something from time to time.
    Drip(Duration),
    /// Ends with this status, but something keeps the channel open.
    Held(u32),
    /// Prints without end: to standard output (0), to standard error (1) or to a stream that no one knows.
    Endless(u32),
    /// Prints as many bytes, each in a packet of its own, then ends well.
    Pieces(usize),
    /// Asks as often for something that a client does not do, then ends well.
    Requests(usize),
    /// Opens as many channels to the client, then ends well.
    Opens(usize),
    /// Ends its output, and neither itself nor the channel.
    Eof,
    /// Hangs up with these words.
    HangsUp(String),
    /// Reads its input and says this instead of running it, on standard output and standard error, with
    /// the nonce of a question for `NONCE`; then ends with this status, or with none.
    Says(Vec<u8>, Vec<u8>, Option<u32>),
    /// Answers questions by what stands in them: the first that fits. What is no question ends well.
    Answers(Arc<Vec<(String, String)>>),
    /// Refuses to run anything.
    Refuse,
    /// Opens no channel, with this reason.
    Full(&'static str),
    /// Never answers whether it opens a channel.
    Mute,
    /// Really runs it, one command at a time, and frees the session of an ended one so much later.
    OneSession(Duration),
}

pub(super) async fn act(
    act: Act,
    mut channel: Channel<Msg>,
    command: String,
    session: server::Handle,
    refused: Arc<AtomicUsize>,
) {
    let id = channel.id();
    match act {
        Act::Shell => return shell(channel, &command, None).await,
        Act::With(programs) => return shell(channel, &command, Some(programs)).await,
        Act::Early(after) => {
            let mut seen = 0;
            while seen < after {
                match channel.wait().await {
                    Some(ChannelMsg::Data { data }) => seen += data.len(),
                    Some(_) => {}
                    None => return,
                }
            }
            channel
                .extended_data_bytes(1, b"No space left on device\n".to_vec())
                .await
                .unwrap();
            channel.exit_status(28).await.unwrap();
        }
        Act::NoStatus => channel.data_bytes(b"some words\n".to_vec()).await.unwrap(),
        Act::Signal(signal) => {
            session
                .exit_signal_request(id, signal, false, String::new(), String::new())
                .await
                .unwrap();
        }
        Act::Flood(out, errors) => {
            let (mut reader, writer) = channel.split();
            tokio::spawn(async move { while reader.wait().await.is_some() {} });
            writer.data_bytes(vec![b'o'; out]).await.unwrap();
            writer
                .extended_data_bytes(1, [vec![b'e'; errors], b"the end".to_vec()].concat())
                .await
                .unwrap();
            writer.exit_status(0).await.unwrap();
            writer.close().await.unwrap();
            return;
        }
        Act::Slow(pause) => {
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Eof => break,
                    _ => tokio::time::sleep(pause).await,
                }
            }
            channel.exit_status(0).await.unwrap();
        }
        Act::Drip(pause) => loop {
            channel.data_bytes(b".".to_vec()).await.unwrap();
            tokio::time::sleep(pause).await;
        },
        Act::Held(code) => {
            channel.exit_status(code).await.unwrap();
            std::future::pending::<()>().await;
        }
        Act::Endless(stream) => {
            let piece = vec![b'x'; 32 * 1024];
            loop {
                let said = match stream {
                    0 => channel.data_bytes(piece.clone()).await,
                    _ => channel.extended_data_bytes(stream, piece.clone()).await,
                };
                if said.is_err() {
                    return;
                }
            }
        }
        Act::Pieces(count) => {
            for _ in 0..count {
                channel.data_bytes(b"x".to_vec()).await.unwrap();
            }
            channel.exit_status(0).await.unwrap();
        }
        Act::Requests(count) => {
            for _ in 0..count {
                session.xon_xoff_request(id, true).await.unwrap();
            }
            channel.exit_status(0).await.unwrap();
        }
        Act::Opens(count) => {
            for _ in 0..count {
                let opened = session.channel_open_forwarded_tcpip("host", 22, "host", 22);
                if opened.await.is_err() {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            }
            channel.exit_status(0).await.unwrap();
        }
        Act::Eof => {
            channel.eof().await.unwrap();
            std::future::pending::<()>().await;
        }
        Act::HangsUp(words) => {
            let reason = russh::Disconnect::ByApplication;
            session
                .disconnect(reason, words, String::new())
                .await
                .unwrap();
            return;
        }
        Act::Says(out, errors, status) => {
            let input = input(&mut channel).await;
            let nonce = nonce(&input);
            let out = match String::from_utf8(out) {
                Ok(text) => text.replace("NONCE", nonce).into_bytes(),
                Err(error) => error.into_bytes(),
            };
            channel.extended_data_bytes(1, errors).await.unwrap();
            channel.data_bytes(out).await.unwrap();
            if let Some(status) = status {
                channel.exit_status(status).await.unwrap();
            }
        }
        Act::Answers(table) => {
            let input = input(&mut channel).await;
            channel.data_bytes(answers(&input, &table)).await.unwrap();
            channel.exit_status(0).await.unwrap();
        }
        Act::Hang | Act::Drop | Act::Refuse | Act::Mute | Act::Full(_) | Act::OneSession(_) => {
            std::future::pending::<()>().await;
        }
    }
    channel.eof().await.unwrap();
    channel.close().await.unwrap();
}

/// All that a command is given to read.
async fn input(channel: &mut Channel<Msg>) -> String {
    let mut input = Vec::new();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => input.extend_from_slice(&data),
            ChannelMsg::Eof => break,
            _ => {}
        }
    }
    String::from_utf8_lossy(&input).into_owned()
}

/// What frames the answers to a script of questions.
fn nonce(script: &str) -> &str {
    let mut parts = script.split("printf '\\n");
    let found = parts.nth(1).and_then(|rest| rest.split(' ').next());
    found.unwrap_or_default()
}

fn answers(script: &str, table: &[(String, String)]) -> String {
    let nonce = nonce(script);
    let mut said = String::new();
    let begin = format!("printf '\\n{nonce} begin ");
    for (index, question) in script.split(&begin).skip(1).enumerate() {
        let mut fitting = table.iter().filter(|(part, _)| question.contains(part));
        let answer = fitting.next().map_or("", |(_, answer)| answer);
        said.push_str(&format!(
            "\n{nonce} begin {index}\n{answer}\n{nonce} error {index} 0\n\n{nonce} end {index}\n"
        ));
    }
    said
}
