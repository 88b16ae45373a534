//! What is said with `--output json`.

use super::*;

#[test]
fn with_json_all_that_is_said_is_events_of_the_schema() {
    let folder = folder("hosts:\n  m1: {adress: 10.0.0.1, role: server}\n");
    let right = "cluster: {version: v1.36.3+k3s1}\nssh: {port: 1}\nhosts:\n  m1: {address: 127.0.0.1, role: server}\n";
    fs::write(folder.path().join("right.yaml"), right).expect("written");
    let schema = towline(folder.path(), &["schema", "events"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let known = schema["oneOf"].as_array().expect("events");
    for (line, status, last) in [
        ("plan -i home.yaml", 2, "refused"),
        ("deploy -i nowhere.yaml", 2, "refused"),
        ("plan -i right.yaml", 1, "finished"),
        ("plan -i right.yaml --limit m9", 2, "refused"),
        ("reset -i right.yaml --plan", 1, "finished"),
        ("reset -i right.yaml", 2, "refused"),
        ("install --ip a@10.0.0.1", 2, "refused"),
        (
            "install --ip 127.0.0.1 --ssh-port 1 --k3s-version v1.36.3+k3s1 --plan",
            1,
            "finished",
        ),
        ("node-token --ip 127.0.0.1 --ssh-port 1", 1, "finished"),
        ("get-config --ip 127.0.0.1 --ssh-port 1", 1, "finished"),
        (
            "ready --kubeconfig later --attempts 1 --pause 1ms",
            1,
            "finished",
        ),
        ("kubeconfig -i right.yaml", 1, "finished"),
        (
            "join --ip 127.0.0.1 --server-ip 127.0.0.2 --ssh-port 1",
            1,
            "finished",
        ),
        ("cache list", 0, "finished"),
        ("cache clean", 0, "finished"),
        ("uninstall --now", 2, "refused"),
        ("plan", 2, "refused"),
        ("plan -i home.yaml --colour", 2, "refused"),
        ("cache", 2, "refused"),
        ("ready --kubeconfig home.yaml", 2, "refused"),
    ] {
        let mut arguments: Vec<_> = line.split(' ').collect();
        arguments.extend(["--output", "json"]);
        let output = towline(folder.path(), &arguments);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{line}: {}",
            screen(&output)
        );
        assert_eq!(text(&output.stderr), "", "{line}");
        let mut name = String::new();
        for line in text(&output.stdout).lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect(line);
            event["event"].as_str().expect(line).clone_into(&mut name);
            let types = known
                .iter()
                .find(|known| known["properties"]["event"]["const"] == *name);
            let fields = &types.expect(line)["properties"];
            for (field, _) in event.as_object().expect(line) {
                assert!(fields[field].is_object(), "{field} in {line}");
            }
        }
        assert_eq!(name, last, "{line}: {}", screen(&output));
    }
    let output = towline(
        folder.path(),
        &["plan", "-i", "home.yaml", "--output", "json"],
    );
    let refused: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(refused["mistakes"][0]["file"], "home.yaml");
    let first = &refused["mistakes"][0];
    assert_eq!(
        (&first["line"], &first["column"]),
        (&2.into(), &8.into()),
        "{refused}"
    );
}

#[test]
fn an_interrupted_wait_ends_with_an_event_too() {
    let folder = folder("");
    let child = Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(["ready", "--kubeconfig", "later", "--output", "json"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let kill = format!("sleep 1; kill -TERM {}", child.id());
    let killed = Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.expect("it runs").success());
    let output = child.wait_with_output().expect("it ends");
    let said = screen(&output);
    let last = text(&output.stdout).lines().last().map(str::to_owned);
    assert!(
        last.is_some_and(|last| last.starts_with(r#"{"event":"refused""#)),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
}
