//! What is known where too few of etcd's members were reached for a quorum: who is needed, and which of
//! them may still come up.

use std::fmt::Write as _;

use crate::problem::{Code, Problem};
use crate::shell::{Reply, quote};

/// Members that this one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// How many of which servers are needed, in a sentence.
    pub needed: String,
    /// What is left to do, each in a sentence.
    pub left: Vec<String>,
    /// Servers that were not reached: the name, and where its etcd serves other members.
    pub awaited: Vec<(String, String)>,
}

impl Quorum {
    /// Shell text that says which of the awaited machines are there, where the unit is not: one whose
    /// etcd has not begun refuses the connection, and one without power says nothing.
    pub(super) fn probe(&self, unit: &str, kubectl: &str) -> String {
        let mut text = format!(
            "is_there() {{ case $({kubectl} --kubeconfig=/dev/null --server=\"$2\" --insecure-skip-tls-verify \
             --token=none --request-timeout=4s get --raw / 2>&1 >/dev/null) in\n\
             *refused*|*' tls: '*) printf 'there=%s\\n' \"$1\" ;; esac; }}\n"
        );
        let _ = writeln!(
            text,
            "if [ \"$(systemctl is-active {})\" != active ]; then",
            quote(unit)
        );
        for (name, url) in &self.awaited {
            let _ = writeln!(text, "is_there {} {} &", quote(name), quote(url));
        }
        text.push_str("wait\nfi\n");
        text
    }

    /// The awaited servers whose machines are there.
    pub(super) fn coming(&self, seen: &Reply) -> Vec<&str> {
        let names = self.awaited.iter().map(|(name, _)| &**name);
        names
            .filter(|name| seen.values("there").any(|there| there == *name))
            .collect()
    }

    /// Why a wait ends that no server can end.
    pub(super) fn problem(&self) -> Problem {
        let left = self.left.iter();
        left.fold(
            Problem::new(Code::NO_QUORUM, &*self.needed),
            |problem, left| problem.next(&**left),
        )
    }
}
