//! One exchange with a host: one exec channel, its input, its output, its end.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::ssh::client::{Client, Shared, words};
use crate::ssh::{CommandOutput, Exit, UploadProgress};

mod sink;
mod sudo;
mod text;
mod timer;

pub(super) use sink::Sink;
pub use sudo::{BecomePassword, NOT_TRIED, is_wrong};
pub(super) use sudo::{Door, as_root};
pub(super) use text::whole_characters;
use text::{characters, name};
use timer::Timer;

/// Standard output that is longer is no answer.
pub(super) const LONGEST_OUTPUT: usize = 2 * 1024 * 1024;
/// As much of the end of standard error is kept.
pub(super) const LONGEST_ERRORS: usize = 64 * 1024;
/// A host that says more in one exchange, on whatever stream, is not listened to any longer.
const LONGEST_TALK: usize = 8 * 1024 * 1024;
/// How much of a file is read and sent at once.
const PIECE: usize = 256 * 1024;

/// How long a host may refuse a session while no other command of this connection holds one: it
/// frees the session of an ended command some time after its channel was closed.
const FREEING: Duration = Duration::from_secs(5);

/// What goes to the command's standard input.
pub(super) enum Input<'a> {
    Bytes(Option<Vec<u8>>),
    /// A file.
    File {
        file: File,
        size: u64,
        /// How much of it was read.
        read: u64,
        /// What is told so.
        progress: UploadProgress<'a>,
    },
}

impl<'a> Input<'a> {
    pub async fn of(path: &Path, progress: UploadProgress<'a>) -> std::io::Result<Self> {
        let file = File::open(path).await?;
        let size = file.metadata().await?.len();
        Ok(Self::File {
            file,
            size,
            read: 0,
            progress,
        })
    }

    fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(_) => None,
            Self::File { size, .. } => Some(*size),
        }
    }

    /// The next piece; an empty one is the end.
    async fn next(&mut self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.take().unwrap_or_default()),
            Self::File {
                file,
                read,
                progress,
                ..
            } => {
                // What was read before has been taken by the connection.
                progress(*read);
                let mut piece = Vec::with_capacity(PIECE);
                file.take(PIECE as u64).read_to_end(&mut piece).await?;
                *read += piece.len() as u64;
                Ok(piece)
            }
        }
    }
}

/// What to do in one exchange.
pub(super) struct Request<'a> {
    /// The command line for the user's login shell.
    pub command: String,
    /// What has to be passed before the input is sent.
    pub door: Option<Door>,
    pub input: Input<'a>,
    /// Where standard output goes, where it is a file.
    pub sink: Option<Sink>,
    /// How long it may take; with a file, how long it may take without any progress, and in all so
    /// much more than this as its size allows.
    pub limit: Duration,
}

/// Closes the channel when the exchange ends, however it ends: dropping a channel does not.
struct Closer<'a> {
    channel: Option<ChannelWriteHalf<Msg>>,
    /// How many channels of this connection are open.
    open: &'a AtomicU32,
}

impl<'a> Closer<'a> {
    fn new(channel: ChannelWriteHalf<Msg>, open: &'a AtomicU32) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        let channel = Some(channel);
        Self { channel, open }
    }
}

impl Drop for Closer<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if let (Some(channel), Ok(runtime)) =
            (self.channel.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(async move { channel.close().await });
        }
    }
}

/// What was received so far.
#[derive(Default)]
pub(super) struct Received {
    code: Option<u32>,
    signal: Option<String>,
    refused: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Where standard output goes, where it is a file.
    sink: Option<Sink>,
    /// How many bytes came, on any stream; of a file's content none.
    bytes: usize,
    /// When the first of it came.
    first: Option<Instant>,
}

