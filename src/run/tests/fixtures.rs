//! Stages and tasks, and what hosts say to them.

use super::*;

pub(super) fn step(task: Task) -> Step {
    Step {
        name: "step".into(),
        task,
        guard: None,
        reached: None,
        delegated_to: None,
        recovery: Vec::new(),
    }
}

pub(super) fn command(name: &str) -> Step {
    Step {
        name: name.into(),
        task: Task::ShellCommand(ShellCommand {
            unless: format!("test q:{name}"),
            run: format!("make a:{name}"),
            description: format!("make {name}"),
            path: None,
            timeout: Duration::from_secs(300),
            is_delegated: false,
        }),
        guard: None,
        reached: None,
        delegated_to: None,
        recovery: Vec::new(),
    }
}

pub(super) fn stage(name: &str, order: Order, lanes: &[(&str, &[&str])]) -> Stage {
    Stage {
        name: name.into(),
        order,
        lanes: lanes
            .iter()
            .map(|(host, steps)| Lane {
                host: (*host).into(),
                steps: steps.iter().map(|name| command(name)).collect(),
            })
            .collect(),
        held: BTreeMap::new(),
    }
}

pub(super) fn single(task: Task) -> Vec<Stage> {
    vec![Stage {
        name: "stage".into(),
        order: Order::Parallel,
        lanes: vec![Lane {
            host: "m1".into(),
            steps: vec![step(task)],
        }],
        held: BTreeMap::new(),
    }]
}

pub(super) fn node() -> Task {
    Task::Node(Node {
        name: "m1".into(),
        voter: false,
        plug_in: false,
        network: false,
        service: k3s(),
        agent: false,
        kubeconfig: "/k".into(),
        no_server: false,
        version: String::new(),
        timeout: Duration::from_secs(300),
    })
}

pub(super) fn service() -> Task {
    Task::Service(k3s())
}

pub(super) fn k3s() -> Service {
    Service {
        unit: "k3s".into(),
        newer_than: Vec::new(),
        ready: None,
        journal: None,
        diagnose: Some(crate::task::service::Diagnose {
            journal: &crate::distribution::k3s::DISTRIBUTION.journal,
            node: "m1".into(),
        }),
        kubectl: crate::distribution::k3s::DISTRIBUTION.kubectl,
        own: None,
        quorum: None,
        timeout: Duration::from_secs(300),
    }
}

/// What systemd says of a unit, with its journal.
pub(super) fn unit(active: &str, sub: &str, journal: &str) -> Said {
    let journal = crate::shell::encode(journal.as_bytes()).replace('\n', "");
    let journal = format!("{}{journal}", crate::shell::PACKED);
    Said::Out(
        0,
        format!(
            "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=enabled\n\
             NRestarts=3\nJob=0\njournal={journal}\n"
        ),
    )
}
