//! `--limit`: which hosts a command may change.

use std::collections::BTreeSet;

use wildmatch::WildMatch;

use super::words::{listed, similar};
use super::{Inventory, Role};
use crate::problem::{Code, Problem, problem};

impl Inventory {
    /// The names of the hosts that a pattern selects: those that may be changed. All hosts are
    /// still read, since what one of them gets may depend on the others.
    ///
    /// The pattern is a list with commas. A word is a host's name, a group's name, a role
    /// (`servers` or `agents`; a group of that name wins), `all`, or a glob over hosts' names
    /// with `*` and `?`. A word after `!` takes hosts away, whatever its place in the list; a
    /// list of only such words starts with all hosts.
    pub fn limit(&self, pattern: &str) -> Result<BTreeSet<String>, Problem> {
        let words: Vec<&str> = pattern
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        if words.is_empty() {
            return Err(
                Problem::new(Code::LIMIT_WITHOUT_HOST, "--limit: names no host")
                    .next(format!("the hosts are {}", self.listed())),
            );
        }
        let mut selected = BTreeSet::new();
        let mut excluded = BTreeSet::new();
        for word in &words {
            match word.strip_prefix('!') {
                Some(word) => excluded.extend(self.matching(word.trim())?),
                None => selected.extend(self.matching(word)?),
            }
        }
        if words.iter().all(|word| word.starts_with('!')) {
            selected.extend(self.names());
        }
        let chosen: BTreeSet<String> = selected
            .difference(&excluded)
            .map(|name| (*name).to_owned())
            .collect();
        if chosen.is_empty() {
            return Err(problem!(
                Code::LIMIT_WITHOUT_HOST,
                "--limit {pattern}: selects no host"
            )
            .next(format!("the hosts are {}", self.listed())));
        }
        Ok(chosen)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// The hosts that one word stands for; none is a problem.
    fn matching(&self, word: &str) -> Result<BTreeSet<&str>, Problem> {
        let select = |test: &dyn Fn(&super::Host) -> bool| -> BTreeSet<&str> {
            let hosts = self.hosts.iter().filter(|host| test(host));
            hosts.map(|host| host.name.as_str()).collect()
        };
        let by_name = select(&|host| host.name.eq_ignore_ascii_case(word));
        let by_group = select(&|host| host.groups.iter().any(|group| group == word));
        let found = if !by_name.is_empty() {
            by_name
        } else if !by_group.is_empty() {
            by_group
        } else if let Some(role) = role(word) {
            let found = select(&|host| host.role.value == role);
            if found.is_empty() {
                return Err(problem!(
                    Code::LIMIT_WITHOUT_HOST,
                    "--limit {word}: no host has the role `{role}`"
                ));
            }
            found
        } else if word == "all" {
            select(&|_| true)
        } else {
            let pattern = WildMatch::new_case_insensitive(word);
            select(&|host| pattern.matches(&host.name))
        };
        if !found.is_empty() {
            return Ok(found);
        }
        if word.contains(['*', '?']) {
            return Err(
                problem!(Code::LIMIT_WITHOUT_HOST, "--limit {word}: no host matches")
                    .next(format!("the hosts are {}", self.listed())),
            );
        }
        let groups = self
            .hosts
            .iter()
            .flat_map(|host| host.groups.iter().map(String::as_str));
        let known = self
            .names()
            .chain(groups)
            .chain(["servers", "agents", "all"]);
        let problem = problem!(
            Code::LIMIT_WITHOUT_HOST,
            "--limit {word}: no host, group or role has this name"
        );
        Err(match similar(word, known) {
            Some(meant) => problem.next(format!("did you mean `{meant}`?")),
            None => problem.next(format!("the hosts are {}", self.listed())),
        })
    }

    /// The first hosts' names, for a sentence.
    fn listed(&self) -> String {
        let names: Vec<&str> = self.names().take(8).collect();
        let more = self.hosts.len() - names.len();
        if more == 0 {
            listed(&names, "and")
        } else {
            format!("{} and {more} more", names.join(", "))
        }
    }
}

fn role(word: &str) -> Option<Role> {
    match word {
        "server" | "servers" => Some(Role::Server),
        "agent" | "agents" => Some(Role::Agent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Overrides, parse};

    fn inventory() -> Inventory {
        let source = "
cluster: {allow_two_servers: true}
groups:
  workers: {role: agent}
  gpu: {}
hosts:
  alpha: {role: server}
  beta: {role: server}
  worker[1:3]: {address: '10.0.1.[1:3]', group: workers}
  big: {groups: [workers, gpu]}
";
        parse(
            source,
            std::path::Path::new("rack.yaml"),
            None,
            &Overrides::default(),
        )
        .unwrap()
    }

    fn limit(pattern: &str) -> Result<String, String> {
        inventory()
            .limit(pattern)
            .map(|names| names.into_iter().collect::<Vec<_>>().join(" "))
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn patterns_that_select() {
        for (pattern, wanted) in [
            ("alpha", "alpha"),
            ("ALPHA", "alpha"),
            ("alpha, big", "alpha big"),
            ("servers", "alpha beta"),
            ("agent", "big worker1 worker2 worker3"),
            ("workers,!worker2", "big worker1 worker3"),
            ("!gpu,workers", "worker1 worker2 worker3"),
            ("!agents", "alpha beta"),
            ("worker*", "worker1 worker2 worker3"),
            ("worker?,*ta", "beta worker1 worker2 worker3"),
            ("all,!w*3", "alpha beta big worker1 worker2"),
            ("*", "alpha beta big worker1 worker2 worker3"),
        ] {
            assert_eq!(limit(pattern).as_deref(), Ok(wanted), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_do_not() {
        insta::assert_snapshot!(limit("alhpa").unwrap_err(), @r"
        --limit alhpa: no host, group or role has this name
          → did you mean `alpha`?
        ");
        insta::assert_snapshot!(limit("servers,!*").unwrap_err(), @r"
        --limit servers,!*: selects no host
          → the hosts are `alpha`, `beta`, `worker1`, `worker2`, `worker3` and `big`
        ");
        insta::assert_snapshot!(limit("x*").unwrap_err(), @r"
        --limit x*: no host matches
          → the hosts are `alpha`, `beta`, `worker1`, `worker2`, `worker3` and `big`
        ");
        insta::assert_snapshot!(limit("").unwrap_err(), @r"
        --limit: names no host
          → the hosts are `alpha`, `beta`, `worker1`, `worker2`, `worker3` and `big`
        ");
        insta::assert_snapshot!(limit("something").unwrap_err(), @r"
        --limit something: no host, group or role has this name
          → the hosts are `alpha`, `beta`, `worker1`, `worker2`, `worker3` and `big`
        ");
    }

    #[test]
    fn a_group_with_the_name_of_a_role_wins() {
        let source = "
groups: {agents: {role: agent}}
hosts: {a: {role: server}, b: {group: agents}, c: {role: agent}}
";
        let file = std::path::Path::new("x.yaml");
        let inventory = parse(source, file, None, &Overrides::default()).unwrap();
        let names = |pattern: &str| {
            inventory
                .limit(pattern)
                .unwrap()
                .into_iter()
                .collect::<String>()
        };
        assert_eq!(names("agents"), "b");
        assert_eq!(names("agent"), "bc");
    }
}
