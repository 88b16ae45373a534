//! An SSH server inside the test process, which misbehaves as told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey, key::safe_rng};
use russh::server::{
    self, Auth, ChannelOpenHandle, Handler, Msg, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, MethodKind, MethodSet, Sig};
use tokio::net::TcpListener;

mod shell;

use shell::shell;

/// The only password that is let in, where the methods allow one.
pub(super) const PASSWORD: &str = "let me in";

/// What the server does with a command.
#[derive(Debug, Clone)]
pub(super) enum Act {
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
    /// Refuses to run anything.
    Refuse,
    /// Opens no channel.
    Full,
    /// Really runs it, one command at a time, and frees the session of an ended one so much later.
    OneSession(Duration),
}

pub(super) struct Server {
    pub address: SocketAddr,
    /// The commands that were asked for.
    pub commands: Arc<Mutex<Vec<String>>>,
    /// How many channels the client closed.
    pub closed: Arc<AtomicUsize>,
    /// How many connections were made.
    pub connections: Arc<AtomicUsize>,
    /// How many channels were refused.
    pub refused: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(super) struct Setup {
    pub host_keys: Vec<PrivateKey>,
    pub certificates: Vec<Certificate>,
    /// The only key that is let in.
    pub accepts: PublicKey,
    pub act: Act,
    /// Connections that are closed without a word before one is served.
    pub drops: usize,
    pub attempts: usize,
    pub methods: &'static [MethodKind],
}

pub(super) fn new_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

pub(super) async fn serve(setup: Setup) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        commands: Arc::default(),
        closed: Arc::default(),
        connections: Arc::default(),
        refused: Arc::default(),
    };
    let config = Arc::new(server::Config {
        keys: setup.host_keys.clone(),
        certificates: setup.certificates.clone(),
        auth_rejection_time: Duration::from_millis(1),
        max_auth_attempts: setup.attempts,
        methods: MethodSet::from(setup.methods),
        nodelay: true,
        ..server::Config::default()
    });
    let (commands, closed, connections, refused) = (
        server.commands.clone(),
        server.closed.clone(),
        server.connections.clone(),
        server.refused.clone(),
    );
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            if connections.fetch_add(1, Ordering::SeqCst) < setup.drops {
                continue;
            }
            let peer = Peer {
                setup: setup.clone(),
                channel: None,
                commands: commands.clone(),
                closed: closed.clone(),
                refused: refused.clone(),
                session: Arc::default(),
                held: None,
            };
            let config = config.clone();
            tokio::spawn(async move {
                if let Ok(running) = server::run_stream(config, socket, peer).await {
                    let _ended = running.await;
                }
            });
        }
    });
    server
}

struct Peer {
    setup: Setup,
    channel: Option<Channel<Msg>>,
    commands: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    /// Held while the only session there is runs a command.
    session: Arc<tokio::sync::Mutex<()>>,
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        if key.public_key.key_data() == self.setup.accepts.key_data() {
            return Ok(Auth::Accept);
        }
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(match password {
            PASSWORD => Auth::Accept,
            _ => Auth::reject(),
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _methods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        Ok(match response.map(|mut words| words.next()) {
            None => Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            },
            Some(Some(word)) if word == PASSWORD => Auth::Accept,
            Some(_) => Auth::reject(),
        })
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let to = (host, u16::try_from(port).unwrap());
        let Ok(mut far) = tokio::net::TcpStream::connect(to).await else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        reply.accept().await;
        let mut near = channel.into_stream();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let is_full = match self.setup.act {
            Act::Full => true,
            Act::OneSession(_) => match Arc::clone(&self.session).try_lock_owned() {
                Ok(held) => {
                    self.held = Some(held);
                    false
                }
                Err(_) => true,
            },
            _ => false,
        };
        if is_full {
            self.refused.fetch_add(1, Ordering::SeqCst);
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.commands.lock().unwrap().push(command.clone());
        if matches!(self.setup.act, Act::Refuse) {
            session.channel_failure(id)?;
            session.close(id)?;
            return Ok(());
        }
        session.channel_success(id)?;
        let channel = self.channel.take().unwrap();
        if let Act::OneSession(lag) = self.setup.act {
            let held = self.held.take();
            tokio::spawn(async move {
                shell(channel, &command, None).await;
                tokio::time::sleep(lag).await;
                drop(held);
            });
            return Ok(());
        }
        tokio::spawn(act(
            self.setup.act.clone(),
            channel,
            command,
            session.handle(),
        ));
        Ok(())
    }

    async fn data(
        &mut self,
        _id: ChannelId,
        _data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.setup.act {
            Act::Drop => Err(russh::Error::Disconnect),
            _ => Ok(()),
        }
    }

    async fn channel_close(
        &mut self,
        _id: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.closed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn act(act: Act, mut channel: Channel<Msg>, command: String, session: server::Handle) {
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
        Act::Hang | Act::Drop | Act::Refuse | Act::Full | Act::OneSession(_) => {
            std::future::pending::<()>().await;
        }
    }
    channel.eof().await.unwrap();
    channel.close().await.unwrap();
}
