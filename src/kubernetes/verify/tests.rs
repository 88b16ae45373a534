use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::kubernetes::kubeconfig::rewrite;

const VERSION: &str = r#"{"major":"1","minor":"36","gitVersion":"v1.36.3+k3s1","gitCommit":"x","gitTreeState":"clean","buildDate":"x","goVersion":"x","compiler":"gc","platform":"linux/amd64"}"#;
const NODES: &str = r#"{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[
{"metadata":{"name":"beta"},"status":{"conditions":[{"type":"Ready","status":"Unknown"}],"nodeInfo":{"architecture":"amd64","bootID":"","containerRuntimeVersion":"","kernelVersion":"","kubeProxyVersion":"","kubeletVersion":"v1.36.2+k3s1","machineID":"","operatingSystem":"linux","osImage":"","systemUUID":""}}},
{"metadata":{"name":"alpha","labels":{"node-role.kubernetes.io/etcd":"true","node-role.kubernetes.io/control-plane":"true","x":"y"}},"status":{"addresses":[{"type":"Hostname","address":"alpha"},{"type":"InternalIP","address":"10.0.0.1"}],"conditions":[{"type":"EtcdIsVoter","status":"True"},{"type":"Ready","status":"True"}],"nodeInfo":{"architecture":"amd64","bootID":"","containerRuntimeVersion":"","kernelVersion":"","kubeProxyVersion":"","kubeletVersion":"v1.36.3+k3s1","machineID":"","operatingSystem":"linux","osImage":"","systemUUID":""}}}]}"#;

/// A cluster's authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn sign(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        (certificate, key)
    }

    fn kubeconfig(&self, server: &str) -> Kubeconfig {
        let (certificate, key) = self.sign(&["user"]);
        let source = format!(
            "clusters: [{{name: d, cluster: {{server: 'https://x:1', certificate-authority-data: {}}}}}]\n\
             contexts: [{{name: d, context: {{cluster: d, user: d}}}}]\n\
             users: [{{name: d, user: {{client-certificate-data: {}, client-key-data: {}}}}}]\n",
            STANDARD.encode(self.certificate.pem()),
            STANDARD.encode(certificate.pem()),
            STANDARD.encode(key.serialize_pem()),
        );
        rewrite(&source, server, "home").unwrap()
    }
}

/// What the server answers to every request but those of a healthy one.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Healthy,
    Status(u16),
    Hangs,
}

/// Serves TLS with a certificate of `authority` for `names`; the n-th connection and later ones
/// get the n-th entry. Gives the port.
async fn serve(authority: &Authority, names: &[&[&str]], mood: Mood) -> u16 {
    serve_at("127.0.0.1", authority, authority, names, mood).await
}

async fn serve_at(
    address: &str,
    authority: &Authority,
    of_clients: &Authority,
    names: &[&[&str]],
    mood: Mood,
) -> u16 {
    let mut clients = RootCertStore::empty();
    clients.add(of_clients.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let acceptors: Vec<_> = names
        .iter()
        .map(|names| {
            let (certificate, key) = authority.sign(names);
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(clients.clone()),
                Arc::clone(&provider),
            )
            .build()
            .unwrap();
            let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_client_cert_verifier(verifier)
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
            tokio_rustls::TlsAcceptor::from(Arc::new(config))
        })
        .collect();
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut acceptors = acceptors.into_iter().peekable();
        let mut current = acceptors.next().unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = current.clone();
            if let Some(next) = acceptors.next() {
                current = next;
            }
            tokio::spawn(async move {
                if mood == Mood::Hangs {
                    sleep(Duration::from_mins(1)).await;
                }
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, mood).await;
                }
            });
        }
    });
    port
}

async fn answer(mut stream: tokio_rustls::server::TlsStream<TcpStream>, mood: Mood) {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => request.extend_from_slice(&part[..count]),
            _ => return,
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let is_version = request.starts_with(b"GET /version ");
        let (status, body) = match mood {
            Mood::Healthy | Mood::Hangs if is_version => (200, VERSION.to_owned()),
            Mood::Healthy | Mood::Hangs => (200, NODES.to_owned()),
            Mood::Status(code) => (
                code,
                format!(
                    r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"no","reason":"x","code":{code}}}"#
                ),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .is_err()
        {
            return;
        }
        request.clear();
    }
}

const SHORT: Duration = Duration::from_secs(2);

/// What was answered, or the code of the problem and why.
async fn ask(
    authority: &Authority,
    port: u16,
    deadline: Duration,
) -> Result<Verified, (Code, String)> {
    let kubeconfig = authority.kubeconfig(&format!("https://127.0.0.1:{port}"));
    verify(&kubeconfig, &["k3s"], deadline)
        .await
        .map_err(|problem| {
            assert!(problem.what.contains("127.0.0.1"), "{problem}");
            assert!(!problem.next.is_empty(), "{problem}");
            (problem.code, problem.why.join("; "))
        })
}

fn refused(code: Code, why: &str) -> Result<Verified, (Code, String)> {
    Err((code, why.to_owned()))
}

