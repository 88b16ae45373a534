//! A password that stands where an address is expected.

use std::ffi::OsString;

use super::*;

#[test]
fn a_password_before_an_address_is_not_repeated() {
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: None,
        overrides: &Overrides::default(),
        variables: |name| (name == "WHERE").then(|| OsString::from("ann:hunter2@192.0.2.2")),
        commands: None,
    };
    let text = "hosts:
  a: {address: 'ann:hunter 2@192.0.2.1', role: server}
  b: {address: \"${WHERE}\", role: agent}
  ann:hunter2@c: {role: agent}
";
    let errors = load_text(text, Path::new("a.yaml"), surroundings).unwrap_err();
    let shown = errors.render(false, 200);
    assert!(!shown.contains("hunter"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
      × a.yaml:2:16: `ann:***@192.0.2.1` is not an IP address or DNS name
      help: write 192.0.2.1, and `ssh: {user: ann}`

      × a.yaml:3:16: `ann:***@192.0.2.2` is not an IP address or DNS name
      help: write 192.0.2.2, and `ssh: {user: ann}`

      × a.yaml:4:3: `ann:***@c` cannot be a name
      help: a name is made of letters, digits, `-` and `.`, and starts and ends with a letter or digit; write c

      × a.yaml:4:3: `ann:***@c` has no address, and its name cannot be one
      help: add `address:`

    error[inventory-invalid]: 4 mistakes in a.yaml; nothing was changed
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
