//! An executable that the host needs: fetched by the host itself where it can, else sent from here.
//!
//! ```yaml
//! - name: k3s
//!   binary: {path: /usr/local/bin/k3s}
//! ```

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::{Action, Change, Changes, Remedy, Verdict};
use crate::artifacts::Download;
use crate::problem::{Code, Problem, problem};
use crate::shell::{Reply, Script, acting, quote};
use crate::ssh::Upload;

/// The size assumed for a binary whose size is not known.
const USUAL_SIZE: u64 = 80 << 20;

/// An executable at a path of the host, known by its hash.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// Absolute path on the host.
    pub path: String,
    /// Whether it is no executable but the snapshot of a restore, which only root may read.
    #[serde(default)]
    pub snapshot: bool,
    /// The file on this machine. It is needed only when it is sent.
    #[serde(skip)]
    pub source: PathBuf,
    /// SHA-256 of it, 64 hex digits.
    #[serde(skip)]
    pub sha256: String,
    /// Its size in bytes, where it is known.
    #[serde(skip)]
    pub size: Option<u64>,
    /// How the host fetches it itself, where it is to.
    #[serde(skip)]
    pub download: Option<Download>,
    /// What it is, as a plan says it: `k3s v1.36.3+k3s1`.
    #[serde(skip)]
    pub description: String,
}

/// How the executable gets onto the host, and why so.
enum Way<'a> {
    /// With curl or wget.
    Download(&'a Download, &'a str),
    Upload(String),
}

impl Binary {
    /// Only where the host has something else, it is asked whether it could fetch the right one.
    pub(super) fn probe(&self) -> Script {
        let (path, directory) = (quote(&self.path), quote(self.directory()));
        let fits = if self.snapshot { "-r" } else { "-x" };
        let mut text = format!(
            "if [ -f {path} ] && [ {fits} {path} ]; then hash=$(sha256sum <{path} | cut -d ' ' -f 1)\n\
             elif [ -e {path} ]; then hash=unusable\nelse hash=absent\nfi\nprintf 'hash=%s\\n' \"$hash\"\n\
             near={directory}; while [ ! -d \"$near\" ]; do near=$(dirname \"$near\"); done\n\
             df -Pk \"$near\" | tail -n 1 | {{ read -r _ _ _ free _; printf 'free_kib=%s\\n' \"$free\"; }}\n"
        );
        if let Some(download) = &self.download {
            // wget knows no limit for the whole, and tries again and again; the one of Debian's
            // busybox crashes where it is told a limit.
            let _ = write!(
                text,
                "if [ \"$hash\" != {hash} ]; then\n{proxy}\
                 tool=$(for tool in curl wget; do command -v \"$tool\" >/dev/null && echo \"$tool\" && break; done)\n\
                 printf 'tool=%s\\n' \"$tool\"\n\
                 case $tool in\n\
                 curl) if head=$(curl -fsSIL --connect-timeout 5 --max-time 10 {url}); then echo reach=yes; fi\n\
                 printf 'length=%s\\n' \"$(printf '%s\\n' \"$head\" | tr -d '\\r' | sed -n 's/^[Cc]ontent-[Ll]ength: *//p' | tail -n 1)\" ;;\n\
                 wget) if timeout 10 wget -q --spider {url} >&2; then echo reach=yes; fi ;;\n\
                 esac\nfi\n",
                hash = quote(&self.sha256),
                proxy = download.through(),
                url = quote(&download.url),
            );
        }
        Script::new(text).within(Duration::from_mins(1))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let is_new = match seen.value("hash") {
            Some(hash) if hash == self.sha256 => return Ok(Verdict::Converged),
            Some("absent") => true,
            Some(_) => false,
            None => {
                return Ok(Verdict::Undecidable(format!(
                    "{} could not be read",
                    self.path
                )));
            }
        };
        self.fits(seen)?;
        let (verb, why, action) = match self.way(seen) {
            Way::Download(download, tool) => (
                "download",
                format!(" (by the host itself, with {tool})"),
                Action::Run(self.fetch(download, tool)),
            ),
            Way::Upload(why) => {
                let upload = Upload {
                    source: self.source.clone(),
                    receive: self.receive(),
                };
                ("upload", why, Action::Put(upload))
            }
        };
        let what = if is_new {
            format!("{verb} {} to {}{why}", self.description, self.path)
        } else {
            format!("replace {} by {}{why}", self.path, self.description)
        };
        Ok(Verdict::Drifted(Remedy {
            changes: vec![Change::of(&self.path, what)],
            actions: vec![action],
            settle: Duration::ZERO,
            restarts: false,
            follows: false,
        }))
    }

