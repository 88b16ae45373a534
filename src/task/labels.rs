//! Labels and taints of a node that runs. Only those that are named are looked at.
//!
//! ```yaml
//! - name: "{{ item.node }}"
//!   for_each: cluster.labels
//!   labels:
//!     node: "{{ item.node }}"
//!     uid: "{{ item.uid }}"
//!     labels: "{{ item.labels | json }}"
//!     taints: "{{ item.taints | json }}"
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Change, Changes, Verdict, remedy};
use crate::problem::{Code, Problem, problem};
use crate::shell::{CONFLICT, Reply, Script, acting, quote};

/// Labels and taints of a node, asked for on a server of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeLabels {
    /// The node's name.
    pub node: String,
    /// Its uid: a later node of its name is another one.
    pub uid: String,
    /// The command that asks the cluster's API.
    #[serde(skip)]
    pub kubectl: &'static str,
    /// Labels: a key, and its value, or null for a label that is not to be there.
    #[serde(default, deserialize_with = "packed")]
    pub labels: BTreeMap<String, Option<String>>,
    /// Taints: `key=value:Effect` or `key:Effect`, and null for one that is not to be there. A taint
    /// is told from others by its key and effect.
    #[serde(default, deserialize_with = "packed")]
    pub taints: BTreeMap<String, Option<String>>,
}

/// Reads a value, also as the JSON that a template makes of it.
fn packed<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let read = match &value {
        Value::String(text) => serde_json::from_str(text),
        _ => serde_json::from_value(value),
    };
    read.map_err(D::Error::custom)
}

impl NodeLabels {
    pub(super) fn probe(&self) -> Script {
        let Self { node, kubectl, .. } = self;
        Script::new(format!(
            "found=$({kubectl} --request-timeout=10s get node {} --ignore-not-found -o \
             'jsonpath={{.metadata.uid}}{{\"\\t\"}}{{.metadata.labels}}{{\"\\t\"}}{{.spec.taints}}') && \
             printf 'node=%s\\n' \"$found\"\n",
            quote(node)
        ))
        .within(Duration::from_secs(15))
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        let name = &self.node;
        let told = seen.value("node").unwrap_or("\t");
        // It is gone, and registers with what its host's files say if it comes back.
        if told.is_empty() {
            return Ok(Verdict::Converged);
        }
        let mut fields = told.split('\t');
        let uid = fields.next().unwrap_or_default();
        let mut json = || serde_json::from_str(fields.next().unwrap_or_default());
        let (labels, taints) = (json().unwrap_or_default(), json().unwrap_or_default());
        if uid.is_empty() {
            return Ok(Verdict::Undecidable(format!(
                "the API did not answer for node {name}"
            )));
        }
        if uid != self.uid {
            return Err(problem!(
                Code::CHANGED_MEANWHILE,
                "node {name} was made anew while towline was at work; it was left as it is"
            )
            .next("run the same command again: it looks at the node anew"));
        }
        let (mut changes, mut patch) = (Vec::new(), Patch::new(&self.uid));
        self.compare_labels(&labels, &mut changes, &mut patch);
        self.compare_taints(&taints, &mut changes, &mut patch);
        if changes.is_empty() {
            return Ok(Verdict::Converged);
        }
        let changes = changes.into_iter();
        let changes = changes.map(|what| Change::new(format!("node {name}: {what}")));
        Ok(remedy(changes.collect(), self.apply(patch)))
    }

    fn compare_labels(&self, now: &Value, changes: &mut Vec<String>, patch: &mut Patch) {
        for (key, new) in &self.labels {
            let path = format!("/metadata/labels/{}", key.replace('/', "~1"));
            let old = now[key].as_str();
            let what = match (old, new) {
                (old, new) if old == new.as_deref() => continue,
                (None, Some(new)) => format!("add label {key}={new}"),
                (Some(old), Some(new)) => format!("label {key}={old} becomes {key}={new}"),
                (Some(old), None) => format!("remove label {key}={old}"),
                (None, None) => continue,
            };
            patch.test(&path, &json!(old));
            patch.change(match new {
                Some(new) => json!({"op": "add", "path": path, "value": new}),
                None => json!({"op": "remove", "path": path}),
            });
            changes.push(what);
        }
    }

