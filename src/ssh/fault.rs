//! Why there is no connection, in words for the user.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::ssh::known_hosts::{KnownHostVerdict, KnownHostsLine, ShownHostKey, entry_name};
use crate::ssh::target::Target;

/// A host that could not be connected to.
#[derive(Debug, Clone)]
pub struct ConnectError {
    /// What the user is told: the host, what was tried, what it answered, what to type now.
    pub problem: Box<Problem>,
    /// The key that the host showed, where that was not taken.
    pub shown_key: Option<ShownHostKey>,
    /// Whether nothing is known of this key, and no user has taken or declined it.
    pub is_unknown: bool,
    /// Whether the connection ended before the host introduced itself.
    pub(super) is_dropped: bool,
    /// Whether the host hung up before all keys were offered.
    pub(super) has_more: bool,
}

/// What was offered to a host that refused the login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Denied {
    /// The keys that were offered, in order, each with its fingerprint.
    pub offered: Vec<String>,
    /// The methods that the host allows, for example `publickey`; empty when it did not say.
    pub methods: Vec<String>,
    /// A key was accepted and the host asked for something more.
    pub more_wanted: bool,
    /// The host hung up after too many keys.
    pub too_many: bool,
    /// Keys that were left out because of their passphrase.
    pub protected: Vec<PathBuf>,
    /// What else was found wrong, as sentences: no agent, a key that cannot be read.
    pub notes: Vec<String>,
}

impl From<Problem> for ConnectError {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            shown_key: None,
            is_unknown: false,
            is_dropped: false,
            has_more: false,
        }
    }
}

impl Target {
    fn unreachable(&self, code: Code, why: impl fmt::Display) -> Problem {
        Problem::new(code, "cannot be reached")
            .of(&self.name)
            .because(why)
    }

    /// The name has no address.
    pub(super) fn unresolved(&self, reason: &str) -> Problem {
        let why = format!("the name {} {reason}", self.address);
        self.unreachable(Code::HOST_NAME_UNRESOLVED, why)
            .command(format!("getent hosts {}", quote(self.bare_address())))
            .next("or give the host's IP address instead of its name")
    }