    fn way<'a>(&'a self, seen: &'a Reply) -> Way<'a> {
        let Some(download) = &self.download else {
            return Way::Upload(String::new());
        };
        let Some(tool @ ("curl" | "wget")) = seen.value("tool") else {
            return Way::Upload(" (no curl or wget on the host: uploaded from here)".to_owned());
        };
        if seen.value("reach") == Some("yes") {
            return Way::Download(download, tool);
        }
        let origin: String = download.url.split_inclusive('/').take(3).collect();
        let through = match &download.proxy {
            Some(proxy) => format!(" through {proxy}"),
            None => String::new(),
        };
        Way::Upload(format!(
            " (the host does not get it from {}{through}: uploaded from here)",
            origin.trim_end_matches('/')
        ))
    }

    /// Refuses what has no room beside the old one.
    fn fits(&self, seen: &Reply) -> Result<(), Problem> {
        let number = |key| seen.value(key).and_then(|text| text.parse::<u64>().ok());
        let announced = number("length").filter(|length| *length > 0);
        let size = self.size.or(announced).unwrap_or(USUAL_SIZE);
        let needed = size.div_ceil(1024) + 1024;
        match number("free_kib").filter(|free| *free < needed) {
            None => Ok(()),
            Some(free) => Err(problem!(
                Code::DISK_FULL,
                "{} has {} MB free, and {} needs {} MB beside the old one",
                self.directory(),
                free / 1024,
                self.description,
                needed.div_ceil(1024)
            )
            .next("make room there, then run the same command again")),
        }
    }

    fn directory(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((directory, _)) => directory,
        }
    }

    /// Receives the content beside the target, checks its hash, renames it. An upload that was cut
    /// short fails the hash; what a killed run left behind is swept, since the lock shows that
    /// no process writes it any more.
    fn receive(&self) -> Script {
        let script = format!(
            "{}{}",
            crate::shell::hold(),
            self.placed("cat >\"$temporary\"", "what arrived is not what was sent")
        );
        Script::new(script).within(Duration::from_mins(1))
    }

    /// The same, with what the host fetches itself. It gives up when nothing comes any more, or, with
    /// a wget that has no such option, at the end of its time. busybox's wget does not look at
    /// certificates; nothing hangs on them, since the hash comes from this machine.
    fn fetch(&self, download: &Download, tool: &str) -> Script {
        let url = quote(&download.url);
        let fetch = if tool == "curl" {
            format!(
                "curl -fsSL --connect-timeout 15 --speed-limit 1 --speed-time 30 -o \"$temporary\" {url}"
            )
        } else {
            format!(
                "{{ limit=; if wget --help 2>&1 | grep -q -e ' -T'; then limit='-T 30 -t 3'; fi; wget -q $limit -O \"$temporary\" {url}; }}"
            )
        };
        let wrong = format!(
            "{} is not the file that the release announces, so nothing was replaced",
            download.url
        );
        let script = format!("{}{}", download.through(), self.placed(&fetch, &wrong));
        acting(&script, Duration::from_mins(20))
    }

    fn placed(&self, get: &str, wrong: &str) -> String {
        let (directory, path) = (quote(self.directory()), quote(&self.path));
        let name = quote(self.path.rsplit('/').next().unwrap_or_default());
        let (mask, mode) = if self.snapshot {
            ("077", "0600")
        } else {
            ("022", "0755")
        };
        format!(
            "umask {mask}\nmkdir -p {directory} || exit 1\n\
             rm -f {directory}/.{name}.towline.*\n\
             temporary=$(mktemp {directory}/.{name}.towline.XXXXXX) || exit 1\n\
             trap 'rm -f \"$temporary\"' EXIT\ntrap 'exit 1' HUP INT TERM PIPE\n\
             {get} || exit 1\n\
             received=$(sha256sum <\"$temporary\" | cut -d ' ' -f 1)\n\
             [ \"$received\" = {hash} ] || {{ printf '%s\\n' {wrong} 'expected sha256 '{hash} \"received sha256 $received\" >&2; exit 1; }}\n\
             chown 0:0 \"$temporary\" && chmod {mode} \"$temporary\" && sync \"$temporary\" && mv -f \"$temporary\" {path}\n",
            hash = self.sha256,
            wrong = quote(wrong),
        )
    }
}

