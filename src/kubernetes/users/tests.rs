use k8s_openapi::api::rbac::v1::Subject;
use serde_json::{Value, json};

use super::*;
use crate::kubernetes::kubeconfig::tests::{credentials, source};
use crate::kubernetes::kubeconfig::{Credential, parse};
use crate::vars::Secret;

fn issue(service_account: bool) -> Issue {
    Issue {
        wanted: NewUser {
            name: "anna".into(),
            group: (!service_account).then(|| "devs".into()),
            role: Some("view".into()),
            namespace: Some("shop".into()),
            lifetime: Duration::from_hours(720),
            service_account,
        },
        id: "anna-x7k2p".into(),
    }
}

fn expires() -> Timestamp {
    "2026-12-29T19:00:00Z".parse().expect("a time")
}

fn lines(objects: &[Value]) -> String {
    let lines = objects.iter().map(Value::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_user_with_a_certificate_is_a_request_a_record_and_a_binding_to_a_name_of_its_own() {
    let issue = issue(false);
    let objects = [
        json!(objects::namespace()),
        json!(issue.request("REQUEST")),
        json!(issue.record(expires())),
        json!(issue.role_binding("view", "shop")),
        json!(issue.cluster_role_binding("view")),
    ];
    insta::assert_snapshot!(lines(&objects));
}

#[test]
fn a_service_account_is_where_nothing_runs_and_what_names_it_names_it_there() {
    let issue = issue(true);
    let objects = [
        json!(issue.service_account()),
        json!(issue.record(expires())),
        json!(issue.role_binding("view", "shop")),
    ];
    insta::assert_snapshot!(lines(&objects));
    assert_eq!(
        objects::user_name(&issue.subject()),
        "system:serviceaccount:towline-users:anna-x7k2p"
    );
}

#[test]
fn no_two_users_of_a_name_are_one_user_to_the_cluster() {
    let issue = |_| Issue::new(issue(false).wanted).id;
    let ids: std::collections::BTreeSet<_> = (0..50).map(issue).collect();
    assert!(ids.len() > 45, "{ids:?}");
    for id in &ids {
        let letters = id.strip_prefix("anna-").expect("the name first");
        assert_eq!(letters.len(), 5, "{id}");
    }
}

#[test]
fn a_user_is_what_its_record_says_and_may_what_bindings_of_anyone_let_it() {
    let issue = issue(false);
    let mut of_group = issue.role_binding("edit", "shop");
    of_group.metadata.labels = None;
    of_group.metadata.name = Some("devs".into());
    of_group.subjects = Some(vec![Subject {
        kind: "Group".into(),
        ..named_user("devs")
    }]);
    let mut of_another = issue.cluster_role_binding("cluster-admin");
    of_another.subjects = Some(vec![named_user("anna"), named_user("anna-zzzzz")]);
    let bindings: [Binding; 3] = [
        issue.role_binding("view", "shop").into(),
        of_group.into(),
        of_another.into(),
    ];
    let user = objects::user(&issue.record(expires()), &bindings).expect("a user");
    let grant = |role: &str, binding: &str, is_own| Grant {
        role: role.into(),
        namespace: Some("shop".into()),
        binding: binding.into(),
        is_own,
    };
    assert_eq!(
        user,
        User {
            name: "anna".into(),
            id: "anna-x7k2p".into(),
            kind: UserKind::Certificate,
            group: Some("devs".into()),
            grants: vec![grant("view", "towline:anna-x7k2p", true)],
            group_grants: vec![grant("edit", "devs", false)],
            expires: expires(),
        }
    );
    let mut record = issue.record(expires());
    record.data = Some([("kind".into(), "else".into())].into());
    assert_eq!(objects::user(&record, &bindings), None, "made by another");
}

fn named_user(name: &str) -> Subject {
    Subject {
        api_group: Some("rbac.authorization.k8s.io".into()),
        kind: "User".into(),
        name: name.into(),
        namespace: None,
    }
}

#[test]
fn a_kubeconfig_holds_the_users_key_or_token_and_nothing_of_the_admin() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = parse(&source(&credentials())).expect("the admin's");
    let (_, chain, key) = credentials();
    let credentials = [
        Credential::Certificate {
            chain: chain.clone(),
            key: Secret::new(&key),
        },
        Credential::Token(Secret::new("a.token")),
    ];
    for (number, credential) in credentials.into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        let of_user = UserKubeconfig {
            cluster: cluster.clone(),
            name: "anna".into(),
            namespace: Some("shop".into()),
            credential,
        };
        crate::kubernetes::kubeconfig::write_new(&path, &of_user).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(!text.contains(cluster.client_key.expose()));
        for part in [
            &*cluster.certificate_authority,
            "namespace: shop",
            "current-context: anna@default",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.contains(if number == 0 { &*key } else { "token: a.token" }));
        // What is there stays.
        let problem = crate::kubernetes::kubeconfig::write_new(&path, &of_user);
        assert!(problem.is_err_and(|problem| problem.what.ends_with("is there already")));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    }
}
