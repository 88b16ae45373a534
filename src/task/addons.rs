//! Manifests in a folder of the distribution's that it has applied to the cluster.
//!
//! ```yaml
//! - name: manifests applied
//!   addons:
//!     service: {unit: k3s, diagnose: k3s, timeout: 300}
//!     ask: |
//!       {% include "k3s/addons.sh" %}
//!     folder: /var/lib/rancher/k3s/server/manifests
//!     files: site/cni.yaml site/pools.yaml
//!     look: kubectl get events --namespace kube-system
//!     timeout: 300
//! ```
//!
//! The script finds `$folder` and `$files`, and says by `awaited FILE WORDS` what is not applied, with what is said of
//! it, by `again FILE` what is to be touched, so that it is looked at again, and at the end `echo complete=yes`. It fails
//! where the API does not answer.

use std::time::Duration;

use super::{Action, Change, Changes, Pending, Remedy, Service, Verdict};
use crate::problem::AdviceKind::{CommandOnHost, Words};
use crate::problem::{Advice, Code, Problem, problem};
use crate::shell::{PACKED, Reply, Script, acting, decode, quote};

/// Manifests that the cluster has.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addons {
    /// The unit that applies them. It can be READY before it dies of what its kubelet is told.
    pub service: Service,
    /// The script that says which of them the cluster has not.
    pub ask: String,
    /// The folder that the distribution looks through.
    pub folder: String,
    /// The files below it, with spaces between them.
    pub files: String,
    /// A command that shows on the host what is said of them.
    pub look: String,
    /// How long to wait for all of them at most.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
}

/// So much of what is said of a manifest is shown.
const SAID: usize = 1000;

/// What the distribution and the API say of something that may come by another manifest or by a pod that starts; in
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
        Script::new(format!(
            "folder={folder}\nfiles={files}\n\
             awaited() {{ printf 'awaited=%s\\nsaid={PACKED}%s\\n' \"$1\" \"$(printf '%s' \"$2\" | head -c {SAID} | base64 | tr -d '\\n')\"; }}\n\
             again() {{ printf 'again=%s\\n' \"$1\"; }}\n\
             (\n{ask}\n) || [ \"$(systemctl is-active {unit})\" = active ] || {{\n{question}}}\n",
            folder = quote(&self.folder),
            files = quote(&self.files),
            ask = self.ask,
            unit = quote(&self.service.unit),
            question = self.service.question(),
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
        let again: Vec<_> = seen.values("again").collect();
        if refused.is_none() && !again.is_empty() {
            return Ok(self.apply_again(&again));
        }
        let name = shown(file);
        let cause = refused.map(|(_, said)| {
            problem!(Code::MANIFEST_REFUSED, "the cluster does not take {name}")
                .because(said.as_deref().unwrap_or_default())
                .next("correct it, then run the same command again")
        });
        Ok(self.waiting(format!("{name} to be applied"), said.clone(), cause))
    }

    fn apply_again(&self, files: &[&str]) -> Verdict {
        let change = |file: &&str| {
            Change::new(format!(
                "apply {} again: the cluster has something else",
                shown(file)
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
                Advice::new(Words, "this shows what is said of them"),
                Advice::new(CommandOnHost, self.look.clone()),
            ],
            timeout: self.timeout,
        })
    }
}

/// A file in words. Where it is not known which one is awaited, it is all of them.
fn shown(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((_, name)) => format!("the manifest {name}"),
        None => "the manifests".to_owned(),
    }
}

/// Whether what was said of a manifest will not pass by itself.
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
            ask: "echo complete=yes".into(),
            look: "kubectl get events".into(),
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
        let again = |said: &str| {
            let answer = awaited("002/b.yaml", said) + "again=towline/002/b.yaml\ncomplete=yes\n";
            judged(&answer, &Changes::default())
        };
        let Verdict::Drifted(remedy) = again("") else {
            panic!("it is only waited for");
        };
        assert_eq!(
            remedy.changes[0].what,
            "apply the manifest b.yaml again: the cluster has something else"
        );
        let Action::Run(script) = &remedy.actions[0] else {
            panic!("{remedy:?}");
        };
        assert!(
            script.text.contains("touch -c /m/towline/002/b.yaml"),
            "{script:?}"
        );
        let refused = again("x is invalid");
        assert!(matches!(refused, Verdict::Pending(_)), "{refused:?}");
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
