use super::*;

const QUESTIONS: &Questions = &crate::distribution::k3s::DISTRIBUTION.questions;

fn reply(stdout: &str) -> Reply {
    Reply {
        status: 0,
        stdout: stdout.into(),
        stderr: String::new(),
    }
}

fn read(reply: &Reply) -> Result<Facts, String> {
    Facts::parse(reply, QUESTIONS, &DataDir::default())
}

#[test]
fn a_server_of_a_running_cluster_is_read_whole() {
    let facts = read(&reply(
        "hostname=M1\nkubernetes=ssh.service\nkubernetes=k0sworker.service\nuptime=12.50\nos_id=ubuntu\nos_like=debian\ninit=systemd\ncgroup=2\n\
         address=eth0 10.0.0.1/24\naddress=eth0 fd00::1/64\ndefault_interface=eth0\n\
         advertised=eth0\nadvertised=eth0.9\nadvertised=$(evil)\n\
         datastore=etcd\nversion=k3s version v1.36.3+k3s1 (abc)\n\
         server_token=base64:SzEwYWE6OnNlcnZlcjpwdw==\n\
         server_unit=LoadState=loaded ActiveState=active SubState=running FragmentPath=/etc/systemd/system/k3s.service \n\
         five_minutes_ago=2026-01-02T03:04:05Z\n\
         node=m1\t5cc9-3e\t2026-01-02T03:04:04Z\t{\"node-role.kubernetes.io/etcd\":\"true\"}\t[{\"address\":\"10.0.0.1\",\"type\":\"InternalIP\"},{\"address\":\"fd00::1\",\"type\":\"InternalIP\"}]\t{\"kubeletVersion\":\"v1.36.3+k3s1\"}\t[{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":\"EtcdIsVoter\",\"status\":\"True\",\"reason\":\"MemberNotLearner\"}]\n\
         node=m2\t'evil'\t2026-01-02T03:04:06Z\nnode=m4\t\t\t{}\t[]\t{}\t[{\"type\":\"Ready\",\"status\":\"Unknown\"}]\n\
         node=$(evil)\t\t\t\t\nnode=a..b\t\t\t\t\nnode=a.-b\t\t\t\t\ncomplete=yes\n",
    ))
    .expect("complete");
    assert!(facts.os.is_debian_family() && facts.systemd && facts.cgroup == 2);
    assert_eq!(facts.uptime, Duration::from_millis(12_500));
    assert_eq!(facts.kubernetes.map(|other| other.name), Some("k0s"));
    assert_eq!(
        facts.default_address(),
        Some("10.0.0.1".parse().expect("an address"))
    );
    assert_eq!(facts.advertised, ["eth0"]);
    assert_eq!(facts.node.version.as_deref(), Some("v1.36.3+k3s1"));
    assert_eq!(
        facts.node.server_token,
        Some(Secret::new("K10aa::server:pw"))
    );
    assert!(facts.node.server_unit.is_ready() && !facts.node.agent_unit.exists());
    let names: Vec<_> = facts
        .node
        .nodes
        .iter()
        .map(|node| {
            (
                &*node.name,
                node.ready,
                node.voter,
                &*node.uid,
                node.is_young,
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("m1", true, Some(true), "5cc9-3e", false),
            ("m2", false, None, "", true),
            ("m4", false, None, "", true)
        ]
    );
}

#[test]
fn a_node_that_lacks_nothing_but_a_network_is_alive() {
    let alive = |status: &str, message: &str| {
        let told = format!(
            "node=m1\t5cc9\t\t{{}}\t[]\t{{}}\t[{{\"type\":\"Ready\",\"status\":\"{status}\",\"message\":\"{message}\"}}]\n"
        );
        let nodes = nodes(&reply(&told));
        (nodes[0].ready, nodes[0].is_alive())
    };
    let lacks = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";
    assert_eq!(
        alive("True", "kubelet is posting ready status"),
        (true, true)
    );
    assert_eq!(alive("False", lacks), (false, true));
    assert_eq!(alive("Unknown", lacks), (false, false));
    let more = format!("[{lacks}, node is shutting down]");
    assert_eq!(alive("False", &more), (false, false));
}

#[test]
fn labels_and_taints_are_read_in_their_own_letters() {
    let told = "node=m1\t5cc9\t\t{\"disk\":\"ssd\",\"example.org/zone\":\"\",\"$(x)\":\"a\",\"b\":\"a b\"}\t[]\t{}\t\
        [0,{\"type\":\"Ready\",\"status\":\"True\"}]\t[]\t[{\"effect\":\"NoSchedule\",\"key\":\"gpu\",\"value\":\"yes\"},{\"effect\":\"NoExecute\",\"key\":\"gpu\"},{\"key\":\"x\"},{\"key\":\"';\",\"effect\":\"y\"}]\n";
    let node = nodes(&reply(told)).remove(0);
    assert!(node.ready);
    let all = [node.labels, node.taints].map(|all| {
        let all = all.iter().map(|(key, value)| format!("{key}={value}"));
        all.collect::<Vec<_>>()
    });
    assert_eq!(all[0], ["disk=ssd", "example.org/zone="]);
    assert_eq!(all[1], ["gpu:NoExecute=", "gpu:NoSchedule=yes"]);
}

/// A node's line as kubectl prints it.
fn line(name: &str, labels: &str, version: &str, voter: &str) -> String {
    format!(
        "node={name}\t5cc9\t2026-01-02T03:04:05Z\t{labels}\t[]\t{{\"kubeletVersion\":\"{version}\"}}\t\
         [{{\"type\":\"Ready\",\"status\":\"True\"}},{{\"type\":\"EtcdIsVoter\",{voter}}}]\n"
    )
}

const SERVER: &str = r#"{"node-role.kubernetes.io/etcd":"true"}"#;

#[test]
fn no_kubelet_adds_a_voter() {
    let voting = r#""status":"True","reason":"MemberNotLearner""#;
    let names = |text: &str| {
        let voters = QUESTIONS.voters_told(&reply(text)).expect("it answered");
        let names = voters.iter().map(|voter| voter.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    let forged = "v1\\nnode=x\\tTrue\\tTrue";
    let text = format!(
        "api=ready\n{}{}{}{}{}",
        line("m1", SERVER, "v1", voting),
        line("w1", "{}", forged, voting),
        line(
            "m2",
            SERVER,
            "v1",
            r#""status":"False","reason":"Unhealthy""#
        ),
        line(
            "m3",
            SERVER,
            "v1",
            r#""status":"False","reason":"MemberIsLearner""#
        ),
        line(
            "m4",
            SERVER,
            "v1",
            r#""status":"False","reason":"NotAMember""#
        ),
    );
    assert_eq!(names(&text), "m1 m2", "as the API says");
    let facts = read(&reply(&format!("{text}complete=yes\n"))).expect("complete");
    assert_eq!(facts.node.nodes.len(), 5);
    assert_eq!(facts.node.nodes[1].voter, None);
    // etcd itself is believed, wherever it answers.
    let list = r#"{"header":{"member_id":"71"},"members":[
        {"ID":"75","name":"m-5-0a1b2c3d","peerURLs":["https://[fd00::5]:2380"]},
        {"ID":"71","name":"m1-91bc3c39","peerURLs":["https://10.0.0.1:2380"]},
        {"name":"m2-fd422379","peerURLs":["https://10.0.0.2:2380"],"isLearner":false},
        {"peerURLs":["https://10.0.0.3:2380"],"isLearner":true}]}"#;
    let listed = format!(
        "{text}members=base64:{}\npeer=https://[fd00::5]:2380\npeers=asked\n",
        crate::shell::encode(list.as_bytes()).replace('\n', "")
    );
    let voters = QUESTIONS.voters_told(&reply(&listed)).expect("it answered");
    let told: Vec<_> = voters
        .iter()
        .map(|voter| (&*voter.name, voter.is_up()))
        .collect();
    assert_eq!(told, [("m-5", true), ("m1", true), ("m2", false)]);
    assert_eq!(QUESTIONS.voters_told(&reply("five_minutes_ago=x\n")), None);
}

#[test]
fn what_is_unusual_is_not_taken_for_absent() {
    let facts = read(&reply(
        "address=tun0 10.8.0.2\naddress=eth0 nonsense\nconfig=base64:dG9rZW46IP8K\n\
         drop_in=base64:YTogMQo= 10-a.yaml\ndrop_in=base64: 20-b.yml\n\
         foreign=k3s-agent base64:W1VuaXRdCg==\nforeign_environment=k3s-agent base64:SzNTX1VSTD14Cg==\nforeign_environment=k3s base64:eAo=\nca_hash=short\nversion=k3s version $(x) (y)\n\
         uptime=NaN\ncomplete=yes\n",
    ))
    .expect("complete");
    assert_eq!(facts.addresses.len(), 1);
    assert!(facts.has_address("10.8.0.2".parse().expect("an address")));
    let config = facts.node.config.expect("there is one");
    assert_eq!(config.expose(), "token: \u{fffd}");
    let drop_ins: Vec<_> = facts
        .node
        .drop_ins
        .iter()
        .map(|file| (file.name.as_str(), file.text.expose()))
        .collect();
    assert_eq!(drop_ins, [("10-a.yaml", "a: 1"), ("20-b.yml", "")]);
    let foreign = facts.node.foreign.expect("there is one");
    assert_eq!(
        (
            &*foreign.unit,
            foreign.text.expose(),
            foreign.environment.expose()
        ),
        ("k3s-agent", "[Unit]", "K3S_URL=x")
    );
    assert_eq!((facts.node.ca_hash, facts.node.version), (None, None));
    assert_eq!(facts.uptime, Duration::ZERO);
}

#[test]
fn the_question_is_answered_by_a_real_shell() {
    let output = std::process::Command::new("sh")
        .args(["-c", &QUESTIONS.facts(&DataDir::default()).text])
        .output()
        .expect("sh runs");
    let facts = read(&reply(&String::from_utf8_lossy(&output.stdout))).expect("complete");
    assert!(!facts.hostname.is_empty() && !facts.kernel.is_empty());
    assert!(facts.release_architecture().is_some() && facts.memory_kib > 0);
    assert_eq!(facts.missing_controllers, [""; 0]);
    assert!(facts.disk.free_kib > Some(0) && !facts.disk.read_only);
}

#[test]
fn a_node_is_called_what_its_certificate_says() {
    let named = |name: &str| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut subject = rcgen::CertificateParams::default();
        subject
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "system:nodes");
        subject
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let made = subject.self_signed(&key).expect("a certificate");
        let answer = format!(
            "node_certificate=base64:{}\ncomplete=yes\n",
            crate::shell::encode(made.pem().as_bytes()).replace('\n', "")
        );
        read(&reply(&answer)).expect("complete").node.node_name
    };
    let long = format!("{}.{}", "a".repeat(63), "b".repeat(63));
    for name in ["w1", "rack-1.example.org", &long] {
        assert_eq!(named(&format!("system:node:{name}")).as_deref(), Some(name));
    }
    for name in ["w1", "system:node:", "system:node:$(x)"] {
        assert_eq!(named(name), None, "{name}");
    }
}

#[test]
fn an_answer_without_its_last_line_is_refused() {
    let mut cut = reply("hostname=m1\n");
    cut.stderr = "sudo: a password is required\n".into();
    assert_eq!(
        read(&cut),
        Err("the answer about the host ended early; it said: sudo: a password is required".into())
    );
}
