//! Packages of the operating system, installed only when the command they bring is missing.
//!
//! ```yaml
//! - name: packages
//!   package: {iptables: iptables, modprobe: kmod}
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::{Change, Changes, Verdict, remedy};
use crate::error::Problem;
use crate::shell::{Reply, Script, acting, quote};

/// Packages by the command that shows that they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Command or absolute path of a file → package that brings it.
    pub packages: BTreeMap<String, String>,
}

impl Package {
    pub(super) fn probe(&self) -> Script {
        let mut text = String::new();
        for command in self.packages.keys() {
            let command = quote(command);
            let _ = writeln!(
                text,
                "if [ -e {command} ] || command -v {command} >/dev/null 2>&1; then echo there={command}; else echo absent={command}; fi"
            );
        }
        Script::new(text).within(Duration::from_secs(20))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        if seen.values("there").chain(seen.values("absent")).count() != self.packages.len() {
            return Ok(Verdict::Undecidable(
                "packages could not be looked for".into(),
            ));
        }
        let missing: Vec<_> = seen
            .values("absent")
            .filter_map(|command| self.packages.get(command))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(Verdict::Converged);
        }
        let names = missing
            .iter()
            .map(|name| quote(name))
            .collect::<Vec<_>>()
            .join(" ");
        // The package lists may be older than the mirror's contents.
        let script = format!(
            "export DEBIAN_FRONTEND=noninteractive\n\
             get() {{ apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=2 \"$@\" >&2; }}\n\
             get install --no-install-recommends {names} || {{ get update && get install --no-install-recommends {names}; }}\n"
        );
        let change = Change::new(format!("install {}", missing.join(", ")));
        Ok(remedy(
            vec![change],
            acting(&script, Duration::from_mins(20)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_packages_are_installed() {
        let package = Package {
            packages: [("iptables", "iptables"), ("modprobe", "kmod")]
                .map(|(a, b)| (a.into(), b.into()))
                .into(),
        };
        let judge = |stdout: &str| {
            package.judge(
                &Reply {
                    status: 0,
                    stdout: stdout.into(),
                    stderr: String::new(),
                },
                &Changes::default(),
            )
        };
        assert_eq!(
            judge("there=iptables\nthere=modprobe\n"),
            Ok(Verdict::Converged)
        );
        let Ok(Verdict::Drifted(remedy)) = judge("there=iptables\nabsent=modprobe\n") else {
            panic!("one is missing")
        };
        assert_eq!(remedy.changes[0].what, "install kmod");
    }
}
