//! What OpenSSH's configuration says about a host: `ssh -G` is asked, so `Host`, `Match`, `Include`
//! and the order of the files mean what they mean for ssh itself.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{self, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::problem::{Code, Problem};

/// A `Match exec` may ask something slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// The name of no host and of no user.
const NO_NAME: &str = "towline.invalid";

/// Which files of OpenSSH's configuration are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ConfigFiles {
    /// Those that ssh reads: the user's and the machine's.
    #[default]
    Usual,
    /// This one alone.
    Only(PathBuf),
    /// None.
    Ignored,
}

/// Whose configuration is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigQuery<'a> {
    /// The name as a user would type it behind `ssh`.
    pub host: &'a str,
    /// The user, where something nearer than the configuration says it.
    pub user: Option<&'a str>,
    /// The port, likewise.
    pub port: Option<u16>,
}

/// What is configured for one host: values by keyword in lower case, only where they differ from what
/// ssh does without any configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshConfig(pub(super) BTreeMap<String, Vec<String>>);

/// Asks ssh about hosts of one run.
#[derive(Debug)]
pub struct OpenSsh {
    files: ConfigFiles,
    defaults: BTreeMap<String, Vec<String>>,
    /// What was asked before: one bastion stands before many hosts.
    known: Mutex<BTreeMap<Vec<String>, SshConfig>>,
}

impl OpenSsh {
    /// Asks for the defaults; none where no configuration is in force, or where there is no ssh.
    ///
    /// # Errors
    /// ssh cannot be run, or does not take its own configuration.
    pub async fn new(files: ConfigFiles) -> Result<Option<Self>, Problem> {
        if files == ConfigFiles::Ignored {
            return Ok(None);
        }
        let asked = ask(&["-F", "none", "--", NO_NAME], "").await;
        match (asked, &files) {
            (Ok(output), _) => Ok(Some(Self {
                defaults: parse(&output, &files)?,
                files,
                known: Mutex::default(),
            })),
            (Err(error), ConfigFiles::Usual) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            (Err(error), _) => Err(unusable(&files, &error.to_string())),
        }
    }

    /// The user's name on this machine.
    pub fn local_user(&self) -> &str {
        let user = self.defaults.get("user").and_then(|user| user.first());
        user.map_or("", String::as_str)
    }

    /// What is configured for a host.
    ///
    /// # Errors
    /// ssh does not take its configuration, or does not answer.
    pub async fn host(&self, to: &ConfigQuery<'_>) -> Result<SshConfig, Problem> {
        let mut words = Vec::new();
        if let ConfigFiles::Only(path) = &self.files {
            words.extend(["-F".to_owned(), path.to_string_lossy().into_owned()]);
        }
        if let Some(user) = to.user {
            words.extend(["-l", user].map(str::to_owned));
        }
        if let Some(port) = to.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.extend(["--", to.host].map(str::to_owned));
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known().get(&words) {
            return Ok(config.clone());
        }
        let output = ask(&words, "")
            .await
            .map_err(|error| unusable(&self.files, &error.to_string()))?;
        let mut values = parse(&output, &self.files)?;
        values.remove("host");
        let is_local = values.get("user") == self.defaults.get("user");
        let names_user = to.user.is_none() && is_local && self.names_user(to.host).await;
        values.retain(|keyword, value| {
            let told = match keyword.as_str() {
                "hostname" => {
                    return !matches!(&**value, [one] if one.eq_ignore_ascii_case(to.host));
                }
                "user" if names_user => return true,
                "user" => to.user.is_some(),
                "port" => to.port.is_some(),
                _ => false,
            };
            !told && self.defaults.get(keyword) != Some(value)
        });
        let config = SshConfig(values);
        known().insert(words, config.clone());
        Ok(config)
    }
}

impl OpenSsh {
    /// Whether the files name a user for a host: it may be the one of this machine, which ssh prints
    /// where they name none as well.
    async fn names_user(&self, host: &str) -> bool {
        let files = match &self.files {
            ConfigFiles::Only(file) => path::absolute(file).into_iter().collect(),
            _ => ["~/.ssh/config", "/etc/ssh/ssh_config"]
                .map(PathBuf::from)
                .to_vec(),
        };
        let files = files.iter();
        let files = files.map(|file| format!("Include \"{}\"\n", file.display()));
        let behind = format!("{}Match all\nUser {NO_NAME}\n", files.collect::<String>());
        let Ok(output) = ask(&["-F", "/dev/stdin", "--", host], &behind).await else {
            return false;
        };
        let values = parse(&output, &self.files).unwrap_or_default();
        values.get("user").is_some_and(|user| user != &[NO_NAME])
    }
}

impl SshConfig {
    /// The value of a keyword that has one.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        let value = self.0.get(keyword)?.first()?;
        Some(value.as_str())
    }

    /// All values of a keyword that may be said several times.
    pub fn all(&self, keyword: &str) -> &[String] {
        self.0.get(keyword).map_or(&[], Vec::as_slice)
    }
}

/// What `ssh -G` prints, with this on its standard input. It runs no remote command and opens no
/// connection.
async fn ask(words: &[impl AsRef<OsStr>], input: &str) -> io::Result<Output> {
    let mut child = Command::new("ssh")
        .arg("-G")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _unread = stdin.write_all(input.as_bytes()).await;
    }
    let late = |_| io::Error::other("it does not end");
    tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .map_err(late)?
}

pub(super) fn parse(
    output: &Output,
    files: &ConfigFiles,
) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(unusable(files, said.trim()));
    }
    let mut values = BTreeMap::<String, Vec<String>>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((keyword, value)) = line.split_once(' ') {
            let known = values.entry(keyword.to_ascii_lowercase()).or_default();
            known.push(value.to_owned());
        }
    }
    Ok(values)
}

fn unusable(files: &ConfigFiles, why: &str) -> Problem {
    let what = "the configuration of ssh cannot be read";
    let mut problem = Problem::new(Code::SSH_CONFIG_UNUSABLE, what);
    for line in why.lines().take(5) {
        problem = problem.because(line);
    }
    let file = match files {
        ConfigFiles::Only(path) => format!(" -F {}", path.display()),
        _ => String::new(),
    };
    problem
        .next("this shows the same")
        .command(format!("ssh{file} -G HOST"))
        .next("or leave ssh's configuration out")
        .flag("--no-ssh-config")
}
