//! The only way to make a remote command.
//!
//! A [`Script`] is POSIX shell text that travels on the standard input of `/bin/sh`, never as an
//! argument: arguments are limited to 128 KiB each, and process lists show them.

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// POSIX shell text and how long the host may take over it.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// The text, ending in a newline.
    pub text: String,
    /// After this long the answer no longer matters and the exchange is given up.
    pub timeout: Duration,
}

impl fmt::Debug for Script {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes, {:?})", self.text.len(), self.timeout)
    }
}

impl Script {
    /// A script with the default time limit of 60 seconds.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self {
            text,
            timeout: Duration::from_mins(1),
        }
    }

    /// The same script with another time limit.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// One shell word that means exactly `value`, whatever it holds.
///
/// A NUL byte cannot be part of any shell word and is dropped.
pub fn quote(value: &str) -> String {
    let plain = !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte));
    if plain {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

/// The arguments of a shell that runs these lines. They pass a login shell, and csh takes no quotes
/// around several lines.
pub fn on_one_line(text: &str) -> String {
    let line = quote(&text.replace('\n', "\u{1}"));
    format!(r#" -c 'eval "$(printf %s "$1" | tr "\001" "\n")"' sh {line}"#)
}

/// What every value in an answer begins with that travels as base64: no other is read as one, and a
/// trace shows nothing of what follows.
pub const PACKED: &str = "base64:";

/// The bytes of a value that begins with [`PACKED`] (RFC 4648, padded, white space ignored), or
/// `None`.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text
        .strip_prefix(PACKED)?
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    BASE64.decode(packed).ok()
}

/// Base64 in lines of 76 characters, as `base64 -d` on any host takes it.
pub fn encode(bytes: &[u8]) -> String {
    let packed = BASE64.encode(bytes);
    let mut lines = String::with_capacity(packed.len() + packed.len() / 76 + 1);
    for line in packed.as_bytes().chunks(76) {
        lines.extend(line.iter().map(|byte| char::from(*byte)));
        lines.push('\n');
    }
    lines
}

/// The file that an acting script locks on the host, so that the leftover of a killed run and its
/// successor never overlap. `/run` is empty after every boot.
pub const LOCK: &str = "/run/towline.lock";

/// What an acting script ends with when another run holds [`LOCK`]; nothing was done then.
pub const LOCKED: u32 = 75;

/// What an acting script ends with when the host is no longer as it was when it was looked at;
/// nothing was done then.
pub const CONFLICT: u32 = 76;

/// What an acting script ends with when what it was to do cannot be done, and the rest goes on
/// without: its words are noted.
pub const LEFT: u32 = 77;

/// Wraps shell text that changes a host: it runs only while it holds [`LOCK`], and no longer than
/// `limit`. Ends with [`LOCKED`] at once when another run holds the lock.
///
/// The lock belongs to the open file, so children of the script keep it held until the last of
/// them has ended, also when the connection that started them is gone.
pub fn acting(text: &str, limit: Duration) -> Script {
    let seconds = limit.as_secs().max(1);
    Script::new(format!(
        "{PRELUDE}{}{}",
        hold(),
        limited(text, seconds, "TOWLINE_ACTION")
    ))
    .within(limit + Duration::from_secs(15))
}

/// Wraps shell text that changes the cluster by its API, and nothing on the host that runs it: no lock is needed, and it
/// runs no longer than `limit`.
pub fn calling(text: &str, limit: Duration) -> Script {
    let seconds = limit.as_secs().max(1);
    let text = limited(text, seconds, "TOWLINE_ACTION");
    Script::new(format!("{PRELUDE}{text}")).within(limit + Duration::from_secs(15))
}

/// The line that takes [`LOCK`], or ends the script with [`LOCKED`].
pub(crate) fn hold() -> String {
    format!("exec 9>{LOCK} && flock -n 9 || exit {LOCKED}\n")
}

/// What every script starts with: one locale, and a search path that finds administration tools
/// also where a login without a profile or a strict sudo does not offer them.
const PRELUDE: &str =
    "export LC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n";

/// Shell text in its own shell under `timeout`; it arrives by standard input, not as an argument.
///
/// The body stands in braces so that the inner shell has read all of it before it runs any of it,
/// and so that its commands find nothing on their standard input.
fn limited(text: &str, seconds: u64, delimiter: &str) -> String {
    let delimiter = end_mark(text, delimiter);
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    format!(
        "timeout -k 5 {seconds} /bin/sh <<'{delimiter}'\n{{\n{text}{newline}}} </dev/null\n{delimiter}\n"
    )
}

/// A mark that ends a here-document of this text and nothing before its end.
///
/// No value in the text can end it early. And dash loses a byte above 127 that stands behind the
/// first characters of the mark at the beginning of a line (seen with 0.5.12).
fn end_mark(text: &str, name: &str) -> String {
    let is_harmless = |line: &str, mark: &str| {
        let pairs = line.bytes().zip(mark.bytes());
        let same = pairs.take_while(|(one, other)| one == other).count();
        same == 0 || line.as_bytes().get(same).is_none_or(u8::is_ascii)
    };
    let firsts = ('0'..='z')
        .filter(char::is_ascii_alphanumeric)
        .map(String::from);
    let mut marks = std::iter::once(String::new()).chain(firsts).map(|first| {
        let mut mark = first + name;
        while text.contains(&mark) {
            mark.push('_');
        }
        mark
    });
    let fits = |mark: &String| text.split('\n').all(|line| is_harmless(line, mark));
    let plain = marks.next().unwrap_or_default();
    if fits(&plain) {
        return plain;
    }
    marks.find(fits).unwrap_or(plain)
}

/// What one question of a [`Batch`] was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Exit status; 124 when its time limit ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// The end of standard error.
    pub stderr: String,
}

