//! Kernel modules and sysctls, judged by their effect: a module that is built in is there, and a
//! limit that is higher than asked for is high enough.
//!
//! ```yaml
//! - name: kernel
//!   kernel:
//!     modules: {overlay: grep -qw overlay /proc/filesystems}
//!     sysctls: {net.ipv4.ip_forward: 1, fs.inotify.max_user_instances: ">=512"}
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Change, Changes, Verdict, remedy};
use crate::problem::Problem;
use crate::shell::{Reply, Script, acting, quote};

/// Kernel modules and sysctls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Module → shell text that succeeds when the kernel does what the module is for.
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    /// Sysctl → wanted value, or `>=N` for a lower bound.
    #[serde(default, deserialize_with = "values")]
    pub sysctls: BTreeMap<String, String>,
}

/// Reads values that are numbers or texts.
fn values<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, Value>::deserialize(deserializer)?.into_iter();
    let text = |value: Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    Ok(values.map(|(name, value)| (name, text(value))).collect())
}

impl Kernel {
    pub(super) fn probe(&self) -> Script {
        let mut text = String::new();
        for (module, effect) in &self.modules {
            let _ = writeln!(
                text,
                "if (\n{effect}\n) >/dev/null 2>&1; then echo module={module} there; else echo module={module} absent; fi"
            );
        }
        for name in self.sysctls.keys() {
            let file = quote(&format!("/proc/sys/{}", name.replace('.', "/")));
            let _ = writeln!(
                text,
                "printf 'sysctl=%s %s\\n' {} \"$(tr '\\t' ' ' <{file} 2>/dev/null || echo absent)\"",
                quote(name)
            );
        }
        Script::new(text).within(Duration::from_secs(20))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let (mut changes, mut script) = (Vec::new(), "set -e\n".to_owned());
        let told = |key| -> BTreeMap<_, _> {
            let lines = seen.values(key);
            lines.filter_map(|line| line.split_once(' ')).collect()
        };
        let (modules, values) = (told("module"), told("sysctl"));
        for module in self.modules.keys() {
            match modules.get(module.as_str()) {
                Some(&"there") => {}
                Some(_) => {
                    changes.push(Change::new(format!("load module {module}")));
                    let _ = writeln!(script, "modprobe {}", quote(module));
                }
                None => {
                    return Ok(Verdict::Undecidable(format!(
                        "module {module} could not be looked for"
                    )));
                }
            }
        }
        for (name, wanted) in &self.sysctls {
            let Some(is) = values.get(name.as_str()) else {
                return Ok(Verdict::Undecidable(format!(
                    "sysctl {name} could not be read"
                )));
            };
            if satisfies(is, wanted) {
                continue;
            }
            let value = wanted.trim_start_matches(">=");
            changes.push(Change::new(format!(
                "set sysctl {name} = {value} (was {is})"
            )));
            let file = quote(&format!("/proc/sys/{}", name.replace('.', "/")));
            let _ = writeln!(script, "printf '%s\\n' {} >{file}", quote(value));
        }
        if changes.is_empty() {
            return Ok(Verdict::Converged);
        }
        Ok(remedy(changes, acting(&script, Duration::from_mins(1))))
    }
}

fn satisfies(is: &str, wanted: &str) -> bool {
    match wanted.strip_prefix(">=") {
        Some(least) => {
            matches!((is.parse::<u64>(), least.parse::<u64>()), (Ok(is), Ok(least)) if is >= least)
        }
        None => is.split_whitespace().eq(wanted.split_whitespace()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_no_effect_yet_is_changed() {
        let kernel = Kernel {
            modules: [("overlay", "true"), ("br_netfilter", "false")]
                .map(|(a, b)| (a.into(), b.into()))
                .into(),
            sysctls: [("a.b", "1"), ("c.d", ">=512"), ("e.f", ">=8")]
                .map(|(a, b)| (a.into(), b.into()))
                .into(),
        };
        let seen = Reply {
            status: 0,
            stdout: "module=overlay there\nmodule=br_netfilter absent\nsysctl=a.b 0\nsysctl=c.d 128\nsysctl=e.f 9\n".into(),
            stderr: String::new(),
        };
        let Ok(Verdict::Drifted(remedy)) = kernel.judge(&seen, &Changes::default()) else {
            panic!("it differs");
        };
        let changes: Vec<_> = remedy
            .changes
            .into_iter()
            .map(|change| change.what)
            .collect();
        insta::assert_debug_snapshot!(changes, @r#"
        [
            "load module br_netfilter",
            "set sysctl a.b = 1 (was 0)",
            "set sysctl c.d = 512 (was 128)",
        ]
        "#);
    }
}