    fn compare_taints(&self, now: &Value, changes: &mut Vec<String>, patch: &mut Patch) {
        let none = Vec::new();
        let now = now.as_array().unwrap_or(&none);
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for (identity, new) in &self.taints {
            let (key, effect) = identity.rsplit_once(':').unwrap_or((identity, ""));
            let is_it = |taint: &&Value| taint["key"] == *key && taint["effect"] == *effect;
            let index = now.iter().position(|taint| is_it(&taint));
            let old = index.map(|index| now[index]["value"].as_str().unwrap_or_default());
            let shown = |value: &str| match value {
                "" => identity.clone(),
                value => format!("{key}={value}:{effect}"),
            };
            let what = match (old, new.as_deref()) {
                (old, new) if old == new => continue,
                (None, Some(new)) => {
                    added.push(json!({"key": key, "value": new, "effect": effect}));
                    format!("add taint {}", shown(new))
                }
                (Some(old), Some(new)) => format!("taint {} becomes {}", shown(old), shown(new)),
                (Some(old), None) => format!("remove taint {}", shown(old)),
                (None, None) => continue,
            };
            if let Some(index) = index {
                let path = format!("/spec/taints/{index}");
                patch.test(&path, &now[index]);
                match new {
                    Some(new) => patch.change(
                        json!({"op": "add", "path": format!("{path}/value"), "value": new}),
                    ),
                    None => removed.push(index),
                }
            }
            changes.push(what);
        }
        // From the end, so that none moves another's place.
        removed.sort_unstable_by(|one, other| other.cmp(one));
        for index in removed {
            patch.change(json!({"op": "remove", "path": format!("/spec/taints/{index}")}));
        }
        // The API refuses a second taint of the same key and effect.
        if now.is_empty() && !added.is_empty() {
            patch.test("/spec/taints", &Value::Null);
            patch.change(json!({"op": "add", "path": "/spec/taints", "value": added}));
        } else {
            for taint in added {
                patch.change(json!({"op": "add", "path": "/spec/taints/-", "value": taint}));
            }
        }
    }

    /// What was seen is tested by the API in the moment of the change.
    fn apply(&self, patch: Patch) -> Script {
        let Self { node, kubectl, .. } = self;
        let script = format!(
            "said=$({kubectl} --request-timeout=20s patch node {name} --type json --patch {patch} 2>&1) && exit 0\n\
             printf '%s\\n' \"$said\" >&2\n\
             case $said in *'request is invalid'* | *NotFound*) echo {words} >&2; exit {CONFLICT} ;; esac\n\
             exit 1\n",
            name = quote(node),
            patch = quote(&patch.text()),
            words = quote(&format!("node {node}")),
        );
        acting(&script, Duration::from_mins(1))
    }
}

/// A JSON patch (RFC 6902) that begins with all its tests.
struct Patch {
    tests: Vec<Value>,
    changes: Vec<Value>,
}

impl Patch {
    fn new(uid: &str) -> Self {
        let mut patch = Self {
            tests: Vec::new(),
            changes: Vec::new(),
        };
        patch.test("/metadata/uid", &json!(uid));
        patch
    }

    /// Null is what is not there (`json-patch` of the API server, version 4).
    fn test(&mut self, path: &str, value: &Value) {
        let test = json!({"op": "test", "path": path, "value": value});
        self.tests.push(test);
    }

    fn change(&mut self, change: Value) {
        self.changes.push(change);
    }

