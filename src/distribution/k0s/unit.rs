//! The unit of a k0s as it stands on a host: as towline, `k0s install`, or a user wrote it.

use crate::inventory::Role;

/// What `k0s install` writes besides the command, by kardianos/service (`pkg/install/systemd_linux.go` of
/// v1.36.3); towline's unit says the same, or it does not matter to a process that runs.
const OF_K0S: [&str; 15] = [
    "ExecStart",
    "Delegate",
    "KillMode",
    "LimitCORE",
    "LimitNOFILE",
    "Restart",
    "RestartSec",
    "StartLimitBurst",
    "StartLimitInterval",
    "StartLimitIntervalSec",
    "StartLimitAction",
    "SyslogIdentifier",
    "TasksMax",
    "TimeoutStartSec",
    "Type",
];

/// Files of variables that towline's unit reads, too; `%N` is the unit.
const VARIABLES: [&str; 2] = ["/etc/default/%N", "/etc/sysconfig/%N"];

/// The directives in the section `[Service]` of a unit, in their order.
fn service(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\\n", " ");
    let mut is_inside = false;
    let mut directives = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_inside = line == "[Service]";
        } else if is_inside && !line.starts_with(['#', ';']) {
            let pair = line.split_once('=');
            directives.extend(pair.map(|(key, value)| (key.trim().into(), value.trim().into())));
        }
    }
    directives
}

/// The words of the command that a unit runs; none where it has none, or one that cannot be read.
pub(super) fn command(text: &str) -> Vec<String> {
    let directives = service(text);
    let mut commands = directives.iter().rev();
    let command = commands.find(|(key, value)| key == "ExecStart" && !value.is_empty());
    let command = command.map_or("", |(_, value)| {
        value.trim_start_matches(['@', '-', ':', '+', '!'])
    });
    words(command).unwrap_or_default()
}

/// A command as systemd takes it apart (systemd.service, "Command lines").
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (' ' | '\t', None) => words.extend(word.take()),
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(end)) if letter == end => quote = None,
            ('\\', _) => word.get_or_insert_default().push(match letters.next()? {
                'x' => {
                    let digits = String::from_iter([letters.next()?, letters.next()?]);
                    char::from(u8::from_str_radix(&digits, 16).ok()?)
                }
                's' => ' ',
                't' => '\t',
                'n' => '\n',
                other => other,
            }),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    let unescaped = |word: String| word.replace("%%", "%").replace("$$", "$");
    quote
        .is_none()
        .then(|| words.into_iter().map(unescaped).collect())
}

