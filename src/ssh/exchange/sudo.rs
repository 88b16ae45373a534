//! Becoming root on a host: by sudo, which may ask for a password, or by doas where there is no sudo.

use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{Mutex, MutexGuard};

use super::{ChannelEnd, Received, Timer};
use crate::shell::quote;
use crate::vars::Secret;

/// Where another host is trying the same password, so long is waited for what it says of it.
const ANOTHER: Duration = Duration::from_secs(10);

/// Shell text of the user that becomes root with the arguments behind it. sudo complains in English, so
/// that it is understood here.
const BECOME: &str = "export LC_ALL=C; command -v sudo >/dev/null || { command -v doas >/dev/null && exec doas -n -- \"$@\"; echo \"sudo: command not found\" >&2; exit 127; }; exec sudo";

/// What begins the line on standard error that names the host which refused the password, where it
/// was not tried on another one.
pub const NOT_TRIED: &str = "the password was not tried, it was refused by ";

/// The password that sudo is given where it asks for one. It is tried on one host first, and where that
/// refuses it, on no other: the account may be one account, which too many wrong passwords lock.
#[derive(Debug)]
pub struct BecomePassword {
    secret: Secret,
    /// Whether a host took it, or the name of one that did not.
    verdict: Mutex<Option<Result<(), String>>>,
}

impl BecomePassword {
    /// A password that no host was told yet.
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            verdict: Mutex::default(),
        }
    }
}

impl PartialEq for BecomePassword {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for BecomePassword {}

/// The way to root in one exchange. The input of the command is sent only when root is there to read it:
/// sudo would take its lines as further passwords after a wrong one, and log the user's account shut.
pub(in crate::ssh) struct Door {
    password: Arc<BecomePassword>,
    host: String,
    /// What no host can know beforehand: in sudo's prompt, and as the line before the input.
    pub(in crate::ssh) nonce: String,
}

impl Door {
    pub fn new(password: &Arc<BecomePassword>, host: &str) -> Self {
        Self {
            password: Arc::clone(password),
            host: host.to_owned(),
            nonce: format!("towline_{:032x}", rand::random::<u128>()),
        }
    }

    fn prompt(&self) -> String {
        format!("{}_password:", self.nonce)
    }

    /// Says that root is there, throws away whatever comes before the line with the nonce (a password
    /// that sudo did not ask for), and becomes the command behind it.
    pub fn wrapper(&self) -> String {
        let nonce = &self.nonce;
        format!(
            "echo {nonce}; while :; do IFS= read -r line || exit 1; [ \"$line\" = {nonce} ] && break; done; unset line; exec \"$@\""
        )
    }

