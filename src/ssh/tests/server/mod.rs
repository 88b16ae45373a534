//! An SSH server inside the test process, which misbehaves as told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey, key::safe_rng};
use russh::server::{
    self, Auth, ChannelOpenHandle, Handler, Msg, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Limits, MethodKind, MethodSet, SshId};
use tokio::net::TcpListener;

mod act;
mod shell;

pub(super) use act::Act;
use act::act;
use shell::shell;

/// The only password that is let in, where the methods allow one.
pub(super) const PASSWORD: &str = "let me in";

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
    /// All that commands were given to read.
    pub received: Arc<Mutex<Vec<u8>>>,
}

/// What the server asks of a keyboard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// The password.
    Password,
    /// Something else.
    Else(&'static str),
    /// Nothing, again and again.
    Nothing,
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
    pub asks: Asks,
    /// How it introduces itself.
    pub id: &'static str,
    /// What it says before a login.
    pub banner: String,
    /// How much may be sent to a command before it is taken.
    pub window: u32,
    /// When keys are exchanged anew.
    pub limits: Limits,
}

impl Setup {
    /// An honest server with this key of its own, which lets this key in.
    pub(super) fn new(host_key: PrivateKey, accepts: PublicKey, act: Act) -> Self {
        Self {
            host_keys: vec![host_key],
            certificates: Vec::new(),
            accepts,
            act,
            drops: 0,
            attempts: 6,
            methods: &[MethodKind::PublicKey, MethodKind::Password],
            asks: Asks::Password,
            id: "SSH-2.0-test",
            banner: String::new(),
            window: 2 * 1024 * 1024,
            limits: Limits::default(),
        }
    }
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
        received: Arc::default(),
    };
    let config = Arc::new(server::Config {
        keys: setup.host_keys.clone(),
        certificates: setup.certificates.clone(),
        auth_rejection_time: Duration::from_millis(1),
        max_auth_attempts: setup.attempts,
        methods: MethodSet::from(setup.methods),
        nodelay: true,
        server_id: SshId::Standard(setup.id.into()),
        window_size: setup.window,
        limits: setup.limits.clone(),
        ..server::Config::default()
    });
    let (commands, closed, connections, refused, received) = (
        server.commands.clone(),
        server.closed.clone(),
        server.connections.clone(),
        server.refused.clone(),
        server.received.clone(),
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
                received: received.clone(),
                unanswered: Vec::new(),
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
    received: Arc<Mutex<Vec<u8>>>,
    unanswered: Vec<ChannelOpenHandle>,
    /// Held while the only session there is runs a command.
    session: Arc<tokio::sync::Mutex<()>>,
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(Some(self.setup.banner.clone()))
    }

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
        let prompts = match self.setup.asks {
            Asks::Password => vec![("Password: ".into(), false)],
            Asks::Else(words) => vec![(words.into(), true)],
            Asks::Nothing => Vec::new(),
        };
        let asked = Auth::Partial {
            name: self.setup.banner.clone().into(),
            instructions: self.setup.banner.clone().into(),
            prompts: prompts.into(),
        };
        if matches!(self.setup.asks, Asks::Nothing) {
            return Ok(asked);
        }
        Ok(match response.map(|mut words| words.next()) {
            None => asked,
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
        if matches!(self.setup.act, Act::Mute) {
            self.unanswered.push(reply);
            return Ok(());
        }
        let is_full = match &self.setup.act {
            Act::Full(_) => true,
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
            let reason = match &self.setup.act {
                Act::Full(said) => ChannelOpenFailure::Other {
                    code: 2,
                    reason: (*said).to_owned(),
                },
                _ => ChannelOpenFailure::ConnectFailed,
            };
            reply.reject(reason).await;
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
        self.received.lock().unwrap().extend_from_slice(command);
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
            self.refused.clone(),
        ));
        Ok(())
    }

    async fn data(
        &mut self,
        _id: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.received.lock().unwrap().extend_from_slice(data);
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
