//! Running a command of the host, with an error that says what was tried.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Everything that removes things from the host, see its own comment.
const HOST: &str = include_str!("host.sh");

/// What the lab calls on the host. `tests/lab/prepare` installs what is missing.
const TOOLS: [&str; 14] = [
    "apt-get",
    "curl",
    "debootstrap",
    "flock",
    "ip",
    "nft",
    "setsid",
    "sh",
    "sha256sum",
    "ssh",
    "ssh-keygen",
    "systemd-nspawn",
    "unshare",
    "zcat",
];

/// Runs to the end and returns standard output without its last newline; a failure shows what the command said.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", shown(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} failed ({}): {}",
            shown(command),
            output.status,
            [stdout.trim(), stderr.trim()].join(" ").trim()
        );
    }
    Ok(stdout)
}

/// `ip`, with its arguments in one string.
pub(crate) fn ip(arguments: &str) -> Result<String> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

/// One of the verbs of `host.sh`.
pub(crate) fn host(arguments: &[&str]) -> Result<String> {
    run(&mut host_command("sh", arguments))
        .with_context(|| format!("{} (of host.sh)", arguments.join(" ")))
}

/// The same, as a command still to be started by `launcher` (`sh`, or what starts `sh`).
pub(crate) fn host_command(launcher: &str, arguments: &[&str]) -> Command {
    let mut words = launcher.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("sh"));
    command
        .args(words)
        .args(["-c", HOST, "host.sh"])
        .args(arguments)
        .current_dir("/");
    command
}

/// Refuses to go on where the lab cannot work: not root, not Linux enough, tools missing.
pub(crate) fn check_host() -> Result<()> {
    check_root()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = TOOLS
        .into_iter()
        .filter(|tool| {
            !std::env::split_paths(&path).any(|directory| directory.join(tool).is_file())
        })
        .collect();
    if !missing.is_empty() {
        bail!(
            "the lab needs {}, which this host does not have: run tests/lab/prepare",
            missing.join(", ")
        );
    }
    Ok(())
}

/// Refuses everybody but root.
pub(crate) fn check_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the lab needs root: it makes bridges, mounts and cgroups (try sudo)");
    }
    Ok(())
}

/// A command as one reads it; a script given by `sh -c` is not repeated.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy())
            .filter(|word| !word.contains('\n'))
            .map(Into::into),
    );
    words.join(" ")
}
