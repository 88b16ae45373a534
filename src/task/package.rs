//! Packages of the operating system, installed only when the command they bring is missing.
//!
//! ```yaml
//! - name: packages
//!   package: {iptables: iptables, /etc/ssl/certs/ca-certificates.crt: ca-certificates}
//! ```
//!
//! Behind the key `dpkg` stand the names of packages for which dpkg itself is asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{Change, Changes, Pending, Verdict, remedy};
use crate::problem::AdviceKind::{CommandOnHost, Words};
use crate::problem::{Advice, Code, Problem, problem};
use crate::shell::{Reply, Script, acting, quote};

/// A shell function that says which process holds a lock of dpkg's or of apt's lists.
const HOLDER: &str = "holder() {\n\
    for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do\n\
    inode=$(stat -c %i \"$lock\" 2>/dev/null) || continue\n\
    for process in $(sed -n \"s/^.* WRITE *\\([0-9]*\\) [0-9a-f]*:[0-9a-f]*:$inode .*/\\1/p\" /proc/locks); do\n\
    [ -e \"/proc/$process\" ] && printf 'holder=%s (process %s)\\n' \"$(cat \"/proc/$process/comm\")\" \"$process\" && return\n\
    done\ndone\n}\n";

/// Packages by what shows that they are there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Package {
    /// Command, absolute path of a file, or [`BY_NAME`] → package that brings it.
    #[serde(deserialize_with = "by_what_they_bring")]
    pub packages: BTreeMap<String, String>,
}

/// The key whose value is the names of packages that dpkg is asked for.
const BY_NAME: &str = "dpkg";

/// Reads the map, and of [`BY_NAME`] one entry for each name.
fn by_what_they_bring<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let mut packages = BTreeMap::<String, String>::deserialize(deserializer)?;
    let names = packages.remove(BY_NAME).unwrap_or_default();
    let names = names.split_whitespace();
    packages.extend(names.map(|name| (format!("{BY_NAME} {name}"), name.to_owned())));
    Ok(packages)
}

impl Package {
    pub(super) fn probe(&self) -> Script {
        let mut text = String::from(HOLDER);
        for (command, package) in &self.packages {
            let is_by_name = *command == format!("{BY_NAME} {package}");
            let (command, package) = (quote(command), quote(package));
            let installed = format!(
                "[ \"$(dpkg-query -W -f '${{db:Status-Abbrev}}' {package} 2>/dev/null)\" = 'ii ' ]"
            );
            let (there, says) = if is_by_name {
                (installed, String::new())
            } else {
                (
                    format!("[ -e {command} ] || command -v {command} >/dev/null 2>&1"),
                    format!("{installed} && echo installed={command}\n"),
                )
            };
            let _ = writeln!(
                text,
                "if {there}; then echo there={command}; else\necho absent={command}; holder\n{says}fi"
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
        // apt would find nothing to do.
        if let Some((command, package)) = seen
            .value("installed")
            .and_then(|command| self.packages.get_key_value(command))
        {
            return Err(problem!(Code::PACKAGE_BROKEN, "{command} is missing, and dpkg calls the package that brings it installed: {package}")
            .because("something has removed the file, or the package was left half unpacked")
            .next("on the host, this puts it back").on_host(format!("apt-get install --reinstall {package}")));
        }
        if let Some(holder) = seen.value("holder") {
            return Ok(Verdict::Pending(Pending {
                until: format!("{holder} to release dpkg's lock"),
                cause: None,
                said: Vec::new(),
                ended: None,
                next: vec![
                    Advice::new(Words, "on the host, this shows what it does"),
                    Advice::new(CommandOnHost, "ps -fC apt,apt-get,dpkg,unattended-upgr"),
                ],
                timeout: Duration::from_mins(20),
            }));
        }
        let names: Vec<_> = missing.iter().map(|name| quote(name)).collect();
        let names = names.join(" ");
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
        let held = "there=iptables\nabsent=modprobe\nholder=unattended-upgr (process 812)\n";
        let Ok(Verdict::Pending(pending)) = judge(held) else {
            panic!("another has the lock")
        };
        assert_eq!(
            pending.until,
            "unattended-upgr (process 812) to release dpkg's lock"
        );
        let gone = judge("there=iptables\nabsent=modprobe\ninstalled=modprobe\n");
        assert_eq!(
            gone.expect_err("apt would do nothing").what,
            "modprobe is missing, and dpkg calls the package that brings it installed: kmod"
        );
    }
}
