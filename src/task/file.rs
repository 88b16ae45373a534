//! A file with exactly this content, but for towline's line about itself: other words there are no
//! reason to restart k3s.
//!
//! ```yaml
//! - name: sysctls at boot
//!   file: {path: /etc/sysctl.d/99-towline.conf, template: os/sysctl.conf, mode: "0644"}
//! ```
//!
//! `content` in the place of `template` is the text itself. With `only_where_written`, for settings that
//! may leave the inventory again, a file that is not there, or that something else wrote, is left as
//! it is: the file stays and says nothing, so that what has read it is older than it and restarted.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use similar::TextDiff;

use super::{Change, Changes, Verdict, remedy};
use crate::digest::{is_sha256, sha256};
use crate::problem::{Code, Problem, problem};
use crate::shell::{CONFLICT, PACKED, Reply, Script, acting, decode, encode, quote};
use crate::vars::mask::masked_pair;

/// How the line begins in which towline names itself.
const HEADER: &str = "# Written by towline";

/// A file with this content.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Absolute path on the host.
    pub path: String,
    /// The template that its content comes from.
    #[serde(default)]
    pub template: Option<String>,
    /// The content, or what the template comes to. It may hold secrets.
    #[serde(default)]
    pub content: Option<String>,
    /// Whether the content that is given is itself a template.
    #[serde(default)]
    pub render: bool,
    /// Permission bits, `0o600`.
    #[serde(deserialize_with = "octal")]
    pub mode: u32,
    /// User and group that it belongs to, `USER:GROUP`, by name or by number.
    #[serde(default = "root")]
    pub owner: String,
    /// Whether only a file that towline has written before is changed.
    #[serde(default)]
    pub only_where_written: bool,
    /// Whether what reads it does already what it says: nothing is restarted for it.
    #[serde(default)]
    pub effective: bool,
    /// How lines begin, or words of lines, that are read only at a first start: where a file differs in
    /// nothing else, what it says is in effect.
    #[serde(default)]
    pub once: Vec<String>,
    /// A command that says whether it may be as it is written; the new file's path is put behind it.
    #[serde(default)]
    pub validate: Option<String>,
}

fn root() -> String {
    "0:0".to_owned()
}

/// Reads permission bits: octal digits as text, so that YAML does not read them as another number.
fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let bits = value
        .as_str()
        .and_then(|text| u32::from_str_radix(text, 8).ok());
    let wrong = || {
        D::Error::custom(format!(
            "expected octal digits in quotes, such as \"0644\", not {value}"
        ))
    };
    bits.filter(|bits| *bits <= 0o7777).ok_or_else(wrong)
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "File({}, {:04o}, {} bytes)",
            self.path,
            self.mode,
            self.text().len()
        )
    }
}

/// Of a file that differs, this much travels back for the diff.
const DIFF_LIMIT: usize = 65_536;

impl File {
    fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    pub(super) fn probe(&self) -> Script {
        let (path, hash) = (quote(&self.path), sha256(self.text()));
        let is_numeric = self.owner.starts_with(|first: char| first.is_ascii_digit());
        let owner = if is_numeric { "%u:%g" } else { "%U:%G" };
        Script::new(format!(
            "[ -e {path} ] || [ -h {path} ] || {{ echo state=absent; exit; }}\n\
             [ -f {path} ] || {{ echo state=other; exit; }}\n\
             stat -L -c 'mode=%a {owner}' {path}\n\
             hash=$(sha256sum <{path} | cut -d ' ' -f 1)\n\
             if [ \"$hash\" = {hash} ]; then echo state=same\n\
             else echo state=differs; echo \"hash=$hash\"; printf 'content={PACKED}%s\\n' \"$(head -c {DIFF_LIMIT} {path} | base64 | tr -d '\\n')\"\n\
             fi\n"
        ))
        .within(Duration::from_secs(20))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let mode = format!("{:o} {}", self.mode, self.owner);
        let state = seen.value("state").map(|state| {
            let is_same = state == "differs" && self.differs_only_in(&[], seen);
            if is_same { "same" } else { state }
        });
        let effective = self.effective || self.differs_only_in(&self.once, seen);
        let (change, seen) = match state {
            Some("absent" | "other") if self.only_where_written => return Ok(Verdict::Converged),
            Some("differs") if self.only_where_written && !was_written(seen) => {
                return Ok(Verdict::Converged);
            }
            Some("same") if seen.value("mode") == Some(&mode) => return Ok(Verdict::Converged),
            Some("same") => {
                let was = seen.value("mode").unwrap_or("?");
                let what = format!("set mode and owner of {} to {mode} (was {was})", self.path);
                // The content is left as old as it is: nothing needs to read it again.
                let path = quote(&self.path);
                let owner = quote(&self.owner);
                let script = format!("chown {owner} {path} && chmod {:o} {path}\n", self.mode);
                let script = acting(&script, Duration::from_mins(1));
                return Ok(remedy(vec![Change::new(what)], script));
            }
            Some("absent") => (self.change("create", "", effective), "absent"),
            Some("differs") if seen.value("hash").is_some_and(is_sha256) => {
                let mut old = seen.value("content").and_then(decode).unwrap_or_default();
                old.truncate(DIFF_LIMIT);
                let seen = seen.value("hash").unwrap_or_default();
                let old = String::from_utf8_lossy(&old);
                (self.change("update", &old, effective), seen)
            }
            Some("other") => {
                return Err(problem!(
                    Code::NOT_A_REGULAR_FILE,
                    "{} is not a regular file",
                    self.path
                )
                .next("look at it on the host and move it away"));
            }
            _ => {
                return Ok(Verdict::Undecidable(format!(
                    "{} could not be read",
                    self.path
                )));
            }
        };
        Ok(remedy(vec![change], self.write(seen, effective)))
    }