    /// There is no TCP connection.
    pub(super) fn no_tcp(&self, error: &io::Error) -> Problem {
        let place = self.place();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                let why = format!("nothing listens on {place}: connection refused");
                self.unreachable(Code::HOST_WITHOUT_SSH, why)
                    .next("start sshd on the host, or set its `ssh.port`; then check with")
                    .command(self.ssh(None))
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                let why = format!("there is no way to {place}: {error}");
                self.unreachable(Code::HOST_UNREACHABLE, why)
                    .next("check the address, the network of this machine and that the host is up")
                    .command(self.ping())
            }
            _ => {
                let why = format!("TCP to {place} failed: {error}");
                self.unreachable(Code::HOST_UNREACHABLE, why)
                    .command(self.ssh(None))
            }
        }
    }

    /// The host that the connection goes through opens no way to this one; its words.
    pub(super) fn not_tunnelled(&self, reason: &str) -> Problem {
        let (code, next) = if reason.contains("prohibited") {
            (
                Code::BASTION_REFUSED,
                "allow it there: AllowTcpForwarding and PermitOpen in its sshd_config; then check with",
            )
        } else {
            (
                Code::HOST_UNREACHABLE,
                "check the address and that the host is up; this tries the same",
            )
        };
        let why = format!("no way to {} was opened: {reason}", self.place());
        self.unreachable(code, why)
            .next(next)
            .command(self.ssh(None))
    }

    /// The command that the connection goes through cannot be run.
    pub(super) fn no_command(&self, line: &str, error: &io::Error) -> Problem {
        let why = format!("ProxyCommand cannot be run: {error}: {line}");
        self.unreachable(Code::HANDSHAKE_FAILED, why)
            .command(self.ssh(Some("-v")))
    }

    /// The key that the host shows is none of those that it must be.
    pub(super) fn not_pinned(&self, shown: &ShownHostKey, pinned: &[String]) -> Problem {
        let ShownHostKey {
            key_type,
            fingerprint,
        } = shown;
        let problem = problem!(
            Code::HOST_KEY_CHANGED,
            host = &self.name,
            "THE HOST KEY IS NOT THE ONE OF THE INVENTORY"
        )
        .because(format!(
            "{} shows the {key_type} key {fingerprint}",
            self.place()
        ));
        let problem = pinned.iter().fold(problem, |problem, key| {
            problem.because(format!("its ssh.host_key is {key}"))
        });
        problem
            .because("either the machine was installed anew, or another one answers in its place")
            .next("only if you know that it was installed anew, correct its ssh.host_key")
    }

    /// No packet came back within a time.
    pub(super) fn silent(&self, limit: &str) -> Problem {
        let why = format!("{} did not answer within {limit}", self.place());
        self.unreachable(Code::HOST_UNREACHABLE, why)
            .next("check that the host is up and that no firewall drops this port")
            .command(self.ping())
    }

    /// Something listens on the port, and it did not introduce itself as SSH; the first line it said
    /// instead.
    pub(super) fn no_banner(&self, said: Option<&str>, reason: &str) -> Problem {
        let place = self.place();
        let why = format!("{place} takes connections, but no SSH server introduced itself{reason}");
        let problem = self.unreachable(Code::HOST_WITHOUT_SSH, why);
        let said = said.map(|said| format!("it said: {said}")).into_iter();
        said.fold(problem, Problem::because)
            .next("check that sshd listens on this port and takes more connections (MaxStartups); then check with")
            .command(self.ssh(None))
    }

    /// The connection went wrong before it could be used.
    pub(super) fn broken(&self, why: &str) -> Problem {
        self.unreachable(Code::HANDSHAKE_FAILED, why)
            .command(self.ssh(Some("-v")))
    }

    /// The key that the host shows is not taken; `is_declined` when the user said no to it.
    pub(super) fn refused(
        &self,
        shown: &ShownHostKey,
        verdict: KnownHostVerdict,
        own_file: &Path,
        is_declined: bool,
    ) -> Problem {
        let key_type = &shown.key_type;
        let refused = |code, what: &str| {
            let (place, fingerprint) = (self.place(), &shown.fingerprint);
            let shows = format!("{place} shows the {key_type} key {fingerprint}");
            Problem::new(code, what).of(&self.name).because(shows)
        };
        match verdict {
            KnownHostVerdict::Changed { place, known } => {
                let problem = refused(Code::HOST_KEY_CHANGED, "THE HOST KEY HAS CHANGED");
                self.other_key(problem, &place, &format!("says {known}"))
            }
            KnownHostVerdict::OtherType { types, place } => {
                let what = "the host shows a key of a new type";
                let says = format!("knows it by {} only", types.join(", "));
                self.other_key(refused(Code::HOST_KEY_CHANGED, what), &place, &says)
            }
            KnownHostVerdict::Revoked(place) => {
                refused(Code::HOST_KEY_REVOKED, "THE HOST KEY IS REVOKED")
                    .because(format!("{}:{} revokes this key", place.file.display(), place.line))
                    .next("do not use this machine before it has new host keys: others may hold the old ones")
            }
            KnownHostVerdict::RevokedAuthority { place, authority } => {
                let what = "THE AUTHORITY OF THE HOST CERTIFICATE IS REVOKED";
                let (file, line) = (place.file.display(), place.line);
                refused(Code::HOST_KEY_REVOKED, what)
                    .because(format!(
                        "{file}:{line} revokes {authority}, which signed its certificate"
                    ))
                    .next("do not use this machine before another authority has signed its host key")
            }
            KnownHostVerdict::Known | KnownHostVerdict::Unknown if is_declined => {
                refused(Code::HOST_KEY_UNKNOWN, "the host key was not accepted")
            }
            KnownHostVerdict::Known | KnownHostVerdict::Unknown => {
                refused(Code::HOST_KEY_UNKNOWN, "the host key is not known")
                    .next("compare it with what this prints on the host itself")
                    .on_host(format!("ssh-keygen -l -f {}", host_key_file(key_type)))
                    .next("if they are equal, run the same command again with --accept-new-host-keys, or first type")
                    .command(self.scan(own_file))
            }
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

    /// The host refused the login.
    pub(super) fn denied(&self, denied: &Denied) -> Problem {
        let mut problem = problem!(
            Code::LOGIN_REFUSED,
            host = &self.name,
            "{} refused the login as {}",
            self.place(),
            self.user
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
                .command(format!("ssh-add {}", quote(&path.to_string_lossy())))
                .next("or say where its passphrase is")
                .inventory("ssh: {passphrase: {command: [pass, show, ssh]}}");
        }
        let by_password = ["password", "keyboard-interactive"];
        let by_password = denied
            .methods
            .iter()
            .any(|method| by_password.contains(&&**method));
        let by_key = denied.methods.iter().any(|method| method == "publickey");
        if self.password.is_none() && by_password && (denied.more_wanted || !by_key) {
            return problem
                .next("add, to be asked for the user's password")
                .flag("--ask-pass")
                .next("or say where it is")
                .inventory("ssh: {password: {command: [pass, show, login]}}");
        }
        if denied.more_wanted {
            return problem.next("towline logs in with one key and one password: ask for no more (AuthenticationMethods in the host's sshd_config)");
        }
        if !denied.methods.is_empty() && !by_key && !by_password {
            return problem.next(
                "towline logs in by key or password: allow PubkeyAuthentication in the host's sshd_config",
            );
        }
        problem
            .next("check that this logs in")
            .command(self.ssh(Some("-i KEY")))
    }

    fn ping(&self) -> String {
        let ping = format!("ping -c 3 {}", quote(self.bare_address()));
        self.at_bastion(ping)
    }

    /// The line that makes OpenSSH forget the host.
    fn forget(&self, file: &Path) -> String {
        let (name, port) = self.known_as();
        let name = quote(&entry_name(name, port));
        format!("ssh-keygen -R {name} -f {}", quote(&file.to_string_lossy()))
    }

    /// The line that adds the host's keys to a `known_hosts` file.
    fn scan(&self, file: &Path) -> String {
        let address = quote(self.bare_address());
        let file = quote(&file.to_string_lossy());
        let scan = self.at_bastion(format!("ssh-keyscan{} {address}", self.port()));
        format!("{scan} >> {file}")
    }

    /// The line that does by hand what failed here.
    fn ssh(&self, option: Option<&str>) -> String {
        let option = option.map_or_else(String::new, |option| format!(" {option}"));
        let jump = match &*self.through {
            [] => String::new(),
            hops => format!(" -J {}", quote(&hops.join(","))),
        };
        let login = format!("{}@{}", self.user, self.bare_address());
        format!("ssh{option}{jump}{} {}", self.port(), quote(&login))
    }

    /// A command as it is typed here where only the last host before this one can run it.
    fn at_bastion(&self, command: String) -> String {
        match self.through.split_last() {
            None => command,
            Some((last, [])) => format!("ssh {} {command}", quote(last)),
            Some((last, hops)) => {
                format!(
                    "ssh -J {} {} {command}",
                    quote(&hops.join(",")),
                    quote(last)
                )
            }
        }
    }

    /// The option for the port, unless it is the usual one.
    fn port(&self) -> String {
        match self.port {
            22 => String::new(),
            port => format!(" -p {port}"),
        }
    }

    /// `10.0.0.1 port 22`, and through which hosts.
    pub(super) fn place(&self) -> String {
        let place = format!("{} port {}", self.bare_address(), self.port);
        match &*self.through {
            [] => place,
            hops => format!("{place} (through {})", hops.join(", ")),
        }
    }
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

#[cfg(test)]
#[path = "tests/fault.rs"]
mod tests;
