//! A symbolic link; what stands at its path and is no link of ours is left alone.
//!
//! ```yaml
//! - name: commands
//!   for_each: [kubectl, crictl]
//!   link: {path: "/usr/local/bin/{{ item }}", target: k3s}
//! ```

use std::time::Duration;

use super::{Change, Changes, Verdict, remedy};
use crate::problem::Problem;
use crate::shell::{Reply, Script, acting, quote};

/// A symbolic link for a command, unless the host has such a command of its own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Absolute path of the link.
    pub path: String,
    /// What it points at.
    pub target: String,
}

impl Link {
    pub(super) fn probe(&self) -> Script {
        let path = quote(&self.path);
        let name = self.path.rsplit('/').next().unwrap_or_default();
        // As k3s's own installer does it: a command that is already there wins.
        Script::new(format!(
            "if [ -h {path} ]; then printf 'link=%s\\n' \"$(readlink -- {path})\"\n\
             elif [ -e {path} ] || command -v {name} >/dev/null 2>&1; then echo state=foreign\n\
             else echo state=absent\nfi\n",
            name = quote(name),
        ))
        .within(Duration::from_secs(10))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let Self { path, target } = self;
        let what = match (seen.value("state"), seen.value("link")) {
            (Some("foreign"), _) => return Ok(Verdict::Converged),
            (_, Some(link)) if link == target => return Ok(Verdict::Converged),
            (_, Some(link)) => format!("link {path} to {target} (was {link})"),
            (Some("absent"), _) => format!("link {path} to {target}"),
            _ => return Ok(Verdict::Undecidable(format!("{path} could not be read"))),
        };
        let script = format!("ln -sfn -- {} {}\n", quote(target), quote(path));
        Ok(remedy(
            vec![Change::of(path, what)],
            acting(&script, Duration::from_secs(20)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_command_is_left_alone_and_a_wrong_link_is_corrected() {
        let link = Link {
            path: "/usr/local/bin/kubectl".into(),
            target: "k3s".into(),
        };
        let table = [
            ("state=foreign", true),
            ("link=k3s", true),
            ("link=/opt/kubectl", false),
            ("state=absent", false),
        ];
        for (answer, converged) in table {
            let seen = Reply {
                status: 0,
                stdout: format!("{answer}\n"),
                stderr: String::new(),
            };
            let verdict = link.judge(&seen, &Changes::default()).expect("a verdict");
            assert_eq!(verdict == Verdict::Converged, converged, "{answer}");
        }
    }
}
