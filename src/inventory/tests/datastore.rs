//! The URL of a datastore outside the cluster.

use super::*;

#[test]
fn what_may_be_said_of_an_endpoint() {
    for (text, shown) in [
        (
            "postgres://k3s:p%40ss@10.0.0.9/towns?sslmode=verify-full",
            "the database towns of PostgreSQL at 10.0.0.9:5432",
        ),
        (
            "mysql://k3s:p@s/s@tcp(db.example.org:3307)/",
            "the database kubernetes of MySQL or MariaDB at db.example.org:3307",
        ),
        (
            "https://10.0.0.7:2379,https://[fd00::8]:2379",
            "etcd at 10.0.0.7:2379, [fd00::8]:2379",
        ),
        ("nats://u:p@10.0.0.9", "NATS at 10.0.0.9:4222"),
    ] {
        let parts = parts(text).unwrap_or_else(|complaint| panic!("{}", complaint.message));
        assert_eq!(with(text, parts).shown(), shown);
    }
}

#[test]
fn what_is_wrong_with_an_endpoint_is_said_without_it() {
    for text in [
        "hunter2",
        "sqlite://hunter2",
        "oracle://u:hunter2@h/d",
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunt/hunter2@h/d",
        "mysql://u:hunter2@h:3306/d",
        "https://10.0.0.7:2379,hunter2",
        "postgres://u:hunter2 @h/d",
    ] {
        let complaint = endpoint(text).expect_err(text);
        let said = format!("{}{:?}", complaint.message, complaint.help);
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn an_endpoint_may_name_the_machine_that_reads_it() {
    assert!(is_local("mysql://u:p@tcp(localhost:3306)/k"));
    assert!(is_local("postgres://u:p@127.0.0.1/k"));
    assert!(!is_local("postgres://u:p@10.0.0.9/k"));
}