#[tokio::test]
async fn a_healthy_api_tells_its_version_and_nodes() {
    let authority = Authority::new("ca");
    let port = serve(&authority, &[&["127.0.0.1"]], Mood::Healthy).await;
    let verified = ask(&authority, port, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(verified.version, "v1.36.3+k3s1");
    assert_eq!(
        verified.nodes,
        [
            NodeLine {
                name: "alpha".to_owned(),
                ready: true,
                lacks_network: false,
                roles: vec!["control-plane".to_owned(), "etcd".to_owned()],
                internal_ip: Some("10.0.0.1".to_owned()),
                kubelet_version: "v1.36.3+k3s1".to_owned(),
                etcd_voter: Some(true),
            },
            NodeLine {
                name: "beta".to_owned(),
                ready: false,
                lacks_network: false,
                roles: Vec::new(),
                internal_ip: None,
                kubelet_version: "v1.36.2+k3s1".to_owned(),
                etcd_voter: None,
            },
        ]
    );
}

#[tokio::test]
async fn a_certificate_without_the_address_is_named_with_what_it_is_for() {
    let authority = Authority::new("ca");
    let port = serve(
        &authority,
        &[&["localhost", "10.0.0.1", "::1"]],
        Mood::Healthy,
    )
    .await;
    assert_eq!(
        ask(&authority, port, SHORT).await,
        refused(
            Code::API_CERTIFICATE_NAME,
            "it is for localhost, 10.0.0.1, ::1"
        )
    );
}

#[tokio::test]
async fn a_name_that_the_certificate_gets_late_is_waited_for() {
    let authority = Authority::new("ca");
    let port = serve(
        &authority,
        &[&["localhost"], &["localhost"], &["localhost", "127.0.0.1"]],
        Mood::Healthy,
    )
    .await;
    assert!(ask(&authority, port, Duration::from_secs(10)).await.is_ok());
}

#[tokio::test]
async fn another_authority_is_told_from_a_missing_name_and_not_waited_for() {
    let port = serve(&Authority::new("ca"), &[&["127.0.0.1"]], Mood::Healthy).await;
    let started = Instant::now();
    for name in ["other", "ca"] {
        assert_eq!(
            ask(&Authority::new(name), port, Duration::from_secs(30)).await,
            refused(
                Code::API_CERTIFICATE_AUTHORITY,
                "the certificate is not from the authority in this cluster's kubeconfig"
            ),
            "{name}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_user_who_is_not_accepted_is_told_so_at_once() {
    let authority = Authority::new("ca");
    for status in [401, 403] {
        let port = serve(&authority, &[&["127.0.0.1"]], Mood::Status(status)).await;
        assert_eq!(
            ask(&authority, port, Duration::from_secs(30)).await,
            refused(Code::API_UNAUTHORIZED, "no")
        );
    }
}

#[tokio::test]
async fn an_api_that_is_still_starting_is_asked_until_the_deadline() {
    let authority = Authority::new("ca");
    let port = serve(&authority, &[&["127.0.0.1"]], Mood::Status(503)).await;
    let answer = ask(&authority, port, SHORT).await;
    assert_eq!(
        answer,
        refused(Code::API_UNRESPONSIVE, "the API answered 503: no")
    );
}

#[tokio::test]
async fn a_closed_port_is_told_so_and_waited_for() {
    let authority = Authority::new("ca");
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        ask(&authority, port, SHORT).await,
        refused(
            Code::API_PORT_CLOSED,
            "the machine answers and refuses connections there"
        )
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_told_from_a_firewall() {
    let authority = Authority::new("ca");
    let port = serve(&authority, &[&["127.0.0.1"]], Mood::Hangs).await;
    assert_eq!(
        ask(&authority, port, SHORT).await,
        refused(
            Code::API_UNRESPONSIVE,
            "the port accepts connections, but the API does not answer in time"
        )
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_told_so() {
    let kubeconfig = Authority::new("ca").kubeconfig("https://no-such-name.invalid:6443");
    let problem = verify(&kubeconfig, &["k3s"], Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(problem.code, Code::API_NAME_UNRESOLVED);
    assert!(
        problem.what.starts_with("no-such-name.invalid: "),
        "{problem}"
    );
}

#[tokio::test]
async fn a_client_certificate_that_the_handshake_refuses_is_not_authorized() {
    let (authority, other) = (Authority::new("ca"), Authority::new("other"));
    let port = serve_at(
        "127.0.0.1",
        &authority,
        &other,
        &[&["127.0.0.1"]],
        Mood::Healthy,
    )
    .await;
    let (code, why) = ask(&authority, port, Duration::from_secs(30))
        .await
        .unwrap_err();
    assert!(
        code == Code::API_UNAUTHORIZED && why.starts_with("TLS: "),
        "{why}"
    );
}

#[tokio::test]
async fn an_ipv6_address_is_asked_without_its_brackets() {
    if TcpListener::bind("[::1]:0").await.is_err() {
        return;
    }
    let authority = Authority::new("ca");
    let names: [(&[&str], bool); 2] = [(&["::1"], true), (&["127.0.0.1"], false)];
    for (names, is_good) in names {
        let port = serve_at("::1", &authority, &authority, &[names], Mood::Healthy).await;
        let kubeconfig = authority.kubeconfig(&format!("https://[::1]:{port}"));
        let answer = verify(&kubeconfig, &["k3s"], SHORT).await;
        assert_eq!(answer.is_ok(), is_good, "{answer:?}");
        if let Err(problem) = answer {
            let problem = problem.to_string();
            assert!(problem.contains("tls_sans: [\"::1\"]"), "{problem}");
        }
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_told_as_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (code, why) = ask(&Authority::new("ca"), port, SHORT).await.unwrap_err();
    assert!(code == Code::API_UNRESPONSIVE && !why.is_empty(), "{why}");
}
