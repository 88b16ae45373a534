//! An executable that this machine has and the host needs.
//!
//! ```yaml
//! - name: k3s
//!   binary: {path: /usr/local/bin/k3s}
//! ```

use std::path::PathBuf;
use std::time::Duration;

use super::{Action, Change, Changes, Remedy, Verdict};
use crate::error::Problem;
use crate::shell::{Reply, Script, quote};
use crate::ssh::Upload;

/// An executable at a path of the host, known by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Absolute path on the host.
    pub path: String,
    /// The file on this machine.
    pub source: PathBuf,
    /// SHA-256 of it, 64 hex digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it is, for people: `k3s v1.36.3+k3s1`.
    pub says: String,
}

impl Binary {
    pub(super) fn probe(&self) -> Script {
        let (path, directory) = (quote(&self.path), quote(self.directory()));
        Script::new(format!(
            "if [ -f {path} ] && [ -x {path} ]; then printf 'hash=%s\\n' \"$(sha256sum <{path} | cut -d ' ' -f 1)\"\n\
             elif [ -e {path} ]; then echo hash=unusable\nelse echo hash=absent\nfi\n\
             near={directory}; while [ ! -d \"$near\" ]; do near=$(dirname \"$near\"); done\n\
             df -Pk \"$near\" | tail -n 1 | {{ read -r _ _ _ free _; printf 'free_kib=%s\\n' \"$free\"; }}\n"
        ))
        .within(Duration::from_mins(1))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let what = match seen.value("hash") {
            Some(hash) if hash == self.sha256 => return Ok(Verdict::Converged),
            Some("absent") => format!("upload {} to {}", self.says, self.path),
            Some(_) => format!("replace {} by {}", self.path, self.says),
            None => {
                return Ok(Verdict::Undecidable(format!(
                    "{} could not be read",
                    self.path
                )));
            }
        };
        let needed = self.size.div_ceil(1024) + 1024;
        let free = seen
            .value("free_kib")
            .and_then(|free| free.parse::<u64>().ok());
        if let Some(free) = free.filter(|free| *free < needed) {
            return Err(Problem::new(format!(
                "{} has {} MB free, and {} needs {} MB beside the old one",
                self.directory(),
                free / 1024,
                self.says,
                needed.div_ceil(1024)
            ))
            .next("make room there, then run the same command again"));
        }
        let upload = Upload {
            source: self.source.clone(),
            receive: self.receive(),
        };
        Ok(Verdict::Drifted(Remedy {
            changes: vec![Change::of(&self.path, what)],
            actions: vec![Action::Put(upload)],
            settle: Duration::ZERO,
        }))
    }

    fn directory(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        }
    }

    /// Receives the content beside the target, checks its hash, renames it. An upload that was cut
    /// short fails the hash; what a killed run left behind is swept, since the lock shows that
    /// nobody writes it any more.
    fn receive(&self) -> Script {
        let (directory, path) = (quote(self.directory()), quote(&self.path));
        let name = quote(self.path.rsplit('/').next().unwrap_or_default());
        let script = format!(
            "{hold}umask 022\nmkdir -p {directory} || exit 1\n\
             rm -f {directory}/.{name}.towline.*\n\
             temporary=$(mktemp {directory}/.{name}.towline.XXXXXX) || exit 1\n\
             trap 'rm -f \"$temporary\"' EXIT\ntrap 'exit 1' HUP INT TERM PIPE\n\
             cat >\"$temporary\" || exit 1\n\
             [ \"$(sha256sum <\"$temporary\" | cut -d ' ' -f 1)\" = {hash} ] || {{ echo 'what arrived is not what was sent' >&2; exit 1; }}\n\
             chown 0:0 \"$temporary\" && chmod 0755 \"$temporary\" && sync \"$temporary\" && mv -f \"$temporary\" {path}\n",
            hold = crate::shell::hold(),
            hash = self.sha256,
        );
        Script::new(script).within(Duration::from_mins(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str) -> Result<Verdict, Problem> {
        let binary = Binary {
            path: "/usr/local/bin/k3s".into(),
            source: "/tmp/k3s".into(),
            sha256: "ab".repeat(32),
            size: 131 << 20,
            says: "k3s v1.36.3+k3s1".into(),
        };
        binary.judge(
            &Reply {
                status: 0,
                stdout: answer.into(),
                stderr: String::new(),
            },
            &Changes::default(),
        )
    }

    #[test]
    fn the_right_hash_is_converged_and_a_full_disk_is_said_before_the_upload() {
        assert_eq!(
            judged(&format!("hash={}\nfree_kib=10\n", "ab".repeat(32))),
            Ok(Verdict::Converged)
        );
        assert!(matches!(
            judged("hash=absent\nfree_kib=999999\n"),
            Ok(Verdict::Drifted(_))
        ));
        insta::assert_snapshot!(judged("hash=absent\nfree_kib=51200\n").expect_err("too small"), @r"
        /usr/local/bin has 50 MB free, and k3s v1.36.3+k3s1 needs 132 MB beside the old one
          → make room there, then run the same command again
        ");
    }
}
