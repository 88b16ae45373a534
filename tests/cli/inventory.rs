//! `towline inventory`.

use super::{folder, screen, text, towline};

#[test]
fn an_inventory_is_checked_without_its_hosts() {
    let folder = folder(
        "hosts: {a: {address: 192.0.2.1, role: server}, b: {address: 192.0.2.2, role: server}}\n",
    );
    let line = ["inventory", "check", "-i", "home.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 0
    --- standard output
    note: 2 servers survive no loss, no more than 1 would; use 1 or 3
    home.yaml: no mistakes; cluster home: 2 servers, 0 agents
    --- standard error
    ");
    let json = [&line[..], &["--output", "json"]].concat();
    let events = text(&towline(folder.path(), &json).stdout);
    let names: Vec<String> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].to_string()
        })
        .collect();
    assert_eq!(names, [r#""note""#, r#""checked""#, r#""finished""#]);
}