    /// Whether the file that was seen is the same but for the line in which towline names itself, and
    /// for lines and words that begin like one of these.
    fn differs_only_in(&self, once: &[String], seen: &Reply) -> bool {
        let old = seen.value("content").and_then(decode);
        let Some(old) = old.and_then(|old| String::from_utf8(old).ok()) else {
            return false;
        };
        let is_whole = seen.value("hash") == Some(&sha256(&old));
        let counts = |text: &&str| !once.iter().any(|begin| text.starts_with(begin));
        let said = |text: &str| {
            let lines = text.split('\n').filter(|line| !line.starts_with(HEADER));
            let lines = lines.filter(counts);
            let lines =
                lines.map(|line| line.split(' ').filter(counts).collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>()
        };
        is_whole && said(&old) == said(self.text())
    }

    fn change(&self, verb: &str, old: &str, effective: bool) -> Change {
        // Masked first: where a value goes on can only be seen in the whole text.
        let (old, new) = masked_pair(old, self.text());
        let diff = TextDiff::from_lines(&old, &new)
            .unified_diff()
            .context_radius(2)
            .to_string();
        let (said, mark) = if effective {
            (" (nothing is restarted: what it says is in effect)", None)
        } else {
            ("", Some(self.path.clone()))
        };
        Change {
            what: format!("{verb} {}{said}", self.path),
            mark,
            diff: Some(diff),
        }
    }

    /// Written beside its target, synced, renamed into place; no half file is ever at the path.
    ///
    /// Nothing is written over what was not looked at: when another run, or a user, has put
    /// something else there since, the script ends with [`CONFLICT`]. `seen` is the hash of what was
    /// there, or `absent`.
    fn write(&self, seen: &str, effective: bool) -> Script {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or((".", &self.path));
        let directory = quote(if directory.is_empty() { "/" } else { directory });
        let path = quote(&self.path);
        // As old as what it replaces, which may be newer than a process that has not read it yet; else
        // as the machine's start, before which no process began.
        let (age, reload) = if effective {
            let age = format!(
                "if [ -e {path} ]; then touch -r {path} \"$temporary\"\n\
                 else touch -d \"@$(($(date +%s) - $(cut -d . -f 1 /proc/uptime)))\" \"$temporary\"; fi\n"
            );
            // systemd would not tell a unit that is as old as the one before it from that one.
            let unit = self.path.strip_suffix(".service");
            (age, unit.map_or("", |_| "systemctl daemon-reload\n"))
        } else {
            Default::default()
        };
        let validate = self.validate.as_ref().map_or_else(String::new, |command| {
            format!("said=$({command} \"$temporary\" 2>&1) || {{ printf '%s\\n' \"$said\" >&2; exit 1; }}\n")
        });
        acting(
            &format!(
                "set -e\n\
                 if [ -e {path} ]; then now=$(sha256sum <{path} | cut -d ' ' -f 1); else now=absent; fi\n\
                 case $now in {seen}) ;; {hash}) exit 0 ;; *) echo {path} >&2; exit {CONFLICT} ;; esac\n\
                 umask 022\n\
                 [ -d {directory} ] || mkdir -p {directory}\n\
                 umask 077\nrm -f {directory}/.{name}.towline.*\n\
                 temporary=$(mktemp {directory}/.{name}.towline.XXXXXX)\n\
                 trap 'rm -f \"$temporary\"' EXIT\ntrap 'exit 1' HUP INT TERM\n\
                 base64 -d >\"$temporary\" <<'TOWLINE_CONTENT'\n{content}TOWLINE_CONTENT\n\
                 chown {owner} \"$temporary\"\nchmod {mode:o} \"$temporary\"\n{validate}{age}\
                 sync \"$temporary\"\nmv -f \"$temporary\" {path}\n{reload}",
                name = quote(name),
                content = encode(self.text().as_bytes()),
                owner = quote(&self.owner),
                mode = self.mode,
                seen = quote(seen),
                hash = sha256(self.text()),
            ),
            Duration::from_mins(1),
        )
    }
}

/// Whether towline wrote the file that was seen.
fn was_written(seen: &Reply) -> bool {
    let content = seen.value("content").and_then(decode);
    content.is_some_and(|content| content.starts_with(HEADER.as_bytes()))
}

#[cfg(test)]
mod tests;
