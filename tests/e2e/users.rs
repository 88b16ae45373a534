//! Users of a cluster: what they may do, until when, and what is left of them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

use crate::place::{Place, carry, mode, wait_for};
use crate::towline::Answer;

/// Users come, may what their roles say and nothing else, and go. `command` is the server's kubectl.
pub fn come_and_go(place: &Place, server: &str, command: &str) {
    let machine = place.machine(server);
    let kubectl = |line: &str| machine.succeed(&format!("{command} {line}"));
    let admin = "--kubeconfig demo.kubeconfig";
    let user = |line: &str| {
        place
            .command()
            .args(&format!(
                "user {line} {admin} --output json -vvv --log-file towline.log"
            ))
            .run()
    };
    kubectl("create namespace shop");

    for (line, words) in [
        ("--role nothing", "there is no ClusterRole nothing"),
        (
            "--role view --namespace nowhere",
            "there is no namespace nowhere",
        ),
        ("--group system:masters", "its members may do anything"),
    ] {
        let refused = user(&format!("create anna -o anna.kubeconfig {line}")).ends(2);
        refused.says(&[words, "nothing was changed"]);
    }
    assert!(!place.file("anna.kubeconfig").exists());
    assert!(!kubectl("get namespaces").contains("towline-users"));
    assert_eq!(user("list").ends(0).events()[0]["users"], json!([]));

    // Each has its kubeconfig on the server, where kubectl is; the answer is what kubectl says.
    let may = |name: &str, what: &str| {
        let line = format!("KUBECONFIG=/run/{name} {command} auth can-i {what} 2>&1");
        machine.ssh(&line).unwrap().stdout.trim().to_owned()
    };
    let expect = |name: &str, what: &str, wanted: &str| {
        // A server hears of a role when it is given, a moment later.
        wait_for(&format!("{name} may {what}: {wanted}"), || {
            may(name, what).ends_with(wanted).then_some(())
        });
    };
    let create = |name: &str, line: &str| {
        let file = format!("{name}.kubeconfig");
        let created = user(&format!("create {name} -o {file} {line}")).ends(0);
        let path = place.file(&file);
        assert_eq!(mode(&path), 0o600);
        carry(path.to_str().unwrap(), machine, &format!("/run/{name}"));
        (created, parts(&path))
    };
    let (anna, certificate) = create("anna", "--role view --namespace shop --expires 1h");
    anna.says(&[
        "a certificate cannot be revoked",
        "towline user delete anna",
    ]);
    let id = row(&anna)["id"].as_str().unwrap().to_owned();
    let (subject, begins, ends) = of_certificate(&certificate);
    assert_eq!(subject, format!("CN={id}"));
    // Kubernetes lets it begin five minutes early.
    assert_eq!(ends - begins, 65 * 60);
    expect("anna", "get pods", "yes");
    for what in [
        "delete pods",
        "get secrets",
        "get pods -n default",
        "get pods -A",
        "get nodes",
        "create rolebindings",
    ] {
        expect("anna", what, "no");
    }

    let (ci, token) = create(
        "ci",
        "--role edit --namespace shop --expires 2h --service-account",
    );
    ci.says(&["this ends its token at once"]);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    let time = |key: &str| claims[key].as_i64().unwrap();
    assert_eq!(time("exp") - time("iat"), 2 * 60 * 60);
    expect("ci", "create deployments.apps", "yes");
    for what in [
        "create deployments.apps -n default",
        "get nodes",
        "create rolebindings",
    ] {
        expect("ci", what, "no");
    }

    let (bob, certificate) = create("bob", "--group devs");
    bob.says(&["what bindings give to the group devs is its own until "]);
    let (subject, begins, ends) = of_certificate(&certificate);
    assert!(subject.starts_with("O=devs, CN=bob-"), "{subject}");
    assert_eq!(ends - begins, 30 * 24 * 60 * 60);
    expect("bob", "get pods -n shop", "no");
    kubectl("create rolebinding devs --clusterrole view --group devs --namespace shop");
    expect("bob", "get pods -n shop", "yes");

    let view = json!([{"role": "view", "namespace": "shop"}]);
    let edit = json!([{"role": "edit", "namespace": "shop"}]);
    let listed = user("list").ends(0);
    let users = listed.events()[0]["users"].as_array().unwrap().clone();
    let users = users.iter().map(|user| {
        let text = |key: &str| user[key].clone();
        [
            text("name"),
            text("service_account"),
            text("roles"),
            text("group_roles"),
        ]
    });
    assert_eq!(
        users.collect::<Vec<_>>(),
        [
            [json!("anna"), json!(false), view.clone(), json!([])],
            [json!("bob"), json!(false), json!([]), view],
            [json!("ci"), json!(true), edit, json!([])],
        ]
    );

    user("create anna -o other.kubeconfig --role edit")
        .ends(2)
        .says(&[
            "there is a user anna already",
            &id,
            "towline user delete anna",
        ]);
    user("create carl -o anna.kubeconfig")
        .ends(2)
        .says(&["anna.kubeconfig: is there already"]);
    let as_anna = "user list --kubeconfig anna.kubeconfig --output json";
    let refused = place.command().args(as_anna).run().ends(1);
    refused.says(&["may not do this", &format!("User \"{id}\" cannot list")]);

    // What ends halfway leaves nothing behind.
    for kind in [
        "--role view --namespace shop",
        "--role view --service-account",
    ] {
        let failed = user(&format!("create eve -o /proc/1/eve.kubeconfig {kind}")).ends(1);
        failed.says(&["cannot be written", "what was made for the user is undone"]);
    }
    let left =
        kubectl("get csr,sa,cm,rolebinding,clusterrolebinding -A -l towline/user=eve -o name");
    assert_eq!(left, "");

    // A certificate without its role is still its user's; a token ends.
    let deleted = user("delete anna").ends(0);
    deleted.says(&["its certificate stays valid until ", "it may do nothing"]);
    expect("anna", "get pods", "no");
    let whoami = format!("KUBECONFIG=/run/anna {command} auth whoami");
    assert!(machine.succeed(&whoami).contains(&id));
    user("delete ci").ends(0);
    expect("ci", "create deployments.apps", "Unauthorized)");
    let deleted = user("delete bob").ends(0);
    deleted.says(&["its group devs still has view in shop, by the RoleBinding devs"]);
    user("delete bob")
        .ends(2)
        .says(&["has made no user bob here"]);

    // Who has the name next is another user.
    fs::rename(place.file("anna.kubeconfig"), place.file("old.kubeconfig")).unwrap();
    machine.succeed("mv /run/anna /run/old");
    let (again, _) = create("anna", "--role view");
    assert_ne!(row(&again)["id"], json!(id));
    expect("anna", "get pods -A", "yes");
    expect("old", "get pods", "no");
    user("delete anna").ends(0);
    expect("anna", "get pods -A", "no");
    assert_eq!(user("list").ends(0).events()[0]["users"], json!([]));
    let left = kubectl("get csr,sa,cm,rolebinding,clusterrolebinding -A -l towline/user -o name");
    assert_eq!(left, "");

    let log = fs::read_to_string(place.file("towline.log")).unwrap();
    let said: Vec<String> = place.said().into_iter().chain([log]).collect();
    for name in ["old", "anna", "bob", "ci"] {
        for secret in secrets(&place.file(&format!("{name}.kubeconfig"))) {
            let is_said = said.iter().any(|said| said.contains(&secret));
            assert!(!is_said, "the key or token of {name} was said");
        }
    }
    kubectl("delete namespace shop towline-users --wait=false");
    machine.succeed("rm /run/old /run/anna /run/bob /run/ci");
}

