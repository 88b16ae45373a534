//! k0sctl's file: an inventory of k0s that changes as little as it can where k0sctl has been.

use std::path::Path;

use serde_json::{Value, json};

use super::making::{HostDraft, Making, because_of};
use super::placed::{Located, SettingKey};
use super::reading::Reading;
use super::{ConvertError, Converted, Judge, Source};
use crate::inventory::{self, Role, YamlNode};
use crate::problem::{Code, problem};

mod bastion;
mod config;
mod install_flags;

/// Makes an inventory of it.
///
/// # Errors
/// It is broken, no file of k0sctl, or has no controller that can be carried over.
pub fn convert(source: &Source, judge: Judge<'_>) -> Result<Converted, ConvertError> {
    let documents = inventory::documents(&source.text, Path::new(&*source.name))?;
    let is = |node: &YamlNode, start: &str| {
        let version = node.get("apiVersion").and_then(YamlNode::text);
        version.is_some_and(|version| version.starts_with(start))
    };
    let cluster = documents
        .iter()
        .find(|node| is(node, "k0sctl.k0sproject.io/"));
    let Some(cluster) = cluster else {
        return Err(
            problem!(Code::SOURCE_INVALID, "{} is not a k0sctl file", source.name)
                .because("no document of it has an apiVersion of k0sctl.k0sproject.io")
                .into(),
        );
    };
    let mut work = K0sctlConversion {
        reading: Reading::new(source),
        making: Making::default(),
    };
    for known in ["apiVersion", "kind"] {
        work.reading.take(cluster, known);
    }
    let at = source.at(cluster.span.line);
    let distribution = Located::new(json!("k0s"), &at);
    work.making.cluster.insert("distribution", distribution);
    if let Some(name) =
        Reading::below(cluster, &["metadata"]).and_then(|node| work.text(node, "name"))
    {
        work.making.cluster.insert("name", name.into_value());
    }
    let hosts = Reading::below(cluster, &["spec", "hosts"])
        .map(YamlNode::items)
        .unwrap_or_default();
    for (number, item) in (1..).zip(hosts) {
        work.host(source, number, item);
    }
    if let Some(k0s) = Reading::below(cluster, &["spec", "k0s"]) {
        work.distribution(k0s);
    }
    if let Some(config) = Reading::below(cluster, &["spec", "k0s", "config"]) {
        work.config(config);
    }
    for config in documents
        .iter()
        .filter(|node| is(node, "k0s.k0sproject.io/"))
    {
        work.config(config);
    }
    work.balancer(&at);
    if work.making.servers().next().is_none() {
        let problem = problem!(
            Code::SOURCE_WITHOUT_SERVER,
            "no host of {} can be a server",
            source.name
        );
        return Err(because_of(problem, work.making.left_out).into());
    }
    for document in &documents {
        let why = |path: &str| why(path).to_owned();
        if std::ptr::eq(document, cluster) || is(document, "k0s.k0sproject.io/") {
            work.reading.rest(document, "", &why, &mut work.making);
        } else {
            let kind = document
                .get("kind")
                .and_then(YamlNode::text)
                .unwrap_or("something");
            let what = format!("a document of kind {kind}: apply it to the cluster yourself");
            work.making.leave(&source.at(document.span.line), what);
        }
    }
    work.making
        .finish(&source.name, "from-k0sctl", false, judge)
}

/// Why a part has no counterpart.
fn why(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    match last {
        "keyPath" if path.ends_with("bastion.keyPath") => {
            "is the key of a bastion: towline logs in there with the key of the host, or with the one that ~/.ssh/config has for it"
        }
        "hooks" => "are hooks, which towline does not run",
        "files" => "are files to upload, which towline does not copy",
        "environment" => {
            "is the environment of k0s, which towline does not write; where k0sctl has been, it stays in a drop-in of the unit"
        }
        "hostKey" => {
            "is for k0sctl: towline learns host keys with  --accept-new-host-keys, has them in `known_hosts`, or in `ssh: {host_key: …}` of the host"
        }
        "k0sInstallPath" => "is another folder for k0s, which towline has at /usr/local/bin/k0s",
        "uploadBinary" | "k0sBinaryPath" | "k0sDownloadURL" | "useExistingK0s" => {
            "is where k0sctl has k0s from; towline knows `binary` under `cluster`"
        }
        _ if path.starts_with("spec.options") || path.starts_with("spec.hosts") => "is for k0sctl",
        _ => "has no counterpart here",
    }
}

struct K0sctlConversion<'a> {
    reading: Reading<'a>,
    making: Making,
}

