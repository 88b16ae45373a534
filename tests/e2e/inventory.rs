//! The lab's inventory, changed line by line, so that a test shows only what it is about.

use std::fmt;

use towline_lab::Lab;

/// An inventory as text.
#[derive(Clone, Debug)]
pub struct Inventory(Vec<String>);

impl Inventory {
    /// The one that the lab writes: every machine in its role, logged into as root.
    pub fn of(lab: &Lab) -> Self {
        Self(lab.inventory().lines().map(str::to_owned).collect())
    }

    /// Sets one key of `cluster`, as a line of YAML.
    pub fn cluster(mut self, key: &str, value: &str) -> Self {
        self = self.without_cluster(key);
        let at = self.line("cluster:") + 1;
        self.0.insert(at, format!("  {key}: {value}"));
        self
    }

    /// Leaves one key of `cluster` to its default.
    pub fn without_cluster(mut self, key: &str) -> Self {
        self.0
            .retain(|line| !line.starts_with(&format!("  {key}: ")) || line.contains("role:"));
        self
    }

    /// Sets one key of a host.
    pub fn host(mut self, name: &str, key: &str, value: &str) -> Self {
        let at = self.line(&format!("  {name}: {{"));
        let inside = self.0[at].strip_suffix('}').unwrap_or_default().to_owned();
        let others: Vec<&str> = inside
            .split_once('{')
            .map(|(_, pairs)| pairs.split(", ").collect())
            .unwrap_or_default();
        let mut pairs: Vec<String> = others
            .into_iter()
            .filter(|pair| !pair.starts_with(&format!("{key}: ")))
            .map(str::to_owned)
            .collect();
        pairs.push(format!("{key}: {value}"));
        self.0[at] = format!("  {name}: {{{}}}", pairs.join(", "));
        self
    }

    /// Keeps only these hosts.
    pub fn only(mut self, names: &[&str]) -> Self {
        let first = self.line("hosts:") + 1;
        let hosts = self.0.split_off(first);
        let named = |line: &String| {
            names
                .iter()
                .any(|name| line.starts_with(&format!("  {name}: ")))
        };
        self.0.extend(hosts.into_iter().filter(named));
        let is_server = |line: &&String| {
            ["role: server", "role: controller"]
                .iter()
                .any(|role| line.contains(role))
        };
        if self.0[first..].iter().filter(is_server).count() == 2 {
            return self.cluster("allow_two_servers", "true");
        }
        self
    }

    /// Logs in as another user, and by whatever else `ssh` says.
    pub fn ssh(mut self, key: &str, value: &str) -> Self {
        let at = self.line("ssh: {");
        let pairs = self.0[at]
            .trim_start_matches("ssh: {")
            .trim_end_matches('}');
        let mut pairs: Vec<String> = pairs
            .split(", ")
            .filter(|pair| !pair.starts_with(&format!("{key}: ")))
            .map(str::to_owned)
            .collect();
        pairs.push(format!("{key}: {value}"));
        self.0[at] = format!("ssh: {{{}}}", pairs.join(", "));
        self
    }

    /// Where the line that begins so stands.
    fn line(&self, begin: &str) -> usize {
        let found = self.0.iter().position(|line| line.starts_with(begin));
        found.unwrap_or_else(|| panic!("no line {begin:?} in\n{self}"))
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
