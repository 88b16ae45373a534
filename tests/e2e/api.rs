//! The cluster's API from outside: TLS checked, with the certificate that the kubeconfig holds, at
//! whichever server a test asks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::place::wait_for;

/// How long one request may take, in seconds: more than any answer on a busy machine.
const PATIENCE_OF_A_REQUEST: u32 = 20;

/// How long a kubelet or an API that was well a moment ago may keep silent on a busy machine.
const LATENESS: Duration = Duration::from_mins(1);

/// What a kubeconfig opens.
pub struct Api {
    /// The address in it.
    pub server: String,
    certificates: TempDir,
}

/// A node as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its condition `Ready`.
    pub ready: bool,
    /// Its condition `EtcdIsVoter`; none on a node without etcd.
    pub voter: Option<bool>,
    /// Its addresses, each after its kind: `InternalIP 10.0.0.1`.
    pub addresses: Vec<String>,
}

impl Api {
    /// Takes a kubeconfig apart.
    pub fn of(kubeconfig: &Path) -> Self {
        let text = fs::read_to_string(kubeconfig).unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        let (cluster, user) = (&value["clusters"][0]["cluster"], &value["users"][0]["user"]);
        let certificates = tempfile::tempdir().unwrap();
        for (name, packed) in [
            ("ca", &cluster["certificate-authority-data"]),
            ("certificate", &user["client-certificate-data"]),
            ("key", &user["client-key-data"]),
        ] {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(packed.as_str().unwrap())
                .unwrap();
            fs::write(certificates.path().join(name), bytes).unwrap();
        }
        Self {
            server: cluster["server"].as_str().unwrap().to_owned(),
            certificates,
        }
    }

    /// Asks the server at `address` for a path; an error says why there is no answer.
    pub fn ask(&self, address: &str, path: &str) -> Result<String, String> {
        self.ask_as(address, address, path)
    }

    /// Asks the server at `address` as if it had this name, which its certificate has to have.
    pub fn ask_as(&self, name: &str, address: &str, path: &str) -> Result<String, String> {
        self.ask_within(PATIENCE_OF_A_REQUEST, name, address, path)
    }

    /// The same, and waits so many seconds for the answer.
    pub fn ask_within(
        &self,
        seconds: u32,
        name: &str,
        address: &str,
        path: &str,
    ) -> Result<String, String> {
        let file = |name: &str| self.certificates.path().join(name);
        let host = if name.contains(':') {
            format!("[{name}]")
        } else {
            name.to_owned()
        };
        // An address of IPv6 is nothing to be resolved.
        let resolved = format!("{name}:6443:{address}");
        let resolve = ["--resolve", &resolved];
        let resolve = resolve.into_iter().filter(|_| host == name);
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail-with-body",
                "--max-time",
                &seconds.to_string(),
            ])
            .args(["--noproxy", "*"])
            .args(resolve)
            .arg("--cacert")
            .arg(file("ca"))
            .arg("--cert")
            .arg(file("certificate"))
            .arg("--key")
            .arg(file("key"))
            .arg(format!("https://{host}:6443{path}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(format!("{}{said}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The nodes, as the server at `address` lists them.
    pub fn nodes(&self, address: &str) -> Result<BTreeMap<String, Node>, String> {
        let list: Value = serde_json::from_str(&self.ask(address, "/api/v1/nodes")?)
            .map_err(|error| error.to_string())?;
        let node = |node: &Value| {
            let condition = |kind: &str| {
                let all = node["status"]["conditions"].as_array()?;
                let one = all.iter().find(|condition| condition["type"] == kind)?;
                Some(one["status"] == "True")
            };
            let name = node["metadata"]["name"].as_str().unwrap_or_default();
            let addresses = node["status"]["addresses"].as_array();
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let addresses = addresses.into_iter().flatten();
            let found = Node {
                ready: condition("Ready").unwrap_or(false),
                voter: condition("EtcdIsVoter"),
                addresses: addresses
                    .map(|one| format!("{} {}", word(&one["type"]), word(&one["address"])))
                    .collect(),
            };
            (name.to_owned(), found)
        };
        Ok(list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(node)
            .collect())
    }

    /// The nodes in words, as the server at `address` lists them; or why it does not.
    pub fn summary(&self, address: &str) -> String {
        self.nodes(address)
            .map_or_else(|error| error, |nodes| words(&nodes))
    }

    /// Asserts that the server at `address` lists these nodes. It may be late with its answer, and
    /// a kubelet with its word that it is well: a busy machine makes them so. Anything else is wrong
    /// at once, since what a run of towline ends with is not to come later.
    #[track_caller]
    pub fn expect_summary(&self, address: &str, wanted: &str) {
        let deadline = Instant::now() + LATENESS;
        let last = wait_for(wanted, || {
            let (seen, is_late) = match self.nodes(address) {
                Ok(nodes) => {
                    let seen = words(&nodes);
                    let is_late = seen != wanted && seen.replace(NOT_READY, "") == wanted;
                    (seen, is_late)
                }
                Err(error) => (error, true),
            };
            (!is_late || Instant::now() > deadline).then_some(seen)
        });
        assert_eq!(last, wanted, "through {address}");
    }
}

const NOT_READY: &str = " NotReady";

/// Nodes in words: `m1 voter, m2 agent, m3 learner NotReady`. A member that does not vote is a
/// learner here; a server without etcd is an agent, which only its roles would tell.
fn words(nodes: &BTreeMap<String, Node>) -> String {
    let words = nodes.iter().map(|(name, node)| {
        let part = match node.voter {
            Some(true) => "voter",
            Some(false) => "learner",
            None => "agent",
        };
        format!("{name} {part}{}", if node.ready { "" } else { NOT_READY })
    });
    words.collect::<Vec<_>>().join(", ")
}
