//! Why there is no connection, as data and as words for the user.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::ssh::authentication::Denied;
use crate::ssh::exchange::seconds;
use crate::ssh::host_key::{Refusal, Refused};
use crate::ssh::known_hosts::{FileError, entry_name};
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
    HostKey(Refused),
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
        let code = match &*self.fault {
            Fault::Unresolved { .. }
            | Fault::TimedOut {
                phase: ConnectionPhase::Name,
                ..
            } => Code::HOST_NAME_UNRESOLVED,
            Fault::PortClosed
            | Fault::NoBanner { .. }
            | Fault::TimedOut {
                phase: ConnectionPhase::Banner,
                ..
            } => Code::HOST_WITHOUT_SSH,
            Fault::KeyExchange { .. }
            | Fault::Lost { .. }
            | Fault::TimedOut {
                phase: ConnectionPhase::KeyExchange | ConnectionPhase::Authentication,
                ..
            } => Code::HANDSHAKE_FAILED,
            _ => Code::HOST_UNREACHABLE,
        };
        let unreachable = Problem::new(code, format!("{}: cannot be reached", target.name));
        match &*self.fault {
            Fault::Unresolved { reason } => unreachable
                .because(format!(
                    "the name {} does not resolve: {reason}",
                    target.address
                ))
                .next(format!("getent hosts {}", quote(&target.address)))
                .next("or give the host's IP address as its `address`"),
            Fault::PortClosed => unreachable
                .because(format!("nothing listens on {place}: connection refused"))
                .next("start sshd on the host, or set its `ssh.port`; then check with")
                .next(self.ssh(None)),
            Fault::NoRoute { reason } => unreachable
                .because(format!("there is no way to {place}: {reason}"))
                .next("check the address, the network of this machine and that the host is up")
                .next(format!("ping -c 3 {}", quote(target.bare_address()))),
            Fault::Tcp { reason } => unreachable
                .because(format!("TCP to {place} failed: {reason}"))
                .next(self.ssh(None)),
            Fault::TimedOut { phase, limit } => self.timed_out(unreachable, *phase, *limit),
            Fault::NoBanner { said, reason, .. } => {
                let problem = unreachable.because(format!(
                    "{place} takes connections, but no SSH server introduced itself: {reason}"
                ));
                match said {
                    Some(said) => problem.because(format!("it said: {said}")),
                    None => problem,
                }
                .next("check that sshd listens on this port and takes more connections (MaxStartups); then check with")
                .next(self.ssh(None))
            }
            Fault::KeyExchange { reason } => unreachable
                .because(format!("the key exchange with {place} failed: {reason}"))
                .next(self.ssh(Some("-v"))),
            Fault::Lost { phase, reason } => unreachable
                .because(format!(
                    "the connection to {place} ended during {phase}: {reason}"
                ))
                .next(self.ssh(Some("-v"))),
            Fault::KnownHosts(error) => file_problem(&target.name, error),
            Fault::HostKey(refused) => self.host_key(refused),
            Fault::Authentication(denied) => self.denied(denied),
        }
    }

    fn timed_out(&self, problem: Problem, phase: ConnectionPhase, limit: Duration) -> Problem {
        let place = self.place();
        let limit = seconds(limit);
        let address = quote(self.target.bare_address());
        match phase {
            ConnectionPhase::Name => problem
                .because(format!(
                    "the name {} was not resolved within {limit}",
                    self.target.address
                ))
                .next(format!("getent hosts {address}")),
            ConnectionPhase::Tcp => problem
                .because(format!("{place} did not answer within {limit}"))
                .next("check that the host is up and that no firewall drops this port")
                .next(format!("ping -c 3 {address}")),
            ConnectionPhase::Banner => problem
                .because(format!(
                    "{place} takes connections, but no SSH server introduced itself within {limit}"
                ))
                .next(self.ssh(Some("-v"))),
            ConnectionPhase::KeyExchange | ConnectionPhase::Authentication => problem
                .because(format!("{place} did not finish {phase} within {limit}"))
                .next(self.ssh(Some("-v"))),
        }
    }

    fn host_key(&self, refused: &Refused) -> Problem {
        let target = &*self.target;
        let name = &target.name;
        let key_type = &refused.shown.key_type;
        let shows = format!(
            "{} shows the {key_type} key {}",
            self.place(),
            refused.shown.fingerprint
        );
        match &refused.refusal {
            Refusal::Unknown { file } => problem!(Code::HOST_KEY_UNKNOWN, "{name}: the host key is not known")
                .because(shows)
                .next("compare it with what this prints on the host itself")
                .next(format!("ssh-keygen -l -f {}", host_key_file(key_type)))
                .next("if they are equal, run the same command again with --accept-new-host-keys, or first type")
                .next(self.scan(file)),
            Refusal::Declined => problem!(Code::HOST_KEY_UNKNOWN, "{name}: the host key was not accepted").because(shows),
            Refusal::Changed { place, known } => {
                problem!(Code::HOST_KEY_CHANGED, "{name}: THE HOST KEY HAS CHANGED")
                    .because(shows)
                    .because(format!("{}:{} says {known}", place.file.display(), place.line))
                    .because("either the machine was installed anew, or another one answers in its place")
                    .next("only if you know that it was installed anew, forget the old key")
                    .next(self.forget(&place.file))
                    .next("and run the same command again with --accept-new-host-keys")
            }
            Refusal::OtherType { types, place } => {
                problem!(Code::HOST_KEY_CHANGED, "{name}: the host shows a key of a new type")
                    .because(shows)
                    .because(format!("{}:{} knows it by {} only", place.file.display(), place.line, types.join(", ")))
                    .because("either the machine was installed anew, or another one answers in its place")
                    .next("only if you know why, forget the old keys")
                    .next(self.forget(&place.file))
                    .next("and run the same command again with --accept-new-host-keys")
            }
            Refusal::Revoked(place) => problem!(Code::HOST_KEY_REVOKED, "{name}: THE HOST KEY IS REVOKED")
                .because(shows)
                .because(format!("{}:{} revokes this key", place.file.display(), place.line))
                .next("do not use this machine before it has new host keys: others may hold the old ones"),
            Refusal::File(error) => file_problem(name, error),
        }
    }

    fn denied(&self, denied: &Denied) -> Problem {
        let target = &*self.target;
        let mut problem = problem!(
            Code::LOGIN_REFUSED,
            "{}: {} refused the login as {}",
            target.name,
            self.place(),
            target.user
        );
        if denied.offered.is_empty() {
            problem = problem.because("there was no key to offer");
        }
        for key in &denied.offered {
            problem = problem.because(format!(
                "{}: {key}",
                if denied.more_wanted {
                    "offered"
                } else {
                    "refused"
                }
            ));
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
            problem = problem.because(note.clone());
        }
        if denied.too_many {
            problem = problem
                .next("name the right key (`ssh.key` in the inventory, or --ssh-key), it is offered first; or empty the agent")
                .next("ssh-add -D");
        }
        for path in &denied.protected {
            problem = problem
                .next("add it to the agent")
                .next(format!("ssh-add {}", quote(&path.to_string_lossy())));
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
            .next(self.ssh(Some("-i KEY")))
    }

    /// The line that makes OpenSSH forget the host.
    fn forget(&self, file: &Path) -> String {
        let name = entry_name(self.target.bare_address(), self.target.port);
        format!(
            "ssh-keygen -R {} -f {}",
            quote(&name),
            quote(&file.to_string_lossy())
        )
    }

    /// The line that adds the host's keys to a `known_hosts` file.
    fn scan(&self, file: &Path) -> String {
        let address = quote(self.target.bare_address());
        let file = quote(&file.to_string_lossy());
        match self.target.port {
            22 => format!("ssh-keyscan {address} >> {file}"),
            port => format!("ssh-keyscan -p {port} {address} >> {file}"),
        }
    }

    /// The line that does by hand what failed here.
    fn ssh(&self, option: Option<&str>) -> String {
        let target = &*self.target;
        let mut line = "ssh".to_owned();
        if let Some(option) = option {
            line = format!("{line} {option}");
        }
        if target.port != 22 {
            line = format!("{line} -p {}", target.port);
        }
        format!(
            "{line} {}",
            quote(&format!("{}@{}", target.user, target.bare_address()))
        )
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
        "{name}: the host key cannot be checked"
    )
    .because(format!(
        "{file} cannot be {}: {}",
        error.tried, error.reason
    ))
    .next(format!("ls -l {}", quote(&error.file.to_string_lossy())))
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
