//! Why there is no connection, as data and as words for the user.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::ssh::authentication::Denied;
use crate::ssh::exchange::seconds;
use crate::ssh::host_key::{HostKeyRefusal, RefusedHostKey};
use crate::ssh::known_hosts::{FileError, KnownHostsLine, entry_name};
use crate::ssh::target::Target;

/// A host that could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The host.
    pub target: Box<Target>,
    /// What went wrong.
    pub fault: Box<Fault>,
}

/// What went wrong, in the order in which a connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The name has no address.
    Unresolved {
        /// What the resolver answered.
        reason: String,
    },
    /// Nothing listens on the port.
    PortClosed,
    /// The network knows no way to the host.
    NoRoute {
        /// What the system answered.
        reason: String,
    },
    /// TCP failed in another way.
    Tcp {
        /// What the system answered.
        reason: String,
    },
    /// A stage took too long.
    TimedOut {
        /// The stage.
        phase: ConnectionPhase,
        /// How long was waited.
        limit: Duration,
    },
    /// Something listens on the port, and it did not introduce itself as SSH.
    NoBanner {
        /// The first line it said instead.
        said: Option<String>,
        /// It ended the connection; `false` is something that speaks another protocol.
        closed: bool,
        /// How the connection ended.
        reason: String,
    },
    /// The key exchange failed.
    KeyExchange {
        /// What failed.
        reason: String,
    },
    /// The `known_hosts` file cannot be read.
    KnownHosts(FileError),
    /// The host's key was not taken.
    HostKey(RefusedHostKey),
    /// The host refused the login.
    Authentication(Denied),
    /// The connection ended.
    Lost {
        /// In which stage.
        phase: ConnectionPhase,
        /// What was said about it.
        reason: String,
    },
}

/// A part of making a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionPhase {
    /// Resolving the name.
    Name,
    /// The TCP connection.
    Tcp,
    /// Waiting for the host to introduce itself.
    Banner,
    /// Agreeing on keys.
    KeyExchange,
    /// Logging in.
    Authentication,
}

impl ConnectError {
    pub(super) fn new(target: &Target, fault: Fault) -> Self {
        Self {
            target: Box::new(target.clone()),
            fault: Box::new(fault),
        }
    }

    /// What the user is told: the host, what was tried, what it answered, what to type now.
    pub fn problem(&self) -> Problem {
        let target = &*self.target;
        let place = self.place();
        let ping = || format!("ping -c 3 {}", quote(target.bare_address()));
        let resolve = || format!("getent hosts {}", quote(target.bare_address()));
        let unreachable = |code, why: String| {
            Problem::new(code, "cannot be reached")
                .of(&target.name)
                .because(why)
        };
        match &*self.fault {
            Fault::Unresolved { reason } => {
                let why = format!("the name {} does not resolve: {reason}", target.address);
                unreachable(Code::HOST_NAME_UNRESOLVED, why)
                    .command(resolve())
                    .next("or give the host's IP address instead of its name")
            }
            Fault::PortClosed => {
                let why = format!("nothing listens on {place}: connection refused");
                unreachable(Code::HOST_WITHOUT_SSH, why)
                    .next("start sshd on the host, or set its `ssh.port`; then check with")
                    .command(self.ssh(None))
            }
            Fault::NoRoute { reason } => {
                let why = format!("there is no way to {place}: {reason}");
                unreachable(Code::HOST_UNREACHABLE, why)
                    .next("check the address, the network of this machine and that the host is up")
                    .command(ping())
            }
            Fault::Tcp { reason } => {
                let why = format!("TCP to {place} failed: {reason}");
                unreachable(Code::HOST_UNREACHABLE, why).command(self.ssh(None))
            }
            Fault::TimedOut { phase, limit } => {
                let limit = seconds(*limit);
                match phase {
                    ConnectionPhase::Name => {
                        let why = format!(
                            "the name {} was not resolved within {limit}",
                            target.address
                        );
                        unreachable(Code::HOST_NAME_UNRESOLVED, why).command(resolve())
                    }
                    ConnectionPhase::Tcp => {
                        let why = format!("{place} did not answer within {limit}");
                        unreachable(Code::HOST_UNREACHABLE, why)
                            .next("check that the host is up and that no firewall drops this port")
                            .command(ping())
                    }
                    ConnectionPhase::Banner => {
                        let why = format!(
                            "{place} takes connections, but no SSH server introduced itself within {limit}"
                        );
                        unreachable(Code::HOST_WITHOUT_SSH, why).command(self.ssh(Some("-v")))
                    }
                    ConnectionPhase::KeyExchange | ConnectionPhase::Authentication => {
                        let why = format!("{place} did not finish {phase} within {limit}");
                        unreachable(Code::HANDSHAKE_FAILED, why).command(self.ssh(Some("-v")))
                    }
                }
            }
            Fault::NoBanner { said, reason, .. } => {
                let why = format!(
                    "{place} takes connections, but no SSH server introduced itself: {reason}"
                );
                let problem = unreachable(Code::HOST_WITHOUT_SSH, why);
                let said = said.iter().map(|said| format!("it said: {said}"));
                said.fold(problem, Problem::because)
                    .next("check that sshd listens on this port and takes more connections (MaxStartups); then check with")
                    .command(self.ssh(None))
            }
            Fault::KeyExchange { reason } => {
                let why = format!("the key exchange with {place} failed: {reason}");
                unreachable(Code::HANDSHAKE_FAILED, why).command(self.ssh(Some("-v")))
            }
            Fault::Lost { phase, reason } => {
                let why = format!("the connection to {place} ended during {phase}: {reason}");
                unreachable(Code::HANDSHAKE_FAILED, why).command(self.ssh(Some("-v")))
            }
            Fault::KnownHosts(error) => file_problem(&target.name, error),
            Fault::HostKey(refused) => self.host_key(refused),
            Fault::Authentication(denied) => self.denied(denied),
        }
    }

