//! Runs the binary as a user does, in an environment that has nothing in it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::wait_for;

mod answer;
pub mod terminal;

pub use answer::Answer;

/// Longer than any run that ends by itself: joins of a real k3s on two busy cores take minutes.
const LIMIT: Duration = Duration::from_mins(20);

/// Everything that was said in a place, for the report of a failure and for the search for secrets.
pub type Log = Arc<Mutex<Vec<String>>>;

/// A run that has not begun.
#[derive(Debug)]
pub struct Towline {
    command: Command,
    shown: String,
    log: Log,
}

impl Towline {
    /// `towline …` in this folder, which is also its home.
    pub fn new(home: &Path, log: &Log) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towline"));
        command
            .env_clear()
            .env("HOME", home)
            .env("COLUMNS", "100")
            .env("PATH", "/usr/bin:/bin")
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            command,
            shown: "towline".to_owned(),
            log: Arc::clone(log),
        }
    }

    /// Adds arguments, divided by spaces.
    pub fn args(mut self, arguments: &str) -> Self {
        self.shown = format!("{} {arguments}", self.shown);
        self.command.args(arguments.split_whitespace());
        self
    }

    /// Adds one argument, spaces and all.
    pub fn arg(mut self, argument: &str) -> Self {
        self.shown = format!("{} '{argument}'", self.shown);
        self.command.arg(argument);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same under strace, which writes into a file which programs it runs and what it writes. It stays
    /// the process that is started, and strace's grandparent.
    pub fn traced(mut self, file: &Path) -> Self {
        let mut strace = Command::new("strace");
        strace
            .args(["-DDD", "-f", "--seccomp-bpf", "-y", "-s", "65536", "-o"])
            .arg(file)
            .args([
                "-e",
                "trace=execve,execveat,open,openat,creat,write,pwrite64",
            ])
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in self.command.get_envs() {
            strace.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = self.command.get_current_dir() {
            strace.current_dir(folder);
        }
        self.command = strace;
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stdout = reader(child.stdout.take().unwrap());
        let stderr = reader(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
            of: self,
            began: Instant::now(),
        }
    }

    /// Runs it to its end.
    pub fn run(self) -> Answer {
        self.start().wait()
    }
}

type Said = (Arc<Mutex<Vec<u8>>>, JoinHandle<()>);

fn reader(mut pipe: impl Read + Send + 'static) -> Said {
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&said);
    let thread = thread::spawn(move || {
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            sink.extend_from_slice(&chunk[..count]);
        }
    });
    (said, thread)
}

/// A run that has begun.
pub struct Running {
    child: Child,
    stdout: Said,
    stderr: Said,
    of: Towline,
    began: Instant,
}

impl Running {
    /// Ends it where it stands, as `kill -9` does.
    pub fn kill(mut self) -> Answer {
        self.child.kill().unwrap();
        self.wait()
    }

    /// What it has said so far, on standard output.
    pub fn said(&self) -> String {
        let said = self.stdout.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Sends what Ctrl-C sends.
    pub fn interrupt(&self) {
        let sent = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for an event, which has to come while it runs.
    #[track_caller]
    pub fn tells(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) {
        wait_for(what, || {
            let running = self.is_running();
            // The last line may be half a one.
            let told = self
                .said()
                .lines()
                .any(|line| serde_json::from_str(line).is_ok_and(|event: Value| wanted(&event)));
            assert!(told || running, "it ended without {what}");
            told.then_some(())
        });
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Answer {
        let mut in_time = true;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if in_time && self.began.elapsed() > LIMIT {
                in_time = false;
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(20));
        };
        let take = |(said, thread): Said| {
            thread.join().unwrap();
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&said).into_owned()
        };
        let answer = Answer {
            code: status.code(),
            stdout: take(self.stdout),
            stderr: take(self.stderr),
            of: self.of,
        };
        let Towline { shown, log, .. } = &answer.of;
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!(
                "$ {shown}    ({status}, {:.1} s)\n{}{}",
                self.began.elapsed().as_secs_f32(),
                answer.stdout,
                answer.stderr
            ));
        assert!(in_time, "{shown} had not ended after {LIMIT:?}");
        answer
    }
}
