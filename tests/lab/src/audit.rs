//! Which programs run on this host and on all machines, with their whole arguments: the kernel's audit tells it, also
//! of what systemd starts on a machine. What `host.sh` switches on for it goes with its owner, however that ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::command::host_command;

/// `AUDIT_NLGRP_READLOG`: for those who listen beside an audit daemon, or without one.
const LISTENERS: u32 = 1;

/// `AUDIT_EXECVE`: the arguments of a program, in one record or several.
const EXECVE: u16 = 1309;

/// Before the text of a record: length, type and three more numbers.
const HEADER: usize = 16;

/// So long the kernel may keep silent when there is more to be told.
const PATIENCE: Duration = Duration::from_secs(10);

/// The programs of this host and its machines, from now on.
#[derive(Debug)]
pub struct Audit {
    /// Undoes it all when its standard input ends, and so also when this process is killed.
    keeper: Child,
    end: String,
    listener: Option<JoinHandle<Result<Vec<Vec<u8>>>>>,
    is_over: Arc<AtomicBool>,
    told: BufReader<ChildStdout>,
}

impl Audit {
    /// Begins. Waits for another one to end, since the switch is the whole host's.
    ///
    /// Fails where the kernel's audit cannot be used: no `auditctl`, or settings that are locked.
    pub fn begin(id: &str) -> Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(AUDIT),
        )
        .context("open a socket to the kernel's audit")?;
        bind(&socket, &SocketAddrNetlink::new(0, LISTENERS))
            .context("listen to the kernel's audit")?;
        set_socket_recv_buffer_size_force(&socket, 256 << 20)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let mut keeper = host_command("setsid sh", &["audit", &format!("towline-{id}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start setsid")?;
        let told = keeper.stdout.take().context("its output")?;
        let mut audit = Self {
            keeper,
            end: format!("towline-audit-ends-{id}"),
            listener: None,
            is_over: Arc::default(),
            told: BufReader::new(told),
        };
        let mut line = String::new();
        audit.told.read_line(&mut line)?;
        ensure!(
            line == "ready\n",
            "the kernel's audit cannot be used here: auditctl says why above, and tests/lab/prepare installs it ({line})"
        );
        let (end, is_over) = (audit.end.clone(), Arc::clone(&audit.is_over));
        audit.listener = Some(thread::spawn(move || {
            listen(&socket, end.as_bytes(), &is_over)
        }));
        Ok(audit)
    }

    /// Ends it: the arguments of each program, one in a line, in the order in which they were run.
    ///
    /// Fails where the kernel did not tell all.
    pub fn end(mut self) -> Result<Vec<Vec<u8>>> {
        let listener = self.listener.take().context("it has ended before")?;
        // What is run last is told last.
        Command::new("true").arg(&self.end).status()?;
        self.is_over.store(true, Ordering::Relaxed);
        let programs = listener
            .join()
            .unwrap_or_else(|_| bail!("the listener panicked"))?;
        drop(self.keeper.stdin.take());
        let mut lost = String::new();
        self.told.read_to_string(&mut lost)?;
        ensure!(
            lost == "lost 0\n",
            "the kernel's audit lost records: {lost}"
        );
        Ok(programs)
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Takes what the kernel tells, up to the program with this argument.
fn listen(socket: &OwnedFd, end: &[u8], is_over: &AtomicBool) -> Result<Vec<Vec<u8>>> {
    let mut programs = Programs::default();
    let mut record = [0; 16 << 10];
    loop {
        let length = match recv(socket, &mut record[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) if !is_over.load(Ordering::Relaxed) => continue,
            Err(Errno::AGAIN) => bail!("the kernel's audit did not tell of the last program"),
            Err(error) => return Err(error).context("listen to the kernel's audit"),
        };
        let Some((header, text)) = record[..length].split_at_checked(HEADER) else {
            continue;
        };
        if header[4..6] != EXECVE.to_ne_bytes() {
            continue;
        }
        let program = programs.add(&String::from_utf8_lossy(text));
        if program.windows(end.len()).any(|part| part == end) {
            return Ok(programs.0.into_values().collect());
        }
    }
}

/// Arguments by the number of the event, since the records of two events may come mixed.
#[derive(Debug, Default)]
struct Programs(BTreeMap<u64, Vec<u8>>);

impl Programs {
    /// Adds a record, `audit(1700000000.123:45): argc=2 a0="ls" a1=2F746D70`; the arguments so far.
    fn add(&mut self, record: &str) -> &[u8] {
        let (event, fields) = record.split_once("): ").unwrap_or_default();
        let event = event
            .rsplit(':')
            .next()
            .and_then(|number| number.parse().ok());
        let program = self.0.entry(event.unwrap_or_default()).or_default();
        for field in fields.trim_end_matches(['\0', '\n']).split(' ') {
            // A long argument comes in parts: a1_len=9000 a1[0]=6161 a1[1]=6161
            let Some((name, value)) = field
                .strip_prefix('a')
                .and_then(|rest| rest.split_once('='))
            else {
                continue;
            };
            if !name.starts_with(|first: char| first.is_ascii_digit()) || name.ends_with("_len") {
                continue;
            }
            let goes_on = name.ends_with(']') && !name.ends_with("[0]");
            if !program.is_empty() && !goes_on {
                program.push(b' ');
            }
            match value.strip_prefix('"') {
                Some(plain) => program.extend(plain.trim_end_matches('"').bytes()),
                None => program.extend(unhex(value)),
            }
        }
        program
    }
}

fn unhex(text: &str) -> impl Iterator<Item = u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_however_the_kernel_writes_them() {
        let mut programs = Programs::default();
        programs.add("audit(1.2:7): argc=3 a0=\"sh\" a1=6120 a2_len=4 a2[0]=6263\n");
        programs.add("audit(1.2:8): argc=2 a0=\"ls\" a1=\"/\"");
        assert_eq!(programs.add("audit(1.2:7): a2[1]=64\0"), b"sh a  bcd");
        assert_eq!(programs.0[&8], b"ls /");
    }
}
