//! A password that stands where an address is expected.

use std::ffi::OsString;

use super::*;

#[test]
fn a_password_before_an_address_is_not_repeated() {
    let surroundings = Surroundings {
        home: None,
        overrides: &Overrides::default(),
        variables: |name| (name == "WHERE").then(|| OsString::from("ann:hunter2@192.0.2.2")),
    };
    let text = "hosts:
  a: {address: 'ann:hunter 2@192.0.2.1', role: server}
  b: {address: \"${WHERE}\", role: agent}
  ann:hunter2@c: {role: agent}
";
    let errors = parse_by(text, Path::new("a.yaml"), surroundings, |_| Vec::new()).unwrap_err();
    let shown = errors.render(false, 200);
    assert!(!shown.contains("hunter"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
      × `ann:***@192.0.2.1` is not an IP address or DNS name
       ╭─[a.yaml:2:16]
     2 │   a: {address: 'ann:***@192.0.2.1', role: server}
       ·                ───────────────────
       ╰────
      help: write 192.0.2.1, and `ssh: {user: ann}`

      × `ann:***@192.0.2.2` is not an IP address or DNS name
       ╭─[a.yaml:3:16]
     3 │   b: {address: "${WHERE}", role: agent}
       ·                ──────────
       ╰────
      help: write 192.0.2.2, and `ssh: {user: ann}`

      × `ann:***@c` cannot be a name
       ╭─[a.yaml:4:3]
     4 │   ann:***@c: {role: agent}
       ·   ─────────
       ╰────
      help: a name is made of letters, digits, `-` and `.`, and starts and ends with a letter or digit; write c

      × `ann:***@c` has no address, and its name cannot be one
       ╭─[a.yaml:4:3]
     4 │   ann:***@c: {role: agent}
       ·   ─────────
       ╰────
      help: add `address:`

    4 mistakes in a.yaml; nothing was touched
    "#);
}

#[test]
fn a_password_is_not_shown_with_the_inventory() {
    let text = "cluster: {config: {system-default-registry: 'ann:hunter2@reg', kubelet-arg: ['u:hunter2@x']}}
hosts: {a: {address: 192.0.2.1, role: server}}";
    let inventory = parse(text, Path::new("a.yaml"), None, &Overrides::default()).unwrap();
    let shown = format!("{:?}", inventory.said);
    assert!(!shown.contains("hunter"), "{shown}");
}