/// How the waiting ended.
pub(super) enum ChannelEnd {
    /// The host closed the channel.
    Closed,
    /// The connection ended.
    Gone,
    /// A time limit passed; why, as words.
    Late(String),
    /// The host says more than is listened to; how much that is, as words.
    Flooded(String),
    /// The file on this side could not be read.
    Unreadable(std::io::Error),
    /// The file on this side could not be written.
    Unwritable(std::io::Error),
}

/// Runs one command. Whatever goes wrong is in the answer's exit; no status is never success.
pub(super) async fn exchange(
    handle: &Handle<Client>,
    shared: &Shared,
    count: &AtomicU32,
    order: Request<'_>,
) -> CommandOutput {
    count.fetch_add(1, Ordering::Relaxed);
    let channel = match open(handle, shared, order.limit).await {
        Ok(channel) => channel,
        Err(exit) => return CommandOutput::without_answer(exit),
    };
    let begun = Instant::now();
    let asked = channel.exec(true, order.command).await;
    let (mut reader, writer) = channel.split();
    let mut closer = Closer::new(writer, &shared.open_channels);
    if let Err(error) = asked {
        return CommandOutput::without_answer(Exit::Lost(gone(&error, shared).await));
    }
    let size = order.sink.as_ref().map(|sink| sink.left);
    let mut received = Received {
        sink: order.sink,
        ..Received::default()
    };
    let end = match &closer.channel {
        Some(writer) => {
            let timer = Timer::new(begun, order.limit, size.or(order.input.size()));
            let closed = match &order.door {
                Some(door) => door.pass(&mut reader, writer, &timer, &mut received).await,
                None => None,
            };
            match closed {
                Some(end) => end,
                None => talk(&mut reader, writer, order.input, &timer, &mut received).await,
            }
        }
        None => ChannelEnd::Gone,
    };
    if matches!(end, ChannelEnd::Closed) {
        closer.channel = None;
    }
    let start = received.first.unwrap_or_else(Instant::now) - begun;
    let exit = match (received.code, received.signal, end) {
        (_, _, ChannelEnd::Unreadable(error)) => {
            Exit::Lost(format!("the file cannot be read: {error}"))
        }
        (_, _, ChannelEnd::Unwritable(error)) => {
            Exit::Lost(format!("the file cannot be written here: {error}"))
        }
        (_, _, ChannelEnd::Flooded(limit)) => {
            received.stdout = Vec::new();
            Exit::Flooded(limit)
        }
        (_, Some(signal), _) => Exit::Signal(signal),
        (Some(0), None, _) if received.sink.is_some_and(|sink| sink.left > 0) => {
            Exit::Lost("the file was cut short".to_owned())
        }
        (Some(code), None, _) => Exit::Code(code),
        (None, None, _) if received.refused => {
            Exit::Refused("it opened a session and refused to run a command in it".to_owned())
        }
        (None, None, ChannelEnd::Late(why)) => Exit::Lost(why),
        (None, None, ChannelEnd::Gone) => Exit::Lost(shared.farewell().await),
        (None, None, ChannelEnd::Closed) => {
            Exit::Lost("the command ended without a status".to_owned())
        }
    };
    CommandOutput {
        exit,
        stdout: characters(received.stdout),
        stderr: String::from_utf8_lossy(whole_characters(&received.stderr)).into_owned(),
        start,
    }
}

/// Opens a channel. A host that has no session left is asked again as long as another command of
/// this connection holds one, and for a short while after.
async fn open(
    handle: &Handle<Client>,
    shared: &Shared,
    limit: Duration,
) -> Result<Channel<Msg>, Exit> {
    let mut refused_since = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let failure = match tokio::time::timeout(limit, handle.channel_open_session()).await {
            Ok(Ok(channel)) => return Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(failure))) => failure,
            Ok(Err(error)) => return Err(Exit::Lost(gone(&error, shared).await)),
            Err(_) => {
                let waited = seconds(limit);
                return Err(Exit::Lost(format!("no channel was opened within {waited}")));
            }
        };
        if shared.open_channels.load(Ordering::Relaxed) > 0 {
            refused_since = Instant::now();
        }
        let said = shared.channel_refusal(&failure);
        if refused_since.elapsed() >= FREEING {
            return Err(Exit::Refused(said));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Why a connection is of no more use.
async fn gone(error: &russh::Error, shared: &Shared) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::SendError | russh::Error::RecvError => {
            shared.farewell().await
        }
        other => words(other),
    }
}

