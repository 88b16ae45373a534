//! Files of Kubernetes that a distribution is told of: the map, or a file of this machine with it.

use serde::Serialize;
use serde_json::{Value, json};

use super::layers::FromNode;
use super::node::{YamlNode, YamlValue};
use super::reader::Reader;
use super::registries::in_file;

/// A document of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Document {
    /// What it says.
    pub content: Value,
    /// Its text, where a file has it.
    #[serde(skip)]
    pub text: Option<String>,
}

/// The configuration of a kubelet
/// (<https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KubeletConfig(pub Document);

/// What the API server writes into its audit log
/// (<https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPolicy(pub Document);

impl FromNode for KubeletConfig {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        let kind = ["kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"];
        document(reader, node, kind).map(Self)
    }
}

impl FromNode for AuditPolicy {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        document(reader, node, ["audit.k8s.io/v1", "Policy"]).map(Self)
    }
}

fn document(reader: &mut Reader<'_>, node: &YamlNode, kind: [&str; 2]) -> Option<Document> {
    if node.text().is_none() {
        let content = content(reader, node, kind, Form::Map)?;
        return Some(Document {
            content,
            text: None,
        });
    }
    in_file(reader, node, |inner, tree, text| {
        let content = content(inner, tree, kind, Form::File)?;
        Some(Document {
            content,
            text: Some(text.to_owned()),
        })
    })
}

/// Where a document stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the inventory, where it need not say what it is.
    Map,
    /// In a file of its own.
    File,
}

/// What a document says, if it is of this kind.
fn content(reader: &mut Reader<'_>, node: &YamlNode, kind: [&str; 2], form: Form) -> Option<Value> {
    if !matches!(node.tree, YamlValue::Map(_)) {
        let message = format!("this must be a {}, and is {}", kind[1], node.kind());
        reader.mistakes.add(node.span, message);
        return None;
    }
    let mut content = json!({"apiVersion": kind[0], "kind": kind[1]});
    for entry in node.entries() {
        content[&entry.key] = entry.value.json();
    }
    for (key, wanted) in ["apiVersion", "kind"].into_iter().zip(kind) {
        let help = || format!("write `{key}: {wanted}`");
        match node.entry(key) {
            None if form == Form::Map => {}
            None => {
                let message = format!("`{key}` is missing");
                reader.mistakes.help(node.span, message, help());
            }
            Some(said) if said.value.text() != Some(wanted) => {
                let message = format!("this `{key}` is not that of a {}", kind[1]);
                reader.mistakes.help(said.value.span, message, help());
            }
            Some(_) => {}
        }
    }
    Some(content)
}
