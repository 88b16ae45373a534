//! Labels, taints and config.yaml: what Kubernetes and a distribution take, and what towline decides itself.

use super::data_dir::DataDir;
use super::mistake::{Complaint, Mistakes};
use super::node::{YamlEntry, YamlNode, YamlValue};
use super::reader::Reader;
use super::source::Sources;
use super::syntax::Checked;
use super::words::one_of;

/// The name part of a label's key, or a label's value.
fn is_label_word(text: &str) -> bool {
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A label's or taint's key: `name` or `prefix/name`.
fn is_key(text: &str) -> bool {
    let (prefix, name) = text
        .split_once('/')
        .map_or((None, text), |(a, b)| (Some(a), b));
    is_label_word(name)
        && prefix.is_none_or(|prefix| {
            super::syntax::name(prefix).is_ok()
                && !prefix.contains(|c: char| c.is_ascii_uppercase())
        })
}

/// Labels that a node may give itself although their prefix belongs to Kubernetes.
const OWN_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

/// A label's key. One that a kubelet refuses to give its own node would keep it from starting.
fn label_key(key: &str) -> Checked {
    if !is_key(key) {
        return Err(Complaint::with(
            format!("`{key}` cannot be a label's key"),
            "a key is written name or example.org/name, its name of at most 63 letters, digits, `-`, `_` and `.`",
        ));
    }
    let Some((prefix, _)) = key.split_once('/') else {
        return Ok(());
    };
    let under = |domain: &str| {
        prefix == domain
            || prefix
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    let reserved = under("kubernetes.io") || under("k8s.io");
    let allowed =
        under("kubelet.kubernetes.io") || under("node.kubernetes.io") || OWN_LABELS.contains(&key);
    if reserved && !allowed {
        return Err(Complaint::with(
            format!("a node may not give itself the label `{key}`, and would not start"),
            format!("set it once the node has joined: kubectl label node <name> {key}=..."),
        ));
    }
    Ok(())
}

/// Notes what is wrong with labels.
pub(super) fn labels(node: &YamlNode, mistakes: &mut Mistakes) {
    for entry in node.entries() {
        mistakes.check(entry.at, label_key(&entry.key));
        let Some(value) = entry.value.text().filter(|value| !value.is_empty()) else {
            continue;
        };
        if !is_label_word(value) {
            mistakes.help(
                entry.value.span,
                format!("`{value}` cannot be a label's value"),
                "a value is made of at most 63 letters, digits, `-`, `_` and `.`, and starts and ends with a letter or digit",
            );
        }
    }
}

/// What a taint may do.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A taint: `key=value:Effect` or `key:Effect`.
pub(super) fn taint(text: &str) -> Checked {
    let message = format!("`{text}` is not a taint");
    let form = "a taint is written key=value:NoSchedule or key:NoSchedule";
    let Some((left, effect)) = text.rsplit_once(':') else {
        return Err(Complaint::with(message, form));
    };
    let (key, value) = left.split_once('=').unwrap_or((left, ""));
    if !is_key(key) || !(value.is_empty() || is_label_word(value)) {
        return Err(Complaint::with(message, form));
    }
    if !EFFECTS.contains(&effect) {
        let message = format!("a taint's effect cannot be `{effect}`");
        return Err(Complaint::with(message, one_of(effect, &EFFECTS)));
    }
    Ok(())
}

/// Notes what is wrong with a `config`; one of `cluster` or a group is shared by many hosts.
pub(super) fn config(node: &YamlNode, is_shared: bool, reader: &mut Reader<'_>) {
    let (dialect, mistakes) = (reader.dialect, &mut reader.mistakes);
    for YamlEntry { key, at, value } in node.entries() {
        let spelled = (dialect.spelling)(key);
        if let Some(instead) = dialect.instead(&spelled, is_shared) {
            let message = format!("`{spelled}` does not belong into `config`");
            mistakes.help(*at, message, instead);
        } else if *key != spelled {
            let message = format!("`{key}` is no flag of {}", dialect.name);
            mistakes.help(*at, message, format!("write {spelled}"));
        } else if key == dialect.data_dir_key {
            let text = value.text().unwrap_or_default();
            if let Err(why) = text.parse::<DataDir>() {
                let name = dialect.name;
                let message = format!("`{text}` cannot be the folder of {name}'s data");
                mistakes.help(value.span, message, why);
            }
        }
        ambiguous(reader.sources, value, mistakes);
    }
}

/// Notes values that YAML reads differently than they are written: `0644`, `1.10`, `yes`.
fn ambiguous(sources: &Sources, node: &YamlNode, mistakes: &mut Mistakes) {
    let written = sources.written(node.span);
    match &node.tree {
        YamlValue::Whole(number) if written != number.to_string() => {
            quote(node, written, &number.to_string(), mistakes);
        }
        YamlValue::Fraction(number) if written != number.to_string() => {
            quote(node, written, &number.to_string(), mistakes);
        }
        YamlValue::Text(text)
            if written == text
                && ["yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str()) =>
        {
            let flag = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on");
            let message =
                format!("`{text}` is neither text nor true or false for every reader of YAML");
            mistakes.help(
                node.span,
                message,
                format!("write {flag}, or \"{text}\" in quotes"),
            );
        }
        YamlValue::List(items) => {
            for item in items {
                ambiguous(sources, item, mistakes);
            }
        }
        YamlValue::Map(entries) => {
            for entry in entries {
                ambiguous(sources, &entry.value, mistakes);
            }
        }
        _ => {}
    }
}

fn quote(node: &YamlNode, written: &str, read: &str, mistakes: &mut Mistakes) {
    // A tag or an anchor before the number says that its author knows YAML.
    if written.is_empty() || written.starts_with(['!', '&', '*', '"', '\'']) {
        return;
    }
    let message = format!("`{written}` would be read as the number {read}");
    mistakes.help(node.span, message, format!("write \"{written}\" in quotes"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys() {
        for key in [
            "disk",
            "example.org/disk",
            "node.kubernetes.io/x",
            "kubernetes.io/os",
            "a_B.c",
        ] {
            assert_eq!(label_key(key), Ok(()), "{key}");
        }
        for key in [
            "",
            "/a",
            "a/",
            "a/b/c",
            "-a",
            "A.org/x",
            "node-role.kubernetes.io/worker",
            "k8s.io/x",
        ] {
            assert!(label_key(key).is_err(), "{key}");
        }
    }

    #[test]
    fn taints() {
        for text in [
            "gpu=yes:NoSchedule",
            "gpu:NoExecute",
            "example.org/gpu=:PreferNoSchedule",
        ] {
            assert_eq!(taint(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "gpu",
            "gpu=yes",
            ":NoSchedule",
            "gpu=a b:NoSchedule",
            "gpu:Noschedule",
        ] {
            assert!(taint(text).is_err(), "{text}");
        }
    }
}