/// Sends the input and receives everything until the channel is closed. Sending is given up as
/// soon as the channel closes: russh would wait for room in a window that is never opened again.
async fn talk(
    reader: &mut ChannelReadHalf,
    writer: &ChannelWriteHalf<Msg>,
    source: Input<'_>,
    timer: &Timer,
    received: &mut Received,
) -> ChannelEnd {
    let sending = send(writer, source, timer);
    tokio::pin!(sending);
    let mut sent = false;
    loop {
        // An unread channel stops its whole connection, so reading never waits for sending.
        tokio::select! {
            message = reader.wait() => match message {
                None => return ChannelEnd::Gone,
                Some(ChannelMsg::Close) => return ChannelEnd::Closed,
                Some(message) => {
                    timer.progress();
                    if let Some(flooded) = received.take(message) {
                        return flooded;
                    }
                }
            },
            result = &mut sending, if !sent => match result {
                Ok(()) => sent = true,
                Err(error) => return ChannelEnd::Unreadable(error),
            },
            why = timer.passed(received.ended()) => return ChannelEnd::Late(why),
        }
    }
}

/// Sends the whole input and its end. Fails only when the input cannot be read: what becomes of
/// the channel is seen by the side that reads.
async fn send(
    writer: &ChannelWriteHalf<Msg>,
    mut source: Input<'_>,
    timer: &Timer,
) -> std::io::Result<()> {
    loop {
        let piece = source.next().await?;
        let last = piece.is_empty();
        let sent = if last {
            writer.eof().await
        } else {
            writer.data_bytes(piece).await
        };
        if last || sent.is_err() {
            return Ok(());
        }
        timer.progress();
    }
}

impl Received {
    fn ended(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }

    /// Takes what came in; the end of the exchange where that is too much.
    pub(super) fn take(&mut self, message: ChannelMsg) -> Option<ChannelEnd> {
        // Standard error does not count: sudo complains there before it starts anything.
        if matches!(message, ChannelMsg::Data { .. }) {
            self.first.get_or_insert_with(Instant::now);
        }
        match message {
            ChannelMsg::Data { data } => {
                let data = match self.sink.as_mut().map(|sink| sink.take(&data)) {
                    None => data,
                    Some(Ok(beside)) => data.slice(data.len() - beside..),
                    Some(Err(error)) => return Some(ChannelEnd::Unwritable(error)),
                };
                self.bytes += data.len();
                if self.stdout.len() + data.len() > LONGEST_OUTPUT {
                    return Some(flooded(LONGEST_OUTPUT));
                }
                self.stdout.extend_from_slice(&data);
            }
            ChannelMsg::ExtendedData { data, ext } => {
                self.bytes += data.len();
                if ext == 1 {
                    self.stderr.extend_from_slice(&data);
                }
                if self.stderr.len() > 4 * LONGEST_ERRORS {
                    let kept = whole_characters(&self.stderr).len();
                    self.stderr.drain(..self.stderr.len() - kept);
                }
            }
            ChannelMsg::ExitStatus { exit_status } => self.code = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => self.signal = Some(name(&signal_name)),
            ChannelMsg::Failure => self.refused = true,
            _ => {}
        }
        (self.bytes > LONGEST_TALK).then(|| flooded(LONGEST_TALK))
    }
}

fn flooded(limit: usize) -> ChannelEnd {
    ChannelEnd::Flooded(format!("{} MiB", limit / 1024 / 1024))
}

/// `60 s`, or `0.5 s` for less than a whole second.
pub(super) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