impl Download {
    /// Shell text that lets both tools go through the proxy.
    fn through(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("export http_proxy={0} https_proxy={0}\n", quote(proxy)),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary() -> Binary {
        Binary {
            path: "/usr/local/bin/k3s".into(),
            snapshot: false,
            source: "/tmp/k3s".into(),
            sha256: "ab".repeat(32),
            size: Some(131 << 20),
            download: None,
            description: "k3s v1.36.3+k3s1".into(),
        }
    }

    fn judged(answer: &str) -> Result<Verdict, Problem> {
        judged_of(&binary(), answer)
    }

    fn judged_of(binary: &Binary, answer: &str) -> Result<Verdict, Problem> {
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

    #[test]
    fn the_host_fetches_it_where_it_can_and_the_plan_says_why_where_it_cannot() {
        let mut binary = binary();
        binary.download = Some(Download {
            url: "https://github.com/k3s-io/k3s/releases/download/v1/k3s".into(),
            proxy: Some("http://proxy:3128".into()),
        });
        let table = [
            (
                "hash=absent\ntool=curl\nreach=yes\nlength=9",
                "download k3s v1.36.3+k3s1 to /usr/local/bin/k3s (by the host itself, with curl)",
                true,
            ),
            (
                "hash=00\ntool=wget\nreach=yes",
                "replace /usr/local/bin/k3s by k3s v1.36.3+k3s1 (by the host itself, with wget)",
                true,
            ),
            (
                "hash=absent\ntool=",
                "upload k3s v1.36.3+k3s1 to /usr/local/bin/k3s (no curl or wget on the host: uploaded from here)",
                false,
            ),
            (
                "hash=absent\ntool=curl\nlength=",
                "upload k3s v1.36.3+k3s1 to /usr/local/bin/k3s (the host does not get it from https://github.com through http://proxy:3128: uploaded from here)",
                false,
            ),
        ];
        for (answer, what, fetches) in table {
            let Ok(Verdict::Drifted(remedy)) = judged_of(&binary, answer) else {
                panic!("{answer}")
            };
            assert_eq!(remedy.changes[0].what, what);
            assert_eq!(
                matches!(remedy.actions[..], [Action::Run(_)]),
                fetches,
                "{answer}"
            );
        }
        let text = binary.probe().text;
        assert!(text.contains("export http_proxy="), "{text}");
        binary.download = None;
        assert!(!binary.probe().text.contains("curl"));
    }

    #[test]
    fn where_the_size_is_not_known_the_host_tells_it() {
        let mut binary = binary();
        binary.size = None;
        let full = "hash=absent\nfree_kib=51200\ntool=curl\nreach=yes\nlength=";
        assert!(judged_of(&binary, &format!("{full}1000")).is_ok());
        assert!(judged_of(&binary, full).is_err());
    }
}
