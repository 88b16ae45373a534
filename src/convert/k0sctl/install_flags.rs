//! What is told to `k0s install`.

use serde_json::Value;

use super::K0sctlConversion;
use crate::convert::making::{CONTROL_PLANE, HostDraft};
use crate::convert::placed::{Located, SettingKey};
use crate::convert::{Place, flags};
use crate::inventory::YamlNode;

impl K0sctlConversion<'_> {
    /// Flags of `k0s install`: labels, taints and the kubelet's are carried over.
    pub(super) fn flags(&mut self, item: &YamlNode, host: &mut HostDraft) {
        let Some(entry) = self.reading.take(item, "installFlags") else {
            return;
        };
        let at = self.reading.at(entry);
        let mut lines: Vec<(String, Place)> = Vec::new();
        for (text, span) in entry.value.texts() {
            match lines.last_mut() {
                // A flag's value may stand in an item of its own.
                Some((line, _)) if !text.starts_with('-') => {
                    line.push(' ');
                    line.push_str(text);
                }
                _ => {
                    let line = span.line;
                    lines.push((text.to_owned(), Place { line, ..at.clone() }));
                }
            }
        }
        for (line, at) in lines {
            let Some(words) = shlex::split(&line) else {
                let what = "`installFlags` has a quote that is not closed";
                self.making.leave(&at, what);
                continue;
            };
            let (pairs, others) = flags::pairs(words);
            for (flag, value) in pairs {
                let values = match value {
                    Value::Array(values) => values,
                    value => vec![value],
                };
                for value in values {
                    self.flag(host, &at, &flag, value);
                }
            }
            for _ in others {
                let what = "`installFlags` has a word that is not a flag";
                self.making.leave(&at, what);
            }
        }
    }

    fn flag(&mut self, host: &mut HostDraft, at: &Place, flag: &str, value: Value) {
        let text = match value {
            Value::Bool(_) => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let mut set = |key, value: Value| {
            let at = at.clone();
            let again = value.clone();
            let before = host.settings.insert(key, Located { value, at });
            if let Some(before) = before.filter(|before| before.value != again) {
                let what =
                    format!("`--{flag}` of `installFlags` is repeated, and the last one is used");
                self.making.leave(&before.at, what);
            }
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        let what = match flag {
            "no-taints" => {
                host.settings
                    .remove(&SettingKey::Taint(CONTROL_PLANE.to_owned()));
                return;
            }
            "enable-worker" => return,
            "labels" | "taints" | "kubelet-extra-args" if text.is_empty() => "has no value",
            "labels" => {
                for label in parts {
                    let (key, value) = label.split_once('=').unwrap_or((label, ""));
                    set(SettingKey::Label(key.to_owned()), value.into());
                }
                return;
            }
            "taints" => {
                for taint in parts {
                    host.taint(taint, at);
                }
                return;
            }
            "kubelet-extra-args" => match shlex::split(&text) {
                Some(words) => {
                    let words = words.iter().map(|word| word.trim_start_matches('-'));
                    set(
                        SettingKey::Config("kubelet-arg".to_owned()),
                        words.collect(),
                    );
                    return;
                }
                None => "has a quote that is not closed",
            },
            _ => "is a flag of k0s",
        };
        let what = format!("`--{flag}` of `installFlags` {what}");
        self.making.leave(at, what);
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::tests::{JUDGE, shown};
    use crate::convert::{Source, k0sctl};

    /// What all inventories have.
    const SAME: [&str; 4] = ["hosts:", "controller1:", "address:", "role:"];

    #[test]
    fn no_flag_is_lost() {
        let mut shown_all = String::new();
        for flags in [
            r#""--labels a=b --labels c=d --labels=5""#,
            r#"--labels, "a=b,,c=d", --taints, "e=f:NoSchedule""#,
            r#""--taints a=b:NoSchedule --taints=c=:NoExecute""#,
            r#"'--kubelet-extra-args="--v=2 --max-pods=9" --kubelet-extra-args=--v=3'"#,
            "--kubelet-extra-args=--v=2, --kubelet-extra-args=--v=3",
            r#"'--kubelet-extra-args="--a=''b"'"#,
            r#""--labels --taints", "--labels='a=b""#,
        ] {
            let text = format!(
                "apiVersion: k0sctl.k0sproject.io/v1beta1\nspec: {{hosts: [{{role: single, ssh: {{address: 10.0.0.1}}, installFlags: [{flags}]}}]}}"
            );
            let shown = shown(k0sctl::convert(&Source::new("k.yaml", &text), JUDGE));
            let lines = shown.lines().skip(1);
            let lines = lines.filter(|line| !SAME.iter().any(|same| line.contains(same)));
            shown_all += &format!("{flags}\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        }
        insta::assert_snapshot!(shown_all, @r#"
        "--labels a=b --labels c=d --labels=5"
            labels:
              "5": ""
              a: b
              c: d
        --labels, "a=b,,c=d", --taints, "e=f:NoSchedule"
            labels:
              a: b
              c: d
            taints:
            - e=f:NoSchedule
        "--taints a=b:NoSchedule --taints=c=:NoExecute"
            taints:
            - a=b:NoSchedule
            - c:NoExecute
        '--kubelet-extra-args="--v=2 --max-pods=9" --kubelet-extra-args=--v=3'
        cluster:
          config:
            kubelet-arg:
            - v=3
        k.yaml:2: `--kubelet-extra-args` of `installFlags` is repeated, and the last one is used
        --kubelet-extra-args=--v=2, --kubelet-extra-args=--v=3
        cluster:
          config:
            kubelet-arg:
            - v=3
        k.yaml:2: `--kubelet-extra-args` of `installFlags` is repeated, and the last one is used
        '--kubelet-extra-args="--a=''b"'
        k.yaml:2: `--kubelet-extra-args` of `installFlags` has a quote that is not closed
        "--labels --taints", "--labels='a=b"
        k.yaml:2: `--labels` of `installFlags` has no value
        k.yaml:2: `--taints` of `installFlags` has no value
        k.yaml:2: `installFlags` has a quote that is not closed
        "#);
    }
}
