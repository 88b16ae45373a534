//! This machine itself as a host: the same scripts, without SSH.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tracing::debug_span;

use super::exchange::{LONGEST_ERRORS, LONGEST_OUTPUT};
use super::session::wrap;
use super::{Answer, CommandOutput, ExchangeCounts, Exit, Remote, Upload, UploadProgress, logged};
use crate::shell::Script;

/// This machine. Every user but root needs sudo without a password.
#[derive(Debug, Default)]
pub struct Local {
    exchanges: AtomicU32,
}

/// Where a command's standard input comes from.
enum Stdin {
    Bytes(Vec<u8>),
    File(std::fs::File),
}

impl Local {
    fn shell(&self) -> Command {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let mut command = if is_root {
            Command::new("/bin/sh")
        } else {
            let mut command = Command::new("sudo");
            command.args(["-n", "--", "/bin/sh"]);
            command
        };
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

impl Remote for Local {
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a> {
        let input = Stdin::Bytes(wrap(&script.text).into_bytes());
        let span = debug_span!("exchange", bytes = script.text.len());
        Box::pin(logged(span, exchange(self.shell(), input, script.timeout)))
    }

    fn put<'a>(&'a self, upload: &'a Upload, _: UploadProgress<'a>) -> Answer<'a> {
        Box::pin(async move {
            let file = match std::fs::File::open(&upload.source) {
                Ok(file) => file,
                Err(error) => return CommandOutput::unreadable(&upload.source, &error),
            };
            let mut command = self.shell();
            command.arg("-c").arg(&upload.receive.text);
            // Copying a file on one machine is quick, and the limit is that of the script alone.
            let limit = upload.receive.timeout + Duration::from_mins(5);
            let span = debug_span!("exchange", file = %upload.source.display());
            logged(span, exchange(command, Stdin::File(file), limit)).await
        })
    }

    fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            connections: 0,
            exchanges: self.exchanges.load(Ordering::Relaxed),
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }
}

fn lost(reason: String) -> CommandOutput {
    CommandOutput::without_answer(Exit::Lost(reason))
}

/// What a program of this machine answers within the limit, run in a folder and with nothing on its standard
/// input; the answer is limited as one over SSH is.
///
/// # Errors
/// It could not be started.
pub async fn program(
    name: &str,
    arguments: &[&str],
    folder: &Path,
    limit: Duration,
) -> io::Result<CommandOutput> {
    let child = Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(answer(child, Vec::new(), limit).await)
}

async fn exchange(mut command: Command, input: Stdin, limit: Duration) -> CommandOutput {
    let bytes = match input {
        Stdin::File(file) => {
            command.stdin(file);
            Vec::new()
        }
        Stdin::Bytes(bytes) => {
            command.stdin(Stdio::piped());
            bytes
        }
    };
    match command.spawn() {
        Ok(child) => answer(child, bytes, limit).await,
        Err(error) => lost(format!("no shell could be started: {error}")),
    }
}

async fn answer(mut child: Child, bytes: Vec<u8>, limit: Duration) -> CommandOutput {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let talk = async {
        let send = async {
            if let Some(mut stdin) = stdin {
                // A shell that ends early says why by its status.
                let _ = stdin.write_all(&bytes).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(
            send,
            read(stdout, LONGEST_OUTPUT, false),
            read(stderr, LONGEST_ERRORS, true)
        );
        (child.wait().await, stdout, stderr)
    };
    match tokio::time::timeout(limit, talk).await {
        Err(_) => lost(format!("no answer within {} s", limit.as_secs())),
        Ok((Err(error), _, _)) => lost(error.to_string()),
        Ok((Ok(status), stdout, stderr)) => CommandOutput {
            exit: match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code.unsigned_abs()),
                (None, Some(signal)) => Exit::Signal(signal.to_string()),
                (None, None) => Exit::Lost("it ended without a status".into()),
            },
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            start: Duration::ZERO,
        },
    }
}

/// Reads to the end and keeps so much of the beginning, or of the end.
async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: usize, end: bool) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else {
        return kept;
    };
    let mut piece = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut piece).await {
        if end {
            kept.extend_from_slice(&piece[..count]);
            kept.drain(..kept.len().saturating_sub(limit));
        } else {
            let room = limit.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&piece[..room]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_as_a_host_does() {
        let local = Local::default();
        let script = Script::new("echo one; echo two >&2; echo red; exit 3");
        let output = local.run(&script).await;
        assert_eq!(output.exit, Exit::Code(3));
        assert_eq!((&*output.stdout, &*output.stderr), ("one\nred\n", "two\n"));
        let late = Script::new("sleep 60").within(Duration::from_secs(1));
        assert!(matches!(local.run(&late).await.exit, Exit::Lost(_)));
        assert_eq!(local.counts().exchanges, 2);
    }

    #[tokio::test]
    async fn a_program_answers_in_its_folder_and_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = Duration::from_secs(1);
        let pwd = program("pwd", &["-P"], folder.path(), within).await;
        let real = folder.path().canonicalize().expect("a path");
        assert_eq!(pwd.expect("started").stdout.trim(), real.to_string_lossy());
        let late = program("sleep", &["60"], folder.path(), within).await;
        assert!(matches!(late.expect("started").exit, Exit::Lost(_)));
        let missing = program("no-such-program", &[], folder.path(), within).await;
        assert_eq!(missing.expect_err("none").kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_file_is_received_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, target) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&source, vec![7; 300_000]).expect("written");
        let upload = Upload {
            source,
            receive: Script::new(format!("cat >{}", target.display())),
        };
        assert_eq!(
            Local::default().put(&upload, &|_| {}).await.exit,
            Exit::Code(0)
        );
        assert_eq!(std::fs::read(target).expect("read"), vec![7; 300_000]);
    }
}
