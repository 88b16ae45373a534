//! Manifests in a folder of k3s's that k3s has applied.
//!
//! ```yaml
//! - name: manifests applied
//!   addons:
//!     service: {unit: k3s, diagnose: k3s, timeout: 300}
//!     resource: addons.k3s.cattle.io
//!     folder: /var/lib/rancher/k3s/server/manifests
//!     files: site/cni.yaml site/pools.yaml
//!     timeout: 300
//! ```
//!
//! k3s keeps an `AddOn` for each file, by the file's name up to the first period, and in it the hash of what it
//! has applied last; what it could not apply is told by events of the `AddOn`, and tried again every 15 s
//! (k3s 1.36, pkg/deploy/controller.go). A file that is switched off by another of its name with `.skip`
//! behind it, anywhere in the folder, is not waited for.
//!
//! Every server does so with its own files, and at its start with all of them: one that comes back with what was
//! a manifest before puts that into the cluster. The others do not look again at a file that has not been
//! written since, so it is touched.

use std::time::Duration;

use super::{Action, Change, Changes, Pending, Remedy, Service, Verdict};
use crate::problem::AdviceKind::{CommandOnHost, Words};
use crate::problem::{Advice, Code, Problem, problem};
use crate::shell::{PACKED, Reply, Script, acting, decode, quote};

/// Manifests that k3s has applied.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addons {
    /// The unit that applies them. It can be READY before it dies of what its kubelet is told.
    pub service: Service,
    /// What the objects are called by which the cluster tells of its manifests.
    pub resource: String,
    /// The folder that k3s looks through.
    pub folder: String,
    /// The files below it, with spaces between them.
    pub files: String,
    /// How long to wait for all of them at most.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
}

/// So much of what k3s says of a manifest is shown.
const SAID: usize = 1000;

/// k3s has looked at a file that was written so many seconds ago, also where it was busy.
const LOOKED_AT: i64 = 60;

/// What k3s and the API say of something that may come by another manifest or by a pod that starts; in
/// lower case.
const PASSING: [&str; 14] = [
    "no matches for kind",
    "could not find the requested resource",
    "not found",
    "failed calling webhook",
    "connection refused",
    "deadline exceeded",
    "timeout",
    "timed out",
    "no endpoints available",
    "try again",
    "too many requests",
    "etcdserver",
    "unable to fully sync",
    "the object has been modified",
];

impl Addons {
    pub(super) fn probe(&self) -> Script {
        let (kubectl, files) = (self.service.kubectl, &self.files);
        let resource = quote(&self.resource);
        let files: Vec<_> = files.split_whitespace().map(quote).collect();
        Script::new(format!(
            "kubectl() {{ {kubectl} --request-timeout=10s --namespace kube-system \"$@\"; }}\n\
             addons=$(kubectl get {resource} -o 'jsonpath={{range .items[*]}}{{.metadata.name}}={{.spec.checksum}}{{\"\\n\"}}{{end}}') || {{\n\
             [ \"$(systemctl is-active {unit})\" = active ] || {{\n{question}}}\nexit 0\n}}\n\
             cd {folder} || exit 0\n\
             for file in {files}; do\n\
             base=${{file##*/}}; name=${{base%%.*}}\n\
             [ -z \"$(find . -name \"$base.skip\" -print -quit)\" ] || continue\n\
             printf '%s\\n' \"$addons\" | grep -Fqx \"$name=$(sha256sum <\"$file\" | cut -d ' ' -f 1)\" && continue\n\
             echo \"awaited=$file\"\n\
             event=$(kubectl get events --field-selector \"involvedObject.kind=Addon,involvedObject.name=$name,type=Warning\" --sort-by=.lastTimestamp -o name | tail -n 1)\n\
             [ -z \"$event\" ] || event=$(kubectl get \"$event\" -o 'jsonpath={{.lastTimestamp}} {{.reason}}: {{.message}}')\n\
             [ -n \"$event\" ] && [ \"$(date -d \"${{event%% *}}\" +%s)\" -ge \"$(stat -c %Y \"$file\")\" ] || event='. '\n\
             printf 'said={PACKED}%s\\n' \"$(printf '%s' \"${{event#* }}\" | head -c {SAID} | base64 | tr -d '\\n')\"\n\
             echo \"age=$(($(date +%s) - $(stat -c %Y \"$file\")))\"\n\
             done\necho complete=yes\n",
            unit = quote(&self.service.unit),
            question = self.service.question(),
            folder = quote(&self.folder),
            files = files.join(" "),
        ))
        .within(Duration::from_mins(1))
    }