    fn host_key(&self, refused: &RefusedHostKey) -> Problem {
        let target = &*self.target;
        let name = &target.name;
        let key_type = &refused.shown.key_type;
        let shows = format!(
            "{} shows the {key_type} key {}",
            self.place(),
            refused.shown.fingerprint
        );
        match &refused.refusal {
            HostKeyRefusal::Unknown { file } => problem!(Code::HOST_KEY_UNKNOWN, host = name, "the host key is not known")
                .because(shows)
                .next("compare it with what this prints on the host itself")
                .on_host(format!("ssh-keygen -l -f {}", host_key_file(key_type)))
                .next("if they are equal, run the same command again with --accept-new-host-keys, or first type")
                .command(self.scan(file)),
            HostKeyRefusal::Declined => problem!(Code::HOST_KEY_UNKNOWN, host = name, "the host key was not accepted").because(shows),
            HostKeyRefusal::Changed { place, known } => {
                let problem = problem!(Code::HOST_KEY_CHANGED, host = name, "THE HOST KEY HAS CHANGED").because(shows);
                self.other_key(problem, place, &format!("says {known}"))
            }
            HostKeyRefusal::OtherType { types, place } => {
                let problem = problem!(Code::HOST_KEY_CHANGED, host = name, "the host shows a key of a new type").because(shows);
                self.other_key(problem, place, &format!("knows it by {} only", types.join(", ")))
            }
            HostKeyRefusal::Revoked(place) => problem!(Code::HOST_KEY_REVOKED, host = name, "THE HOST KEY IS REVOKED")
                .because(shows)
                .because(format!("{}:{} revokes this key", place.file.display(), place.line))
                .next("do not use this machine before it has new host keys: others may hold the old ones"),
            HostKeyRefusal::File(error) => file_problem(name, error),
        }
    }

    fn other_key(&self, problem: Problem, place: &KnownHostsLine, says: &str) -> Problem {
        problem
            .because(format!("{}:{} {says}", place.file.display(), place.line))
            .because("either the machine was installed anew, or another one answers in its place")
            .next("only if you know that it was installed anew, forget the old keys")
            .command(self.forget(&place.file))
            .next("and run the same command again with")
            .flag("--accept-new-host-keys")
    }