    fn text(self) -> String {
        Value::Array([self.tests, self.changes].concat()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Action;

    const NOW: &str = "node=5cc9\t{\"disk\":\"hdd\",\"example.org/zone\":\"paris\",\"owner\":\"me\"}\t\
        [{\"effect\":\"NoSchedule\",\"key\":\"gpu\",\"value\":\"yes\"},{\"effect\":\"NoExecute\",\"key\":\"gpu\",\"timeAdded\":\"t\"},\
        {\"effect\":\"NoSchedule\",\"key\":\"old\"}]\n";

    fn judged(labels: &Value, taints: &Value, stdout: &str) -> Result<Verdict, Problem> {
        let task =
            json!({"node": "w1", "uid": "5cc9", "labels": labels.to_string(), "taints": taints});
        let mut task: NodeLabels = serde_json::from_value(task).expect("a task");
        task.kubectl = "kubectl";
        let seen = Reply {
            status: 0,
            stdout: stdout.into(),
            stderr: String::new(),
        };
        task.judge(&seen, &Changes::default())
    }

    #[test]
    fn what_differs_is_said_and_changed_only_as_it_was_seen() {
        let labels = json!({"disk": "ssd", "example.org/zone": null, "rack": "r1", "away": null});
        let taints = json!({"gpu:NoSchedule": "no", "old:NoSchedule": null, "new:NoExecute": "", "gpu:PreferNoSchedule": null});
        let Ok(Verdict::Drifted(remedy)) = judged(&labels, &taints, NOW) else {
            panic!("it differs");
        };
        let said: Vec<_> = remedy.changes.iter().map(|change| &*change.what).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        node w1: label disk=hdd becomes disk=ssd
        node w1: remove label example.org/zone=paris
        node w1: add label rack=r1
        node w1: taint gpu=yes:NoSchedule becomes gpu=no:NoSchedule
        node w1: add taint new:NoExecute
        node w1: remove taint old:NoSchedule
        ");
        let [Action::Run(script)] = &remedy.actions[..] else {
            panic!("one script");
        };
        let patch = script.text.split('\'').find(|word| word.starts_with('['));
        let patch: Vec<Value> = serde_json::from_str(patch.expect("a patch")).expect("JSON");
        let lines: Vec<_> = patch.iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"op":"test","path":"/metadata/uid","value":"5cc9"}
        {"op":"test","path":"/metadata/labels/disk","value":"hdd"}
        {"op":"test","path":"/metadata/labels/example.org~1zone","value":"paris"}
        {"op":"test","path":"/metadata/labels/rack","value":null}
        {"op":"test","path":"/spec/taints/0","value":{"effect":"NoSchedule","key":"gpu","value":"yes"}}
        {"op":"test","path":"/spec/taints/2","value":{"effect":"NoSchedule","key":"old"}}
        {"op":"add","path":"/metadata/labels/disk","value":"ssd"}
        {"op":"remove","path":"/metadata/labels/example.org~1zone"}
        {"op":"add","path":"/metadata/labels/rack","value":"r1"}
        {"op":"add","path":"/spec/taints/0/value","value":"no"}
        {"op":"remove","path":"/spec/taints/2"}
        {"op":"add","path":"/spec/taints/-","value":{"key":"new","value":"","effect":"NoExecute"}}
        "#);
    }

    #[test]
    fn a_node_that_is_as_it_should_be_or_gone_is_left_and_one_made_anew_is_another() {
        let labels = || json!({"disk": "hdd", "away": null});
        let taints = || json!({"gpu:NoSchedule": "yes", "old:NoSchedule": ""});
        for seen in [NOW, "node=\n"] {
            assert_eq!(judged(&labels(), &taints(), seen), Ok(Verdict::Converged));
        }
        assert!(matches!(
            judged(&labels(), &taints(), ""),
            Ok(Verdict::Undecidable(_))
        ));
        let anew = judged(&labels(), &taints(), &NOW.replace("5cc9", "5cca")).expect_err("another");
        insta::assert_snapshot!(anew.what, @"node w1 was made anew while towline was at work; it was left as it is");
    }

    #[test]
    fn a_first_taint_comes_in_a_list_that_is_not_there_yet() {
        let Ok(Verdict::Drifted(remedy)) = judged(
            &json!({}),
            &json!({"gpu:NoSchedule": "yes"}),
            "node=5cc9\t{}\t\n",
        ) else {
            panic!("it differs");
        };
        let script = format!("{:?}", remedy.changes);
        assert!(script.contains("add taint gpu=yes:NoSchedule"), "{script}");
    }
}
