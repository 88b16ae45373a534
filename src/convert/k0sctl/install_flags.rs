//! What is told to `k0s install`.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{K0sctlConversion, environment};
use crate::convert::Place;
use crate::convert::making::HostDraft;
use crate::convert::placed::{Located, SettingKey};
use crate::distribution::k0s::flags::{is_known, taken_apart, words};
use crate::inventory::YamlNode;

impl K0sctlConversion<'_> {
    /// Flags of `k0s install`.
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
            let Some(line) = shlex::split(&line) else {
                let what = "`installFlags` has a quote that is not closed";
                self.making.leave(&at, what);
                continue;
            };
            // Each with its value: one that is repeated shows.
            for words in line.chunk_by(|_, next| !next.starts_with('-')) {
                if words[0].starts_with("-e") {
                    self.flag(host, &at, "env", Value::Null);
                    continue;
                }
                let (flags, others) = taken_apart(words);
                for (flag, value) in flags {
                    self.flag(host, &at, &flag, value);
                }
                for _ in others {
                    let what = "`installFlags` has a word that is not a flag";
                    self.making.leave(&at, what);
                }
            }
        }
    }

    fn flag(&mut self, host: &mut HostDraft, at: &Place, flag: &str, mut value: Value) {
        let said = words(&value);
        let is_on = value == Value::Bool(true);
        let what = match flag {
            // They are said by the role.
            "no-taints" | "enable-worker" | "single" => {
                host.word = match (flag, host.word) {
                    ("single", Some(_)) if is_on => Some("single"),
                    ("no-taints", Some("controller+worker")) if is_on => Some("server"),
                    ("enable-worker", Some("controller")) if is_on => Some("controller+worker"),
                    (_, word) => word,
                };
                return;
            }
            "labels" | "taints" | "kubelet-extra-args" if said.iter().all(String::is_empty) => {
                "has no value"
            }
            "labels" => {
                for label in said.iter().filter(|label| !label.is_empty()) {
                    let (key, value) = label.split_once('=').unwrap_or((label, ""));
                    self.set(
                        host,
                        at,
                        SettingKey::Label(key.to_owned()),
                        value.into(),
                        flag,
                    );
                }
                return;
            }
            "taints" => {
                for taint in said.iter().filter(|taint| !taint.is_empty()) {
                    host.taint(taint, at);
                }
                return;
            }
            "kubelet-extra-args" => match shlex::split(&said.concat()) {
                Some(arguments) => return self.kubelet(host, at, arguments),
                None => "has a quote that is not closed",
            },
            "config" => "names another file: towline writes the one k0s.yaml, in /etc/k0s",
            "token-file" => "has no use: towline makes the tokens by which hosts join",
            "force" | "start" => "is for  k0s install",
            "env" => {
                "is a variable: where k0sctl has been, move it into a drop-in of the unit, which stays"
            }
            flag if is_known(flag, host.role) => match super::in_our_form(&mut value) {
                Ok(()) => {
                    let key = SettingKey::Config(flag.to_owned());
                    return self.set(host, at, key, value, flag);
                }
                Err(why) => {
                    let what = format!("`--{flag}` of `installFlags` {why}");
                    return self.making.leave(at, what);
                }
            },
            _ => "is no flag of k0s that towline knows",
        };
        let what = format!("`--{flag}` of `installFlags` {what}");
        self.making.leave(at, what);
    }

    fn set(&mut self, host: &mut HostDraft, at: &Place, key: SettingKey, value: Value, flag: &str) {
        let said = Located::new(value, at);
        let again = said.value.clone();
        let before = host.settings.insert(key, said);
        if let Some(before) = before.filter(|before| before.value != again) {
            let what =
                format!("`--{flag}` of `installFlags` is repeated, and the last one is used");
            self.making.leave(&before.at, what);
        }
    }

    /// Arguments of the kubelet: its name and its address stand where towline has them.
    fn kubelet(&mut self, host: &mut HostDraft, at: &Place, arguments: Vec<String>) {
        let mut rest = Vec::new();
        for argument in arguments {
            let Ok(argument) = environment(&argument) else {
                let what = "`--kubelet-extra-args` of `installFlags` has an environment expression that towline does not support";
                self.making.leave(at, what);
                continue;
            };
            let here = |value: &str| Located::new(value.to_owned(), at);
            match argument.split_once('=') {
                Some(("--hostname-override", name)) => host.node_name = Some(here(name)),
                Some(("--node-ip", address)) if address.parse::<IpAddr>().is_ok() => {
                    let is_other = host.reached_at() != address;
                    host.private_address = is_other
                        .then(|| here(address))
                        .or(host.private_address.take());
                }
                _ => rest.push(argument),
            }
        }
        if !rest.is_empty() {
            let key = SettingKey::Config("kubelet-extra-args".to_owned());
            self.set(host, at, key, json!(rest), "kubelet-extra-args");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::tests::{JUDGE, shown};
    use crate::convert::{Source, k0sctl};

    /// What all inventories have.
    const SAME: [&str; 6] = [
        "hosts:",
        "controller1:",
        " address:",
        "role:",
        "cluster:",
        "distribution:",
    ];

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
            r#"'--kubelet-extra-args="--node-ip=10.1.0.1 --hostname-override=first"', --profile=small, --debug"#,
            "--token-file=/t, -c /k, -e A=hunter2, --force, --no-such=1",
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
          config:
            kubelet-extra-args:
            - --v=3
        k.yaml:2: `--kubelet-extra-args` of `installFlags` is repeated, and the last one is used
        --kubelet-extra-args=--v=2, --kubelet-extra-args=--v=3
          config:
            kubelet-extra-args:
            - --v=3
        k.yaml:2: `--kubelet-extra-args` of `installFlags` is repeated, and the last one is used
        '--kubelet-extra-args="--a=''b"'
        k.yaml:2: `--kubelet-extra-args` of `installFlags` has a quote that is not closed
        "--labels --taints", "--labels='a=b"
        k.yaml:2: `--labels` of `installFlags` has no value
        k.yaml:2: `--taints` of `installFlags` has no value
        k.yaml:2: `installFlags` has a quote that is not closed
        '--kubelet-extra-args="--node-ip=10.1.0.1 --hostname-override=first"', --profile=small, --debug
          config:
            debug: true
            profile: small
            private_address: "10.1.0.1"
            node_name: first
        --token-file=/t, -c /k, -e A=hunter2, --force, --no-such=1
        k.yaml:2: `--config` of `installFlags` names another file: towline writes the one k0s.yaml, in /etc/k0s
        k.yaml:2: `--env` of `installFlags` is a variable: where k0sctl has been, move it into a drop-in of the unit, which stays
        k.yaml:2: `--force` of `installFlags` is for  k0s install
        k.yaml:2: `--no-such` of `installFlags` is no flag of k0s that towline knows
        k.yaml:2: `--token-file` of `installFlags` has no use: towline makes the tokens by which hosts join
        "#);
    }
}