/// What was made, as it is told.
#[track_caller]
fn row(answer: &Answer) -> Value {
    let events = answer.events();
    let mut made = events.iter();
    let made = made.find(|event| event["event"] == "user_created");
    made.expect("a user was made")["user"].clone()
}

fn user_of(kubeconfig: &Path) -> Value {
    let text = fs::read_to_string(kubeconfig).unwrap();
    let value: Value = serde_yaml::from_str(&text).unwrap();
    value["users"][0]["user"].clone()
}

/// The certificate, PEM, or the token of a kubeconfig.
fn parts(kubeconfig: &Path) -> String {
    let user = user_of(kubeconfig);
    if let Some(token) = user["token"].as_str() {
        return token.to_owned();
    }
    let packed = user["client-certificate-data"].as_str().unwrap();
    String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap()
}

/// What nobody but the user may know, as it stands in the file and as it is sent.
fn secrets(kubeconfig: &Path) -> Vec<String> {
    let user = user_of(kubeconfig);
    if let Some(token) = user["token"].as_str() {
        // Its last part alone is secret, and is what a shortened one would lack.
        return vec![token.rsplit('.').next().unwrap().to_owned()];
    }
    let packed = user["client-key-data"].as_str().unwrap();
    let pem = String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap();
    let line = pem.lines().nth(1).unwrap().to_owned();
    vec![packed.to_owned(), line]
}

/// The subject of a certificate, and from when until when it is valid, in seconds.
fn of_certificate(pem: &str) -> (String, i64, i64) {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let validity = certificate.validity();
    (
        certificate.subject().to_string(),
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    )
}