    fn denied(&self, denied: &Denied) -> Problem {
        let target = &*self.target;
        let mut problem = problem!(
            Code::LOGIN_REFUSED,
            host = &target.name,
            "{} refused the login as {}",
            self.place(),
            target.user
        );
        if denied.offered.is_empty() {
            problem = problem.because("there was no key to offer");
        }
        let became = if denied.more_wanted {
            "offered"
        } else {
            "refused"
        };
        for key in &denied.offered {
            problem = problem.because(format!("{became}: {key}"));
        }
        if denied.more_wanted {
            problem = problem.because("a key was accepted, but the host asks for something more");
        }
        if !denied.methods.is_empty() {
            problem = problem.because(format!("the host allows: {}", denied.methods.join(", ")));
        }
        if denied.too_many {
            problem = problem.because("the host hung up: too many authentication failures");
        }
        for path in &denied.protected {
            problem = problem.because(format!(
                "{} is protected by a passphrase and was not offered",
                path.display()
            ));
        }
        for note in &denied.notes {
            problem = problem.because(note);
        }
        if denied.too_many {
            problem = problem
                .next("name the right key (`ssh.key` in the inventory, or --ssh-key), it is offered first; or empty the agent")
                .command("ssh-add -D");
        }
        for path in &denied.protected {
            problem = problem
                .next("add it to the agent")
                .command(format!("ssh-add {}", quote(&path.to_string_lossy())));
        }
        if denied.more_wanted {
            return problem.next("towline logs in with one key: ask for no more than `publickey` (AuthenticationMethods in the host's sshd_config)");
        }
        if !denied.methods.is_empty() && !denied.methods.iter().any(|method| method == "publickey")
        {
            return problem.next(
                "towline logs in by key only: allow PubkeyAuthentication in the host's sshd_config",
            );
        }
        problem
            .next("check that this logs in")
            .command(self.ssh(Some("-i KEY")))
    }

    /// The line that makes OpenSSH forget the host.
    fn forget(&self, file: &Path) -> String {
        let name = quote(&entry_name(self.target.bare_address(), self.target.port));
        format!("ssh-keygen -R {name} -f {}", quote(&file.to_string_lossy()))
    }

    /// The line that adds the host's keys to a `known_hosts` file.
    fn scan(&self, file: &Path) -> String {
        let address = quote(self.target.bare_address());
        let file = quote(&file.to_string_lossy());
        format!("ssh-keyscan{} {address} >> {file}", self.port())
    }

    /// The line that does by hand what failed here.
    fn ssh(&self, option: Option<&str>) -> String {
        let option = option.map_or_else(String::new, |option| format!(" {option}"));
        let login = format!("{}@{}", self.target.user, self.target.bare_address());
        format!("ssh{option}{} {}", self.port(), quote(&login))
    }

    /// The option for the port, unless it is the usual one.
    fn port(&self) -> String {
        match self.target.port {
            22 => String::new(),
            port => format!(" -p {port}"),
        }
    }

    /// `10.0.0.1 port 22`.
    fn place(&self) -> String {
        format!("{} port {}", self.target.bare_address(), self.target.port)
    }
}

fn file_problem(name: &str, error: &FileError) -> Problem {
    let file = error.file.display();
    problem!(
        Code::KNOWN_HOSTS_UNREADABLE,
        host = name,
        "the host key cannot be checked"
    )
    .because(format!(
        "{file} cannot be {}: {}",
        error.tried, error.reason
    ))
    .command(format!("ls -l {}", quote(&error.file.to_string_lossy())))
}

/// Where OpenSSH keeps a host's own key of a type.
fn host_key_file(key_type: &str) -> String {
    let kind = match key_type {
        "ssh-ed25519" => "ed25519",
        "ssh-rsa" => "rsa",
        other if other.starts_with("ecdsa-") => "ecdsa",
        _ => "*",
    };
    format!("/etc/ssh/ssh_host_{kind}_key.pub")
}

impl fmt::Display for ConnectionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name's resolution",
            Self::Tcp => "the TCP connection",
            Self::Banner => "the introduction",
            Self::KeyExchange => "the key exchange",
            Self::Authentication => "authentication",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl std::error::Error for ConnectError {}

#[cfg(test)]
#[path = "tests/fault.rs"]
mod tests;
