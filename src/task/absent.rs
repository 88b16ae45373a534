//! Files and folders that are not there.
//!
//! ```yaml
//! - name: old settings
//!   absent: {paths: [/etc/sysctl.d/90-old.conf, /etc/site/*.tmp], parents: [/etc/site]}
//! ```
//!
//! What a user has put a folder on (a mount, a link to a folder) stays and is emptied. Nothing is
//! removed through a mount: while there is one beneath a folder, the folder is left.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Change, Changes, Verdict, remedy};
use crate::problem::Problem;
use crate::shell::{Reply, Script, acting, quote};

/// Files and folders that are not there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// Absolute paths; `*` in one stands for what it stands for in a shell.
    pub paths: Vec<String>,
    /// Only links to one of these are removed; everything when empty.
    #[serde(default)]
    pub links_to: Vec<String>,
    /// Folders that go too when nothing is left in them.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// Shell functions for what may be mounted in a folder that goes.
const MOUNTS: &str = include_str!("../../templates/os/absent.sh");

impl Absent {
    pub(super) fn probe(&self) -> Script {
        let mut text = format!(
            "{MOUNTS}look() {{\n\
             [ -e \"$1\" ] || [ -h \"$1\" ] || return\n\
             {}\
             if [ -d \"$1\" ] && {{ [ -h \"$1\" ] || mounted \"$1\"; }}; then\n\
             [ -z \"$(find -H \"$1\" -mindepth 1 -print -quit)\" ] || printf 'full=%s\\n' \"$1\"\n\
             else printf 'there=%s\\n' \"$1\"\nfi\n}}\n",
            self.only_links()
        );
        for path in &self.paths {
            let _ = writeln!(text, "for path in {}; do look \"$path\"; done", glob(path));
        }
        for parent in &self.parents {
            let parent = quote(parent);
            let _ = writeln!(
                text,
                "if [ -d {parent} ] && [ ! -h {parent} ] && ! mounted {parent}; then\n\
                 [ -n \"$(ls -A {parent})\" ] && printf 'parent=%s\\n' {parent} || printf 'empty=%s\\n' {parent}\nfi"
            );
        }
        text.push_str("echo complete=yes\n");
        Script::new(text).within(Duration::from_secs(30))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        if seen.value("complete").is_none() {
            return Ok(Verdict::Undecidable(format!(
                "whether {} is there could not be told",
                self.paths.first().map_or("anything", String::as_str)
            )));
        }
        let [there, full, empty] = ["there", "full", "empty"].map(|key| seen.values(key));
        let mut changes: Vec<_> = there
            .map(|path| Change::of(path, format!("remove {path}")))
            .chain(full.map(|path| Change::of(path, format!("empty {path}"))))
            .chain(empty.map(|path| Change::of(path, format!("remove {path}"))))
            .collect();
        if changes.is_empty() {
            return Ok(Verdict::Converged);
        }
        changes.extend(
            seen.values("parent")
                .map(|path| Change::new(format!("remove {path}, if nothing is left in it"))),
        );
        Ok(remedy(
            changes,
            acting(&self.removal(), Duration::from_mins(10)),
        ))
    }

    fn removal(&self) -> String {
        let mut text = format!(
            "{MOUNTS}take() {{\n{}gone \"$1\" || failed=1\n}}\nfailed=0\n",
            self.only_links()
        );
        for path in &self.paths {
            let _ = writeln!(text, "for path in {}; do take \"$path\"; done", glob(path));
        }
        for parent in &self.parents {
            let parent = quote(parent);
            let _ = writeln!(
                text,
                "[ -h {parent} ] || mounted {parent} || rmdir {parent} 2>/dev/null"
            );
        }
        text.push_str("exit $failed\n");
        text
    }

    fn only_links(&self) -> String {
        if self.links_to.is_empty() {
            return String::new();
        }
        let targets: Vec<_> = self.links_to.iter().map(|target| quote(target)).collect();
        format!(
            "[ -h \"$1\" ] || return 0\ncase \"$(readlink -- \"$1\")\" in {}) ;; *) return 0 ;; esac\n",
            targets.join(" | ")
        )
    }
}

/// A path as a shell word in which only `*` means more than itself.
fn glob(path: &str) -> String {
    let word = |part: &str| Some(part).filter(|part| !part.is_empty()).map(quote);
    let words = path.split('*').map(|part| word(part).unwrap_or_default());
    words.collect::<Vec<_>>().join("*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Action;

    fn shell(script: &Script) -> Reply {
        let output = std::process::Command::new("sh")
            .args(["-c", &script.text])
            .output()
            .expect("sh runs");
        Reply {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[test]
    fn what_is_there_goes_and_what_looks_like_it_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_string_lossy().into_owned();
        let disk = tempfile::tempdir().expect("a disk");
        std::fs::create_dir_all(folder.path().join("own/a b")).expect("made");
        std::fs::write(disk.path().join("x"), "x").expect("written");
        std::os::unix::fs::symlink(disk.path(), folder.path().join("data")).expect("linked");
        for name in [".k3s.towline.A", "kept", "own/a b/c"] {
            std::fs::write(folder.path().join(name), "x").expect("written");
        }
        let task = Absent {
            paths: ["own/a b", "data", ".k3s.towline.*", "nothing"]
                .map(|path| format!("{root}/{path}"))
                .to_vec(),
            links_to: Vec::new(),
            parents: vec![format!("{root}/own"), root.clone()],
        };
        let nothing = Changes::default();
        let Ok(Verdict::Drifted(remedy)) = task.judge(&shell(&task.probe()), &nothing) else {
            panic!("it differs");
        };
        let told: Vec<_> = remedy
            .changes
            .iter()
            .map(|change| change.what.replace(&root, ""))
            .collect();
        assert_eq!(
            told,
            [
                "remove /own/a b",
                "remove /.k3s.towline.A",
                "empty /data",
                "remove /own, if nothing is left in it",
                "remove , if nothing is left in it",
            ]
        );
        assert!(matches!(&remedy.actions[..], [Action::Run(_)]));
        let done = shell(&Script::new(task.removal()));
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(
            task.judge(&shell(&task.probe()), &nothing),
            Ok(Verdict::Converged)
        );
        let left = |name: &str| folder.path().join(name).symlink_metadata().is_ok();
        assert!(left("kept") && left("data") && !left("own"));
        assert!(disk.path().exists() && !disk.path().join("x").exists());
    }
}