impl Reply {
    /// The value of the first line `key=value`, or `None`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.stdout
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// The values of all lines `key=value`, in order.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.stdout
            .lines()
            .filter_map(move |line| line.split_once('=').filter(|pair| pair.0 == key))
            .map(|pair| pair.1)
    }
}

/// As much of the end of standard error is part of an answer, bytes.
const LONGEST_ERRORS: usize = 4096;

/// The end of what was said on standard error, as much as is part of an answer.
pub(crate) fn end(said: &str) -> &str {
    let said = said.trim_end();
    &said[said.ceil_char_boundary(said.len().saturating_sub(LONGEST_ERRORS))..]
}

/// Several read-only questions that travel as one script and are answered in one exchange.
///
/// Each runs in its own shell with its own time limit, so that one that hangs loses only its own
/// answer. The answers are framed by a nonce that no host can know beforehand.
#[derive(Debug)]
pub struct Batch {
    nonce: String,
    text: String,
    total: Duration,
    count: usize,
}

impl Batch {
    /// An empty batch. The nonce is letters and digits, new for every batch.
    pub fn new(nonce: impl Into<String>) -> Self {
        Self {
            nonce: nonce.into(),
            text: String::new(),
            total: Duration::ZERO,
            count: 0,
        }
    }

    /// Adds a question; its answer stands at the index it was added at.
    pub fn ask(&mut self, question: &Script) {
        let seconds = question.timeout.as_secs().max(1);
        let delimiter = format!("{}_{}", self.nonce, self.count);
        self.add(
            &limited(&question.text, seconds, &delimiter),
            question.timeout,
        );
    }

    /// Adds a script made by [`acting`], which brings its own time limit.
    pub fn act(&mut self, script: &Script) {
        self.add(&format!("(\n{})\n", script.text), script.timeout);
    }

    fn add(&mut self, body: &str, time: Duration) {
        let (nonce, index) = (&self.nonce, self.count);
        // Standard output goes straight through (as 3), standard error is caught and follows it.
        let _ = write!(
            self.text,
            "printf '\\n{nonce} begin {index}\\n'\n\
             {{ towline_error=$( {{ {body}}} 2>&1 >&3 3>&- ); towline_status=$?; }} 3>&1\n\
             printf '\\n{nonce} error {index} %s\\n' \"$towline_status\"\n\
             [ -z \"$towline_error\" ] || printf '%s\\n' \"$towline_error\" | tail -c {LONGEST_ERRORS}\n\
             printf '\\n{nonce} end {index}\\n'\n"
        );
        self.total += time;
        self.count += 1;
    }

    /// The whole batch as one script.
    pub fn script(&self) -> Script {
        Script::new(format!("{PRELUDE}{}exit 0", self.text))
            .within(self.total + Duration::from_secs(15))
    }

    /// Takes the answers apart; `None` where a question was not answered to its end.
    pub fn replies(&self, stdout: &str) -> Vec<Option<Reply>> {
        (0..self.count)
            .map(|index| {
                let nonce = &self.nonce;
                let (_, rest) = stdout.split_once(&format!("\n{nonce} begin {index}\n"))?;
                let (answer, rest) = rest.split_once(&format!("\n{nonce} error {index} "))?;
                let (error, _) = rest.split_once(&format!("\n{nonce} end {index}\n"))?;
                let (status, error) = error.split_once('\n')?;
                Some(Reply {
                    status: status.parse().ok()?,
                    stdout: answer.to_owned(),
                    stderr: end(error).to_owned(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_value_survives_a_real_shell(value in "\\PC*|[\\x01-\\x7f]*") {
            let answer = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quote(&value))])
                .output()
                .expect("sh runs");
            prop_assert_eq!(String::from_utf8_lossy(&answer.stdout), value);
        }
    }

    fn run(script: &Script) -> std::process::Output {
        use std::io::Write as _;
        let mut child = std::process::Command::new("sh")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(script.text.as_bytes()).expect("written");
        drop(input);
        child.wait_with_output().expect("sh ends")
    }

    #[test]
    fn a_batch_keeps_its_answers_apart_and_a_hung_question_loses_only_its_own() {
        let mut batch = Batch::new("n0nce");
        batch.ask(&Script::new("echo one; echo trouble >&2; exit 3"));
        batch.ask(&Script::new("sleep 30").within(Duration::from_secs(1)));
        batch.ask(&Script::new("cat; printf 'a=1\na=2\nb=x=y'"));
        let replies = batch.replies(&String::from_utf8_lossy(&run(&batch.script()).stdout));
        assert_eq!(
            replies[0],
            Some(Reply {
                status: 3,
                stdout: "one\n".into(),
                stderr: "trouble".into()
            })
        );
        assert_eq!(replies[1].as_ref().map(|reply| reply.status), Some(124));
        let last = replies[2].as_ref().expect("answered");
        assert_eq!(last.values("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(last.value("b"), Some("x=y"));
    }

    #[test]
    fn a_text_arrives_whole_whatever_its_lines_begin_with() {
        let text = "TÜR\ntür\nTOWLINE_ACTION\n0ß\nTOWLINE_ACTIONÄ";
        let script = limited(&format!("printf %s {}", quote(text)), 5, "TOWLINE_ACTION");
        let answer = run(&Script::new(script));
        assert_eq!(String::from_utf8_lossy(&answer.stdout), text);
    }

    #[test]
    fn an_answer_that_was_cut_short_is_no_answer() {
        let mut batch = Batch::new("n0nce");
        batch.ask(&Script::new("echo one"));
        let stdout = String::from_utf8_lossy(&run(&batch.script()).stdout).into_owned();
        assert_eq!(batch.replies(&stdout[..stdout.len() - 4]), [None]);
    }
}
