use super::*;
use crate::task::Since;

const CONFIG: &str = "/etc/rancher/k3s/config.yaml";

fn judged(state: &str, upstream: &Changes) -> String {
    let service = Service {
        unit: "k3s".into(),
        newer_than: vec![CONFIG.into()],
        ready: None,
        journal: None,
        diagnose: None,
        kubectl: "/usr/local/bin/k3s kubectl",
        own: Some(Own {
            node: "m1".into(),
            kubeconfig: "/k".into(),
            awaits_network: false,
        }),
        quorum: None,
        timeout: Duration::from_mins(10),
    };
    let seen = Reply {
        status: 0,
        stdout: format!("{state}\nuptime=100.0\nnow=5000.0\n"),
        stderr: String::new(),
    };
    match service.judge(&seen, upstream) {
        Ok(Verdict::Converged) => "converged".into(),
        Ok(Verdict::Drifted(remedy)) => remedy.changes[0].what.clone(),
        Ok(Verdict::Pending(pending)) => format!("pending: {}", pending.until),
        Ok(Verdict::Undecidable(why)) => format!("undecidable: {why}"),
        Err(problem) => format!("error: {}", problem.what),
    }
}

/// A process that started 50 s after boot, 50 s ago, and a file of the given age.
fn state(active: &str, sub: &str, file_age: f64) -> String {
    format!(
        "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=enabled\nNRestarts=0\nJob=0\n\
         ExecMainStartTimestampMonotonic=50000000\nfile={} {CONFIG}",
        5000.0 - file_age
    )
}

#[test]
fn an_agent_that_waits_for_a_network_plug_in_of_ones_own_is_as_it_should_be() {
    let lacks = "\nsaid=4960\ncondition=False KubeletNotReady: container runtime network not ready: NetworkReady=false";
    let judged = |awaits_network: bool, said: &str| {
        let service = Service {
            unit: "k3s-agent".into(),
            newer_than: vec![CONFIG.into()],
            ready: None,
            journal: None,
            diagnose: None,
            kubectl: "/usr/local/bin/k3s kubectl",
            own: Some(Own {
                node: "m1".into(),
                kubeconfig: "/k".into(),
                awaits_network,
            }),
            quorum: None,
            timeout: Duration::from_mins(10),
        };
        let state = state("activating", "start", 60.0).replace("Job=0", "Job=77");
        let seen = Reply {
            status: 0,
            stdout: format!("{state}{said}\nuptime=100.0\nnow=5000.0\n"),
            stderr: String::new(),
        };
        let is_so = matches!(
            service.judge(&seen, &Changes::default()),
            Ok(Verdict::Converged)
        );
        let lasts = service.since(&seen, Duration::from_secs(9)) == Some(Since::Lasted);
        assert_eq!(is_so, lasts);
        is_so
    };
    assert!(judged(true, lacks));
    assert!(!judged(false, lacks));
    // What was said before this process began.
    assert!(!judged(true, &lacks.replace("said=4960", "said=4940")));
    assert!(!judged(true, "\ncondition="));
    assert!(!judged(true, "\ncondition=True KubeletReady: x"));
}

#[test]
fn what_a_unit_needs_follows_from_its_state_and_the_age_of_its_files() {
    let nothing = Changes::default();
    let mut config = Changes::default();
    config.record(&[Change::of(CONFIG, "update")]);
    let restart = format!("restart k3s: {CONFIG} changed since its start");
    let start = "enable and start k3s".to_owned();
    let reload =
        "reload systemd and restart k3s: its unit or drop-ins changed since systemd read them"
            .to_owned();
    let stale = |active, sub, age| state(active, sub, age) + "\nNeedDaemonReload=yes";
    let table = [
        (
            state("active", "running", 60.0),
            &nothing,
            "converged".to_owned(),
        ),
        (state("active", "running", 49.9), &nothing, restart.clone()),
        (state("active", "running", -9.0), &nothing, restart.clone()),
        (state("active", "running", 60.0), &config, restart.clone()),
        (
            state("activating", "start", 60.0),
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        (
            state("activating", "auto-restart", 60.0),
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        (
            state("activating", "start", 10.0),
            &nothing,
            restart.clone(),
        ),
        (
            state("active", "running", 60.0).replace("Job=0", "Job=77"),
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        (
            state("active", "running", 60.0).replace("=enabled", "=disabled"),
            &nothing,
            "enable k3s, so that it starts at boot".to_owned(),
        ),
        (
            state("active", "running", 60.0) + "\nready=no",
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        (stale("active", "running", 60.0), &nothing, reload.clone()),
        (stale("activating", "auto-restart", 60.0), &nothing, reload),
        (stale("active", "running", 49.9), &nothing, restart.clone()),
        (stale("inactive", "dead", 60.0), &nothing, start.clone()),
        (state("inactive", "dead", 60.0), &nothing, start.clone()),
        (state("failed", "failed", 60.0), &nothing, start.clone()),
        // An agent whose node is Ready by what its kubelet has said 11 s, 5 s ago, or in an earlier life.
        (
            state("activating", "start", 60.0) + "\nready=4989",
            &nothing,
            "have the kubelet report node m1 again: it has been Ready for 10 s, and k3s has not told systemd READY"
                .to_owned(),
        ),
        (
            state("activating", "start", 60.0) + "\nready=4995",
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        (
            state("activating", "start", 60.0) + "\nready=4900",
            &nothing,
            "pending: k3s to be READY".to_owned(),
        ),
        ("LoadState=not-found".to_owned(), &config, start),
        (
            "LoadState=not-found".to_owned(),
            &nothing,
            "error: there is no unit k3s".to_owned(),
        ),
        (
            String::new(),
            &nothing,
            "undecidable: systemd did not answer about k3s".to_owned(),
        ),
    ];
    for (state, upstream, expected) in table {
        assert_eq!(judged(&state, upstream), expected, "{state}");
    }
}

#[test]
fn a_unit_that_does_not_tell_systemd_when_it_is_ready_is_asked() {
    let lines = [
        "starting",
        "I1128 21:59:41.315836    2723 bootstrap.go:297] \"Failed to connect to apiserver\" err=\"no\"",
        "I1128 21:59:41.315836    2723 flags.go:64] FLAG: --v=\"2\"",
        "   --v int   level",
    ];
    let answer = |ready: Option<&str>| {
        let service: Service = serde_json::from_value(
            serde_json::json!({"unit": "k0s", "ready": ready, "timeout": 9}),
        )
        .expect("a service");
        let script = format!(
            "systemctl() {{ echo ActiveState=active; }}\njournalctl() {{ printf '%s\\n' '{}'; }}\n{}",
            lines.join("' '"),
            service.question()
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sh runs");
        let seen = Reply {
            status: 0,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::new(),
        };
        (
            seen.value("ready").map(str::to_owned),
            journal(&seen).trim().to_owned(),
        )
    };
    assert_eq!(answer(None), (None, String::new()));
    assert_eq!(answer(Some("echo yes")), (None, String::new()));
    let not_yet = (Some("no".to_owned()), lines[..2].join("\n"));
    assert_eq!(answer(Some("echo no; false")), not_yet);
}