    /// Waits until root is there, and gives the password where it is asked for: once. The end of the
    /// exchange where that fails.
    pub(super) async fn pass(
        &self,
        reader: &mut ChannelReadHalf,
        writer: &ChannelWriteHalf<Msg>,
        timer: &Timer,
        received: &mut Received,
    ) -> Option<ChannelEnd> {
        let (prompt, line) = (self.prompt(), format!("{}\n", self.nonce));
        let mut looked = 0;
        let mut turn = PasswordTurn::default();
        let end = loop {
            let message = tokio::select! {
                message = reader.wait() => message,
                why = timer.passed(received.ended()) => break ChannelEnd::Late(why),
            };
            match message {
                None => break ChannelEnd::Gone,
                Some(ChannelMsg::Close) => break ChannelEnd::Closed,
                Some(message) => {
                    if let Some(flooded) = received.take(message) {
                        break flooded;
                    }
                }
            }
            let new = &received.stdout[looked..];
            if let Some(said) = before(new, &line) {
                received.stdout.truncate(looked + said);
                turn.end(Ok(()));
                // What cannot be sent is seen by the side that reads.
                let sent = tokio::select! {
                    _ = writer.data_bytes(line) => None,
                    why = timer.passed(received.ended()) => Some(ChannelEnd::Late(why)),
                };
                received.without(&prompt);
                return sent;
            }
            // A host that talks without end is not read from its beginning each time.
            looked = received.stdout.len().saturating_sub(line.len());
            if !received.without(&prompt) {
                continue;
            }
            let _ = match turn.begin(&self.password).await {
                Begun::Mine => {
                    let password = format!("{}\n", self.password.secret.expose());
                    tokio::select! {
                        sent = writer.data_bytes(password) => sent,
                        why = timer.passed(received.ended()) => break ChannelEnd::Late(why),
                    }
                }
                Begun::Again => {
                    turn.end(Err(self.host.clone()));
                    writer.eof().await
                }
                Begun::Refused(host) => {
                    let said = format!("{NOT_TRIED}{host}\n");
                    received.stderr.extend_from_slice(said.as_bytes());
                    writer.eof().await
                }
            };
        };
        if is_wrong(&String::from_utf8_lossy(&received.stderr)) {
            turn.end(Err(self.host.clone()));
        }
        Some(end)
    }
}

/// Whether sudo says that a password was wrong.
pub fn is_wrong(said: &str) -> bool {
    // The last two are those of sudo-rs.
    [
        "incorrect password attempt",
        "Sorry, try again",
        "incorrect authentication attempt",
        "Authentication failed, try again",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// The time in which this exchange is the one that tries the password.
#[derive(Default)]
struct PasswordTurn<'a> {
    verdict: Option<MutexGuard<'a, Option<Result<(), String>>>>,
    has_sent: bool,
}

/// What becomes of a question for the password.
enum Begun {
    /// It is given.
    Mine,
    /// It was given here before, and was wrong, or something else is asked for.
    Again,
    /// Another host refused it.
    Refused(String),
}

impl<'a> PasswordTurn<'a> {
    async fn begin(&mut self, password: &'a BecomePassword) -> Begun {
        if self.has_sent {
            return Begun::Again;
        }
        self.has_sent = true;
        let verdict = tokio::time::timeout(ANOTHER, password.verdict.lock()).await;
        // One that takes so long keeps nothing else waiting.
        let Ok(verdict) = verdict else {
            return Begun::Mine;
        };
        match &*verdict {
            Some(Err(host)) => Begun::Refused(host.clone()),
            Some(Ok(())) => Begun::Mine,
            None => {
                self.verdict = Some(verdict);
                Begun::Mine
            }
        }
    }

    /// Says what the host said of the password, if this was the time to try it.
    fn end(&mut self, said: Result<(), String>) {
        if let Some(mut verdict) = self.verdict.take() {
            *verdict = Some(said);
        }
    }
}

impl Received {
    /// Takes a prompt out of standard error; whether it was there.
    pub(in crate::ssh) fn without(&mut self, prompt: &str) -> bool {
        let Some(at) = before(&self.stderr, prompt) else {
            return false;
        };
        self.stderr.drain(at..at + prompt.len());
        true
    }
}

/// Where a text begins.
fn before(bytes: &[u8], text: &str) -> Option<usize> {
    let mut windows = bytes.windows(text.len());
    windows.position(|window| window == text.as_bytes())
}

/// The command line that runs `/bin/sh` with these arguments as root.
pub(in crate::ssh) fn as_root(user: &str, door: Option<&Door>, arguments: &str) -> String {
    if user == "root" {
        return format!("exec /bin/sh{arguments}");
    }
    let (options, wrapper) = match door {
        None => ("-n".to_owned(), String::new()),
        Some(door) => (
            format!("-S -p {}", door.prompt()),
            format!("/bin/sh -c {} sh ", quote(&door.wrapper())),
        ),
    };
    let text = quote(&format!("{BECOME} {options} -- \"$@\""));
    format!("exec /bin/sh -c {text} sh {wrapper}/bin/sh{arguments}")
}