    pub(super) fn judge(&self, seen: &Reply, upstream: &Changes) -> Result<Verdict, Problem> {
        let folder = format!("{}/", self.folder);
        let changes = |file: &str| upstream.has(&format!("{folder}{file}"));
        if upstream.restarts() || self.files.split_whitespace().any(changes) {
            return Ok(Verdict::Undecidable(
                "whether the API takes the manifests shows when they are applied".to_owned(),
            ));
        }
        if seen.value("ActiveState").is_some() {
            return Ok(self.service.pending(seen));
        }
        if seen.value("complete").is_none() {
            return Ok(self.waiting(
                "the API to tell of its manifests".to_owned(),
                seen.stderr.lines().last().map(str::to_owned),
                None,
            ));
        }
        let mut awaited = seen.values("awaited").zip(seen.values("said"));
        let text = |said: &str| {
            let said = decode(said).unwrap_or_default();
            let said = String::from_utf8_lossy(&said[..said.len().min(SAID)]).into_owned();
            Some(said).filter(|said| !said.is_empty())
        };
        // One that is refused says more than one that waits for it.
        let all: Vec<_> = awaited
            .by_ref()
            .map(|(file, said)| (file, text(said)))
            .collect();
        let refused = all
            .iter()
            .find(|(_, said)| said.as_deref().is_some_and(is_final));
        let Some((file, said)) = refused.or_else(|| all.first()) else {
            return Ok(Verdict::Converged);
        };
        let silent = all.iter().zip(seen.values("age"));
        let overwritten: Vec<_> = silent
            .filter(|((_, said), age)| {
                said.is_none() && age.parse().is_ok_and(|age: i64| age >= LOOKED_AT)
            })
            .map(|((file, _), _)| *file)
            .collect();
        if refused.is_none() && !overwritten.is_empty() {
            return Ok(self.apply_again(&overwritten));
        }
        let name = file_name(file);
        let cause = refused.map(|(_, said)| {
            problem!(
                Code::MANIFEST_REFUSED,
                "the cluster does not take the manifest {name}"
            )
            .because(said.as_deref().unwrap_or_default())
            .next("correct it, then run the same command again")
        });
        Ok(self.waiting(
            format!("the manifest {name} to be applied"),
            said.clone(),
            cause,
        ))
    }

    fn apply_again(&self, files: &[&str]) -> Verdict {
        let change = |file: &&str| {
            Change::new(format!(
                "apply the manifest {} again: the cluster has another one by this name",
                file_name(file)
            ))
        };
        let paths: Vec<_> = files
            .iter()
            .map(|file| quote(&format!("{}/{file}", self.folder)))
            .collect();
        let script = format!("touch -c {}\n", paths.join(" "));
        Verdict::Drifted(Remedy {
            changes: files.iter().map(change).collect(),
            actions: vec![Action::Run(acting(&script, Duration::from_mins(1)))],
            settle: self.timeout,
            restarts: false,
            follows: false,
        })
    }