impl K0sctlConversion<'_> {
    /// A text, its references to the environment in towline's form.
    fn text(&mut self, map: &YamlNode, key: &str) -> Option<Located<String>> {
        let said = self.reading.text(map, key)?;
        match environment(&said.value) {
            Ok(value) => Some(Located { value, ..said }),
            Err(why) => {
                self.making.leave(&said.at, format!("`{key}` {why}"));
                None
            }
        }
    }

    fn host(&mut self, source: &Source, number: usize, item: &YamlNode) {
        let at = source.at(item.span.line);
        let Some(role) = self.reading.text(item, "role") else {
            return;
        };
        let leave = |work: &mut Self, why: &str| {
            for entry in item.entries() {
                work.reading.take(item, &entry.key);
            }
            let what = format!("host {number} is left out with all that it says: {why}");
            work.making.leave(&at, what);
        };
        let (kind, word) = match &*role.value {
            "controller" => (Role::Server, "controller"),
            "controller+worker" if self.is_true(item, "noTaints") => (Role::Server, "server"),
            "controller+worker" => (Role::Server, "controller+worker"),
            "single" => (Role::Server, "single"),
            "worker" => (Role::Agent, "worker"),
            other => return leave(self, &format!("its role is {other}")),
        };
        self.reading.take(item, "noTaints");
        let is_local = |node: &YamlNode| self.is_true(node, "enabled");
        let why = if self.is_true(item, "reset") {
            Some("k0sctl would remove it from the cluster (`reset: true`)")
        } else if item.get("localhost").is_some_and(is_local) {
            Some("it is the machine that k0sctl runs on; towline reaches hosts by SSH")
        } else if item.get("winRM").or_else(|| item.get("winrm")).is_some() {
            Some("it is a Windows machine, and towline is for Linux")
        } else {
            None
        };
        if let Some(why) = why {
            return leave(self, why);
        }
        let Some(ssh) = item.get("ssh").or_else(|| item.get("openSSH")) else {
            return leave(self, "it has no `ssh`");
        };
        let Some(address) = self.text(ssh, "address") else {
            return leave(self, "it has no address");
        };
        let same = self.making.hosts.iter();
        let same = 1 + same.filter(|host| host.role == kind).count();
        let base = if kind == Role::Server {
            "controller"
        } else {
            "worker"
        };
        let hostname = self.text(item, "hostname");
        let name = hostname.as_ref().map(|name| name.value.clone());
        let name = name.unwrap_or_else(|| format!("{base}{same}"));
        let mut host = HostDraft::new(&name, at.clone(), kind);
        host.word = Some(word);
        for (theirs, ours) in [("user", "user"), ("port", "port"), ("keyPath", "key")] {
            if let Some(said) = self.text(ssh, theirs) {
                // What is so without a word needs none.
                if (ours, &*said.value) == ("port", "22") {
                    continue;
                }
                let value = match said.value.parse::<u16>() {
                    Ok(port) if ours == "port" => port.into(),
                    _ => Value::from(said.value),
                };
                host.settings
                    .insert(SettingKey::Ssh(ours), Located { value, at: said.at });
            }
        }
        if let Some(bastion) = self.bastion(ssh) {
            let key = SettingKey::Ssh("bastion");
            host.settings.insert(key, bastion);
        }
        if let Some(private) = self.text(item, "privateAddress")
            && private.value != address.value
        {
            host.private_address = Some(private);
        }
        host.interface = self.text(item, "privateInterface");
        host.address = Some(address);
        for (theirs, ours) in [
            ("dataDir", "data-dir"),
            ("kubeletRootDir", "kubelet-root-dir"),
        ] {
            if let Some(said) = self.text(item, theirs) {
                let key = SettingKey::Config(ours.to_owned());
                host.settings.insert(key, said.into_value());
            }
        }
        self.flags(item, &mut host);
        // k0s has the name for the node alone, and a `controller` has none.
        if host.word != Some("controller") {
            host.node_name = hostname.or(host.node_name);
        }
        self.making.hosts.push(host);
    }

    fn is_true(&self, map: &YamlNode, key: &str) -> bool {
        self.reading
            .text(map, key)
            .is_some_and(|said| said.value == "true")
    }

    /// The version, and what all controllers are told by their flags.
    fn distribution(&mut self, k0s: &YamlNode) {
        if let Some(mut said) = self.text(k0s, "version") {
            if said.value.starts_with(|first: char| first.is_ascii_digit()) {
                said.value.insert(0, 'v');
            }
            self.making.cluster.insert("version", said.into_value());
            self.reading.take(k0s, "versionChannel");
        } else if let Some(said) = self.text(k0s, "versionChannel") {
            self.making.cluster.insert("channel", said.into_value());
        }
        if let Some(said) = self.text(k0s, "dynamicConfig")
            && said.value == "true"
        {
            let said = Located::new(json!(true), &said.at);
            for host in self.making.servers() {
                let key = SettingKey::Config("enable-dynamic-config".to_owned());
                host.settings.insert(key, said.clone());
            }
        }
    }
}