/// Why a unit that towline did not write is none that `k0s install` would write for a role, as the rest
/// of a sentence that begins with the unit's name.
pub(super) fn is_strange(unit: &str, text: &str, role: Role) -> Option<String> {
    let wanted = match role {
        Role::Server => "controller",
        Role::Agent => "worker",
    };
    let directives = service(text);
    let commands = directives
        .iter()
        .filter(|(key, value)| key == "ExecStart" && !value.is_empty());
    if commands.count() != 1 {
        return Some("has no ExecStart, or several".to_owned());
    }
    let words = command(text);
    match words.get(1).map(String::as_str) {
        Some(command) if command == wanted => {}
        Some(command @ ("controller" | "worker")) => return Some(format!("runs k0s {command}")),
        _ => return Some(format!("does not run  k0s {wanted}  itself")),
    }
    if words.iter().any(|word| word.contains('$')) {
        return Some("has variables in its ExecStart".to_owned());
    }
    let is_flag = |word: &&String| word.starts_with('-');
    if let Some(word) = words.iter().skip(2).find(|word| !is_flag(word)) {
        // A value that stands apart from its flag.
        let before = words.iter().zip(words.iter().skip(1));
        let mut before = before.filter(|(_, next)| *next == word);
        if !before.all(|(flag, _)| flag.starts_with('-') && !flag.contains('=')) {
            return Some(format!("has the word {word} in its ExecStart"));
        }
    }
    let others = directives.iter().filter(|(key, value)| {
        let file = value.trim_start_matches('-');
        let is_read = |known: &str| known.replace("%N", unit) == file || known == file;
        let is_known = key == "EnvironmentFile" && VARIABLES.iter().any(|known| is_read(known));
        !OF_K0S.contains(&key.as_str()) && !is_known && !value.is_empty()
    });
    let mut others: Vec<_> = others.map(|(key, _)| key.as_str()).collect();
    others.dedup();
    (!others.is_empty()).then(|| {
        format!(
            "has lines that towline's would not have: {}",
            others.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `k0s install` v1.36.3 writes it.
    fn installed(command: &str, more: &str) -> String {
        format!(
            "[Unit]\nDescription=k0s - Zero Friction Kubernetes\nDocumentation=https://docs.k0sproject.io\n\
             ConditionFileIsExecutable=/usr/local/bin/k0s\n\nAfter=network-online.target \nWants=network-online.target \n\n\
             [Service]\nStartLimitInterval=5\nStartLimitBurst=10\nExecStart={command}{more}\n\nRestartSec=10\nDelegate=yes\n\
             KillMode=process\nLimitCORE=infinity\nTasksMax=infinity\nTimeoutStartSec=0\nLimitNOFILE=999999\nRestart=always\n\n\
             [Install]\nWantedBy=multi-user.target\n"
        )
    }

    #[test]
    fn a_unit_of_k0s_install_is_known_and_any_other_is_not() {
        let table = [
            (
                "/usr/local/bin/k0s controller --enable-worker=true",
                "",
                None,
            ),
            ("/opt/k0s controller --data-dir /srv/k0s", "", None),
            ("/usr/local/bin/k0s worker", "", Some("runs k0s worker")),
            (
                "/usr/local/bin/k0s install controller",
                "",
                Some("does not run  k0s controller  itself"),
            ),
            (
                "/bin/sh -c 'k0s controller'",
                "",
                Some("does not run  k0s controller  itself"),
            ),
            (
                "/usr/local/bin/k0s controller $FLAGS",
                "",
                Some("has variables in its ExecStart"),
            ),
            (
                "/usr/local/bin/k0s controller --debug=true now",
                "",
                Some("has the word now in its ExecStart"),
            ),
            ("", "", Some("has no ExecStart, or several")),
            (
                "/usr/local/bin/k0s controller",
                "\nEnvironment=\"HTTP_PROXY=http://p\"\nUser=k0s",
                Some("has lines that towline's would not have: Environment, User"),
            ),
            (
                "/usr/local/bin/k0s controller",
                "\nEnvironmentFile=-/etc/sysconfig/k0scontroller",
                None,
            ),
        ];
        for (command, more, expected) in table {
            let text = installed(command, more);
            let said = is_strange("k0scontroller", &text, Role::Server);
            assert_eq!(said.as_deref(), expected, "{command}{more}");
        }
    }

    #[test]
    fn a_command_is_taken_apart_as_by_systemd() {
        for (line, expected) in [
            (
                r"/k0s worker --kubelet-extra-args=--node-ip=10.0.0.1\x20--max-pods=9 --labels=a=b",
                &[
                    "/k0s",
                    "worker",
                    "--kubelet-extra-args=--node-ip=10.0.0.1 --max-pods=9",
                    "--labels=a=b",
                ][..],
            ),
            (
                r#""/k0s" "--kubelet-extra-args=--a=\"b c\" --d=%%e" '' $$x"#,
                &["/k0s", "--kubelet-extra-args=--a=\"b c\" --d=%e", "", "$x"],
            ),
            ("", &[]),
        ] {
            assert_eq!(
                words(line).as_deref(),
                Some(
                    expected
                        .iter()
                        .map(|word| (*word).to_owned())
                        .collect::<Vec<_>>()
                )
                .as_deref(),
                "{line}"
            );
        }
        assert_eq!(words("/k0s \"controller"), None);
    }
}