    fn waiting(&self, until: String, said: Option<String>, cause: Option<Problem>) -> Verdict {
        Verdict::Pending(Pending {
            until,
            cause,
            said: said.into_iter().collect(),
            ended: None,
            next: vec![
                Advice::new(Words, "this shows what is said of each manifest"),
                Advice::new(
                    CommandOnHost,
                    "kubectl get events --namespace kube-system --field-selector involvedObject.kind=Addon",
                ),
            ],
            timeout: self.timeout,
        })
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether what k3s said of a manifest will not pass by itself.
fn is_final(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    !PASSING.iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shell::encode;
    use crate::task::Change;

    fn addons() -> Addons {
        Addons {
            service: serde_json::from_value(json!({"unit": "k3s", "timeout": 9})).expect("a unit"),
            resource: "addons.example.org".into(),
            folder: "/m".into(),
            files: "towline/001/a.yaml towline/002/b.yaml ".into(),
            timeout: Duration::from_secs(9),
        }
    }

    fn judged(answer: &str, upstream: &Changes) -> Verdict {
        let seen = Reply {
            status: 0,
            stdout: answer.into(),
            stderr: "the server is not there\n".into(),
        };
        addons().judge(&seen, upstream).expect("a verdict")
    }

    fn waits(answer: &str) -> Pending {
        match judged(answer, &Changes::default()) {
            Verdict::Pending(pending) => pending,
            other => panic!("{other:?}"),
        }
    }

    fn awaited(file: &str, said: &str) -> String {
        let said = encode(said.as_bytes()).replace('\n', "");
        format!("awaited=towline/{file}\nsaid={PACKED}{said}\n")
    }

    #[test]
    fn what_is_refused_ends_the_wait_and_what_may_pass_does_not() {
        assert_eq!(
            judged("complete=yes\n", &Changes::default()),
            Verdict::Converged
        );
        let silent = waits(&(awaited("001/a.yaml", "") + "complete=yes\n"));
        assert_eq!(
            (silent.cause, silent.said.len(), &*silent.until),
            (None, 0, "the manifest a.yaml to be applied")
        );
        let missing = awaited(
            "001/a.yaml",
            "ApplyManifestFailed: no matches for kind \"Pool\"",
        );
        let passing = waits(&(missing.clone() + "complete=yes\n"));
        assert_eq!((passing.cause, passing.said.len()), (None, 1));
        let refused =
            "ApplyManifestFailed: Deployment \"b\" is invalid: spec.selector: Required value";
        let refused = waits(&(missing + &awaited("002/b.yaml", refused) + "complete=yes\n"));
        let cause = refused.cause.expect("a cause");
        assert_eq!(cause.what, "the cluster does not take the manifest b.yaml");
        assert!(cause.why[0].contains("Required value"), "{cause:?}");
        let gone = waits("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\n");
        assert_eq!(gone.until, "k3s to be READY");
        let silent = waits("");
        assert_eq!(silent.said, ["the server is not there"]);
    }

    #[test]
    fn what_another_server_has_put_there_since_is_applied_again() {
        let old = |said: &str, age: u32| {
            let answer = awaited("002/b.yaml", said) + &format!("age={age}\ncomplete=yes\n");
            judged(&answer, &Changes::default())
        };
        let Verdict::Drifted(remedy) = old("", 60) else {
            panic!("it is waited for in vain");
        };
        assert_eq!(
            remedy.changes[0].what,
            "apply the manifest b.yaml again: the cluster has another one by this name"
        );
        let Action::Run(script) = &remedy.actions[0] else {
            panic!("{remedy:?}");
        };
        assert!(
            script.text.contains("touch -c /m/towline/002/b.yaml"),
            "{script:?}"
        );
        for verdict in [old("", 59), old("x: no matches for kind", 600)] {
            assert!(matches!(verdict, Verdict::Pending(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_plan_does_not_say_what_the_api_will() {
        let mut upstream = Changes::default();
        upstream.record(&[Change::of("/m/towline/002/b.yaml", "create it")]);
        assert!(matches!(
            judged("complete=yes\n", &upstream),
            Verdict::Undecidable(_)
        ));
    }
}