/// Gives references to the environment towline's form, wherever they are in a value.
fn in_our_form(value: &mut Value) -> Result<(), String> {
    match value {
        Value::String(text) => *text = environment(text)?,
        Value::Array(items) => items.iter_mut().try_for_each(in_our_form)?,
        Value::Object(map) => map.values_mut().try_for_each(in_our_form)?,
        _ => {}
    }
    Ok(())
}

/// References to the environment as towline writes them: `${NAME}` and `${NAME:-default}`.
fn environment(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('$') {
        out.push_str(before);
        let braced = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        if let Some(after) = from.strip_prefix('$') {
            // Doubled, it stands for itself; here it only has to be where a brace follows.
            out.push_str(if after.starts_with('{') { "$$" } else { "$" });
            rest = after;
        } else if let Some((inside, after)) = braced {
            let name = inside.split_once(":-").map_or(inside, |(name, _)| name);
            if !inventory::is_variable(name) {
                return Err(
                    "has an environment expression that towline does not support".to_owned(),
                );
            }
            out.push_str(&format!("${{{inside}}}"));
            rest = after;
        } else {
            let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(&if inventory::is_variable(name) {
                format!("${{{name}}}")
            } else {
                format!("${name}")
            });
            rest = after;
        }
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use crate::convert::tests::{JUDGE, shown};
    use crate::convert::{Source, k0sctl};

    #[test]
    fn what_towline_writes_itself_is_left_out_with_its_line() {
        let text = "\
apiVersion: k0sctl.k0sproject.io/v1beta1
spec:
  hosts:
  - {role: controller, hostname: first, privateAddress: 10.1.0.1, ssh: {address: 192.0.2.1}, installFlags: [--enable-worker]}
  - {role: controller, hostname: second, dataDir: /srv/k0s, ssh: {address: 192.0.2.2}}
  - {role: worker, kubeletRootDir: /srv/kubelet, k0sInstallPath: /opt/k0s, ssh: {address: 192.0.2.3}}
  k0s:
    version: 1.36.3+k0s.2
    versionChannel: latest
    dynamicConfig: true
    config:
      metadata: {name: home}
      spec:
        api: {address: 10.1.0.1, port: 6443, k0sApiPort: 9444, sans: [k8s.example.org], extraArgs: {oidc-client-secret: hunter2hunter2, v: '2'}}
        storage: {type: etcd, etcd: {peerAddress: 10.1.0.1}}
        images: {default_pull_policy: Never}
        workerProfiles: [{name: small, values: {maxPods: 20}}]
";
        let shown = shown(k0sctl::convert(&Source::new("k.yaml", text), JUDGE));
        assert!(!shown.contains("hunter2"), "{shown}");
        insta::assert_snapshot!(shown, @r#"
        # Converted from k.yaml by  towline inventory from-k0sctl
        cluster:
          distribution: k0s
          version: v1.36.3+k0s.2
          tls_sans:
          - k8s.example.org
          config:
            enable-dynamic-config: true
            spec:
              api:
                extraArgs:
                  v: "2"
              storage:
                type: etcd
              images:
                default_pull_policy: Never
              workerProfiles:
              - name: small
                values:
                  maxPods: 20
              network:
                nodeLocalLoadBalancing:
                  enabled: false
          agent_config:
            kubelet-root-dir: /srv/kubelet
          allow_two_servers: true
        hosts:
          first:
            address: "192.0.2.1"
            private_address: "10.1.0.1"
            role: controller+worker
            node_name: first
          second:
            address: "192.0.2.2"
            role: controller
            config:
              data-dir: /srv/k0s
          worker1:
            address: "192.0.2.3"
            role: worker
        k.yaml:1: `network.nodeLocalLoadBalancing` is not said, so workers know one controller alone; towline would give them a balancer, and the inventory leaves it off: see docs/k0s.md
        k.yaml:5: with two servers, the cluster stops when either is lost; `allow_two_servers` says that this is meant
        k.yaml:6: `spec.hosts[2].k0sInstallPath` is another folder for k0s, which towline has at /usr/local/bin/k0s
        k.yaml:14: `api.address`: towline writes each host's own: `private_address` or `interface` of the host decide it
        k.yaml:14: `api.k0sApiPort`: towline lets controllers join at 9443
        k.yaml:14: `oidc-client-secret` holds a secret, and secrets are not converted: add it yourself if this inventory may hold it
        k.yaml:15: `storage.etcd.peerAddress`: towline writes each host's own: `private_address` or `interface` of the host decide it
        "#);
    }

    #[test]
    fn references_to_the_environment_have_towlines_form() {
        let text = "apiVersion: k0sctl.k0sproject.io/v1beta1\nmetadata: {name: \"${NAME:-home}\"}\nspec:\n  hosts:\n  - role: controller\n    ssh: {address: 10.0.0.1, user: $USER, keyPath: \"${KEY=x}\"}\n";
        insta::assert_snapshot!(shown(k0sctl::convert(
            &Source::new("k0sctl.yaml", text),
            JUDGE
        )));
    }
}
