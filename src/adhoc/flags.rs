//! What is wrong with the inventory that stands for a line, said of the flags that were typed.

use super::AdHocInventory;
use crate::inventory::{Mistake, login_around};
use crate::problem::{Code, Problem, problem};

impl AdHocInventory {
    /// The mistakes in `text`, each said of its flag.
    pub(super) fn in_flags(&self, text: &str, mistakes: &[Mistake]) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for mistake in mistakes {
            let path = path(text, mistake.line);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let flag = self
                .flag(&path)
                .map_or(String::new(), |flag| format!("{flag}: "));
            let problem = problem!(Code::FLAG_VALUE, "{flag}{}", mistake.message);
            let help = mistake.help.as_ref().map(|help| self.help(help, &path));
            let problem = help.into_iter().fold(problem, Problem::next);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }

    /// The flag that said what stands at a place of the inventory.
    fn flag(&self, path: &[&str]) -> Option<&'static str> {
        let joins = self.draft.cluster.contains_key("server_url");
        Some(match path {
            ["cluster", "name", ..] => "--context",
            ["cluster", "version", ..] => "--version",
            ["cluster", "channel", ..] => "--channel",
            ["cluster", "tls_sans", ..] => "--tls-san",
            ["cluster", "server_url", ..] => self.joined,
            ["cluster", "binary", ..] => "--mirror",
            ["cluster", "token", ..] if joins => "--node-token",
            ["cluster", "token", ..] => "--token",
            ["cluster", "token_file", ..] if joins => "--node-token-path",
            ["cluster", "token_file", ..] => "--token-file",
            ["ssh", "user", ..] => "--user",
            ["ssh", "port", ..] => "--ssh-port",
            ["ssh", "key", ..] => "--ssh-key",
            ["ssh", "known_hosts", ..] => "--known-hosts",
            ["hosts", name] | ["hosts", name, "address", ..] if *name == self.target => self.place,
            ["hosts", name, "role", ..] if *name == self.target => "--role",
            ["hosts", _] | ["hosts", _, "address" | "role", ..] => self.joined,
            ["hosts", _, "ssh", "user", ..] => "--server-user",
            ["hosts", _, "ssh", "port", ..] => "--server-ssh-port",
            ["cluster", "config", ..] | ["hosts", ..] => "--extra-args",
            _ => return None,
        })
    }

    /// What an inventory would say, as a flag: `ssh: {port: 22}` is `--ssh-port 22`.
    fn help(&self, help: &str, path: &[&str]) -> String {
        let (["hosts", name] | ["hosts", name, "address"]) = path else {
            return help.to_owned();
        };
        let typed = self.address(name).map(str::trim);
        let Some((host, key, value)) = typed.and_then(login_around) else {
            return help.to_owned();
        };
        let api = self.distribution.rules.product().api_port.to_string();
        let flag = match (key, *name == self.target) {
            ("port", _) if value == api => {
                return format!("write {host}: {api} is the port of the API, which is known");
            }
            ("user", true) => "--user",
            ("user", false) => "--server-user",
            (_, true) => "--ssh-port",
            (_, false) => "--server-ssh-port",
        };
        format!("write {host}, and  {flag} {value}")
    }
}

/// The keys that lead to a line of YAML in blocks, the outermost first.
fn path(text: &str, line: u64) -> Vec<String> {
    let count = usize::try_from(line).unwrap_or(usize::MAX);
    let lines: Vec<&str> = text.lines().take(count).collect();
    let mut keys = Vec::new();
    let mut inside = usize::MAX;
    for line in lines.into_iter().rev() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if content.starts_with("- ") {
            // The key of a list may stand as far to the left as its items.
            inside = inside.min(indent + 1);
        } else if let Some((key, _)) = content.split_once(':').filter(|_| indent < inside) {
            keys.push(key.trim_matches('"').to_owned());
            inside = indent;
        }
    }
    keys.reverse();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_yaml_has_its_keys() {
        let text = "a:\n  b: 1\n  c:\n  - x\n  - y\nd:\n  \"10.0.0.1\":\n    e: |\n      z\n";
        for (line, keys) in [
            (1, "a"),
            (2, "a b"),
            (5, "a c"),
            (7, "d 10.0.0.1"),
            (8, "d 10.0.0.1 e"),
            (9, "d 10.0.0.1 e"),
            (0, ""),
        ] {
            assert_eq!(path(text, line).join(" "), keys, "{line}");
        }
    }
}
