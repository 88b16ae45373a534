//! Variables of the environment in values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::json;

use super::*;

fn environment(name: &str) -> Option<OsString> {
    Some(match name {
        "ADDRESS" => "192.0.2.7".into(),
        "PORT" => "2222".into(),
        "EMPTY" => OsString::new(),
        "YAML" => "x, role: agent}\nhosts: {b: {}}".into(),
        "NODE_TOKEN" => "hunter2hunter2".into(),
        "TRUE" => "true".into(),
        "OCTAL" => "0644".into(),
        "LATIN" => OsString::from_vec(vec![0xe9]),
        _ => return None,
    })
}

fn filled(text: &str) -> Result<Inventory, InputErrors> {
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: Some(Path::new("/home/me")),
        overrides: &Overrides::default(),
        variables: environment,
        commands: None,
    };
    load_text(text, Path::new("a.yaml"), surroundings)
}

#[test]
fn values_are_filled_in_from_the_environment() {
    let inventory = filled(
        "\
cluster:
  name: ${NAME:-home}
  agent_batch: ${BATCH:-7}
  token: ${NODE_TOKEN}
  config:
    data-dir: /srv/${EMPTY:-k3s}
    number: ${PORT}
    quoted: \"${PORT}\"
    flag: ${TRUE}
    octal: ${OCTAL}
    empty: a${EMPTY}
    literal: $${PORT} $PORT $ $$ pa$$word $$${PORT}
    yaml: ${YAML}
    list: [\"${PORT}\", x]
    ${PORT}: key
hosts:
  a: {address: \"${ADDRESS}\", role: server, ssh: {port: \"${PORT}\", key: \"~/${ADDRESS}\"}}
",
    )
    .unwrap();
    let cluster = &inventory.cluster;
    assert_eq!((&*cluster.name, cluster.agent_batch), ("home", 7));
    assert_eq!(cluster.token.as_ref().unwrap().expose(), "hunter2hunter2");
    assert_eq!(
        json!(cluster.config),
        json!({
            "data-dir": "/srv/k3s", "number": 2222, "quoted": "2222", "flag": true, "octal": "0644",
            "empty": "a", "literal": "${PORT} $PORT $ $$ pa$$word $${PORT}",
            "yaml": "x, role: agent}\nhosts: {b: {}}", "list": ["2222", "x"], "${PORT}": "key"
        })
    );
    let host = &inventory.hosts[0];
    assert_eq!((&*host.address, host.ssh.port.value), ("192.0.2.7", 2222));
    assert_eq!(host.ssh.key.value, [Path::new("/home/me/192.0.2.7")]);
    assert_eq!(inventory.hosts.len(), 1);
}

#[test]
fn what_cannot_be_filled_in_is_said_with_its_place() {
    let shown = |text| filled(text).unwrap_err().render(false, 200);
    insta::assert_snapshot!(
        "variables",
        shown(
            "\
cluster:
  name: a-${NOWHERE}-${PORT}
  token: \"${K3S_TOKEN}\"
  agent_batch: ${ADDRESS}
  endpoint: ${LATIN}
  tls_sans: ['${a b}', '${', '${A:-${PORT}}', '${1A}', '${}']
  config:
    kubelet-arg: |
      first
      ${NOWHERE}
hosts:
  a: {address: 10.0.0.300, role: server, labels: {x: '${NODE_TOKEN}/'}}
"
        )
    );
    let types = shown(
        "cluster: {agent_batch: '${ADDRESS}', name: '${NODE_TOKEN}/'}\nhosts: {a: {address: '${ADDRESS}0', role: server, ssh: {port: '${OCTAL}0000'}}}",
    );
    insta::assert_snapshot!("variables-of-wrong-types", types);
    let secret = shown(
        "cluster: {token: '${A:-hunter22}', agent_token: '${NODE_TOKEN}', name: '${NODE_TOKEN} x'}",
    );
    assert!(!secret.contains("hunter2"), "{secret}");
    assert!(
        secret.contains("a.yaml:1:72: `*** x` cannot be"),
        "{secret}"
    );
    let default =
        shown("hosts: {a: {address: x_y, role: server, labels: {x: '${DB_PASSWORD:-hunter22}'}}}");
    assert!(!default.contains("hunter2"), "{default}");
    assert!(default.contains("a.yaml:1:22: `x_y` is not"), "{default}");
    // What is no variable's name hides nothing, and gives nothing away.
    let wrong = shown("cluster: {token: '${2hunter2}', name: '${2ND-TOKEN:-hunter22}'}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn a_variable_inside_of_braces_needs_quotes() {
    let shown = filled("ssh: {port: ${PORT}}")
        .unwrap_err()
        .render(false, 200);
    assert!(
        shown.contains("needs quotes: {port: \"${PORT}\"}"),
        "{shown}"
    );
}

#[test]
fn what_was_typed_as_a_flag_names_no_variable() {
    let mut draft = Draft::default();
    let host = json!({"address": "10.0.0.1", "role": "server", "config": {"a": ["${PORT}", 1]}});
    draft.hosts.insert("a".into(), host);
    let inventory = filled(&draft.literal().text().unwrap()).unwrap();
    assert_eq!(inventory.hosts[0].config["a"].value, json!(["${PORT}", 1]));
}
