//! What is known to go wrong between two releases of k3s.

use crate::distribution::version::Version;
use crate::problem::{Code, Problem};

/// What is known of the way over a release.
struct Breaker {
    /// The first release behind it.
    since: &'static str,
    /// The user is told of it on the way from a release before that.
    told: &'static str,
}

/// k3s's release notes and issues, by the release that they begin with.
const TABLE: [Breaker; 5] = [
    Breaker {
        since: "v1.25.0",
        told: "PodSecurityPolicy is gone from v1.25 on: remove such objects, and `disable-pod-security` settings, first",
    },
    // k3s#12586.
    Breaker {
        since: "v1.32.0",
        told: "Traefik goes from v2 to v3 with v1.32: rules in the syntax of v2 fail, unless a HelmChartConfig sets core.defaultRuleSyntax to v2",
    },
    Breaker {
        since: "v1.32.2",
        told: "containerd goes from 1.7 to 2 with v1.32: a template of one's own for its configuration is named config-v3.toml.tmpl from then on",
    },
    Breaker {
        since: "v1.34.0",
        told: "etcd goes from 3.5 to 3.6 with v1.34: a server cannot go back to v1.33 once it has started",
    },
    // k3s#14283.
    Breaker {
        since: "v1.36.0",
        told: "Traefik's chart may be left in pending-upgrade on the way to v1.36: look at the jobs helm-install-* in kube-system afterwards",
    },
];

/// etcd 3.6 brings members back that etcd before 3.5.26 had removed (k3s#13271, #13485).
const LATE_ETCD: [(&str, &str); 2] = [("v1.32.0", "v1.32.11+k3s3"), ("v1.33.0", "v1.33.7+k3s3")];

/// Why it cannot be gone from one release to another, and what is to be looked at.
pub(super) fn between(from: &str, to: &str) -> (Vec<Problem>, Vec<String>) {
    let parse = |text: &str| text.parse::<Version>().ok();
    let (Some(before), Some(after)) = (parse(from), parse(to)) else {
        return (Vec::new(), Vec::new());
    };
    let crosses = |since: &str| {
        let since = parse(since);
        since.is_some_and(|since| before < since && since <= after)
    };
    let told = TABLE.iter().filter(|breaker| crosses(breaker.since));
    let told = told.map(|breaker| breaker.told.to_owned()).collect();
    let mut refused = Vec::new();
    let is_late = |(first, late): &(&str, &str)| {
        parse(first).is_some_and(|first| (first.major, first.minor) == (before.major, before.minor))
            && parse(late).is_some_and(|late| before >= late)
    };
    if crosses("v1.34.0") && !LATE_ETCD.iter().any(is_late) {
        let what = format!("{from} has an etcd from which {to} cannot be reached safely");
        refused.push(
            Problem::new(Code::UPGRADE_REFUSED, what)
                .because("etcd 3.6 brings back members that an etcd before 3.5.26 has removed")
                .next("upgrade to v1.33.7+k3s3 or later of v1.33 first"),
        );
    }
    (refused, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_releases_is_told_and_an_early_etcd_is_refused() {
        let told = |from, to| {
            let (refused, told) = between(from, to);
            let first = |text: &String| text.split(' ').next().map(str::to_owned);
            (
                refused.len(),
                told.iter().filter_map(first).collect::<Vec<_>>().join(" "),
            )
        };
        for (from, to, expected) in [
            ("v1.36.2+k3s1", "v1.36.3+k3s1", (0, "")),
            ("v1.35.8+k3s1", "v1.36.3+k3s1", (0, "Traefik's")),
            ("v1.33.7+k3s3", "v1.34.1+k3s1", (0, "etcd")),
            ("v1.33.6+k3s1", "v1.34.1+k3s1", (1, "etcd")),
            ("v1.31.9+k3s1", "v1.32.5+k3s1", (0, "Traefik containerd")),
            ("v1.32.5+k3s1", "v1.31.9+k3s1", (0, "")),
            ("mine", "v1.36.3+k3s1", (0, "")),
        ] {
            assert_eq!(
                told(from, to),
                (expected.0, expected.1.to_owned()),
                "{from} {to}"
            );
        }
    }
}
