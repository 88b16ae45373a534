//! A network with one way out: an HTTP proxy.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use towline_lab::Mirror;

use crate::inventory::Inventory;
use crate::place::Place;
use crate::supply::walk;

/// A proxy that writes down for whom it forwards. It ends with the tests.
struct Proxy {
    address: SocketAddr,
    forwarded: Arc<Mutex<Vec<IpAddr>>>,
}

impl Proxy {
    fn on(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            forwarded: Arc::default(),
        };
        let forwarded = Arc::clone(&proxy.forwarded);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let forwarded = Arc::clone(&forwarded);
                // Who hangs up is no concern of the proxy's.
                thread::spawn(move || drop(forward(&client, &forwarded)));
            }
        });
        proxy
    }

    /// For whom something was forwarded since the last time, in the order of addresses.
    fn take(&self) -> Vec<IpAddr> {
        let mut forwarded = self
            .forwarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        forwarded.sort();
        std::mem::take(&mut forwarded)
    }
}

fn forward(mut client: &TcpStream, forwarded: &Mutex<Vec<IpAddr>>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(client.take(16 * 1024)).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let words: Vec<&str> = request.split(' ').collect();
    let [method, url, _] = words[..] else {
        return Ok(());
    };
    let Some((host, path)) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return client.write_all(b"HTTP/1.1 400 no\r\nConnection: close\r\n\r\n");
    };
    forwarded
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(client.peer_addr()?.ip());
    let mut server = TcpStream::connect(host)?;
    write!(
        server,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    io::copy(&mut server, &mut client)?;
    Ok(())
}

#[test]
fn hosts_fetch_through_a_proxy_where_it_is_the_only_way_also_with_the_wget_of_busybox() {
    let place = Place::up(1, 1);
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    let k3s = place.lab.release();
    let gateway = place.lab.gateway().into();
    let mirror = Mirror::release_on(gateway, k3s).unwrap();
    let proxy = Proxy::on(gateway);
    let inventory = |keys: &str| {
        let binary = format!("{{mirror: \"{}\"{keys}}}", mirror.url());
        place
            .inventory()
            .cluster("version", &k3s.version)
            .cluster("binary", &binary)
    };
    m1.install("curl").unwrap();
    m2.install("busybox").unwrap();
    m2.succeed(
        "for tool in curl wget; do if found=$(command -v $tool); then rm $found; fi; done
         ln -s \"$(command -v busybox)\" /usr/bin/wget && wget --help 2>&1 | grep -q ^BusyBox",
    );
    let port = mirror.url().rsplit(':').next().unwrap();
    for machine in [m1, m2] {
        machine.succeed(&format!(
            "nft add table inet test && nft add chain inet test out '{{ type filter hook output priority 0; }}' &&
             nft add rule inet test out tcp dport {port} reject"
        ));
    }
    let what = format!("k3s {} to /usr/local/bin/k3s", k3s.version);
    let planned = |keys: &str| {
        let planned = place.json("plan", &inventory(keys)).ends(0).planned();
        ["m1", "m2"].map(|host| planned[&(host.to_owned(), "k3s".to_owned())].concat())
    };

    // Their own way is closed, and a proxy that nobody runs is none.
    let closed = format!("the host does not get it from {}", mirror.url());
    let upload = format!("upload {what} ({closed}: uploaded from here)");
    assert_eq!(planned(""), [upload.clone(), upload]);
    let nobody = format!("http://{}:9", place.lab.gateway());
    let upload = format!("upload {what} ({closed} through {nobody}: uploaded from here)");
    let proxied = planned(&format!(", proxy: \"{nobody}\""));
    assert_eq!(proxied, [upload.clone(), upload]);
    assert!(proxy.take().is_empty());

    let keys = format!(", proxy: \"http://{}\"", proxy.address);
    let download = |tool: &str| format!("download {what} (by the host itself, with {tool})");
    assert_eq!(planned(&keys), [download("curl"), download("wget")]);
    let both = [m1, m2].map(|machine| IpAddr::from(machine.address()));
    assert_eq!(proxy.take(), both);

    // Each looks at the release once, and fetches it once.
    let deployed = place.deploy(&inventory(&keys)).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    assert_eq!(proxy.take(), [both[0], both[0], both[1], both[1]]);
    let cached = walk(&place.file(".cache/towline"));
    assert!(
        !cached.iter().any(|file| file.ends_with("/k3s")),
        "nothing was fetched to be sent: {cached:?}"
    );
    place.deploy(&inventory(&keys)).changed_nothing();
    assert!(proxy.take().is_empty());

    // Without the setting it comes from here.
    m2.succeed("rm /usr/local/bin/k3s");
    let deployed = place.deploy(&inventory("")).ends(0);
    let said = &deployed.changes()[&("m2".to_owned(), "k3s".to_owned())];
    assert!(said[0].contains("uploaded from here"), "{said:?}");
    assert!(proxy.take().is_empty());
    k3s_is_told_of_proxies_and_mirrors(&place, &inventory(""));
    place.kept_its_secrets();
}

/// A login at a mirror, and one at a proxy.
const SECRETS: [&str; 2] = ["mirror-\"pa$word", "pr0xy-passw0rd"];

/// What a host has of what its inventory puts there: the proxies of its k3s, modes, the text of a file
/// of one's own, a sysctl, and what containerd is told.
const TOLD: &str = "
    process=$(systemctl show -p MainPID --value k3s k3s-agent | grep -v '^0*$')
    tr '\\0' '\\n' <\"/proc/$process/environ\" | grep -a PROXY= | sort
    cd /etc/rancher/k3s && stat -c '%a %n' registries.yaml registries/*
    stat -c '%a %n' /etc/systemd/system/k3s*.env
    stat -c '%a %U:%G' /etc/site/name && cat /etc/site/name && cat /proc/sys/vm/max_map_count
    cd /var/lib/rancher/k3s/agent/etc/containerd && cat certs.d/docker.io/hosts.toml config.toml | grep -E 'mirror|library|password'";

/// k3s and its container runtime get what the inventory says, lose it again, and restart for it alone.
fn k3s_is_told_of_proxies_and_mirrors(place: &Place, plain: &Inventory) {
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    fs::write(place.file("ca.pem"), "an authority\n").unwrap();
    let registries = "{mirrors: {docker.io: {endpoint: [\"https://mirror.test:5000\"], rewrite: {\"^library/(.*)\": hub/$1}}}, \
        configs: {\"mirror.test:5000\": {auth: {username: pull, password: {env: MIRROR}}, tls: {ca_file: ca.pem}}}}";
    let proxy = "http://ops:${PROXY}@192.0.2.1:3128";
    let inventory = plain
        .clone()
        .cluster("registries", registries)
        .cluster("environment", &format!("{{HTTPS_PROXY: \"{proxy}\", NO_PROXY: example.org}}"))
        .cluster("sysctls", "{vm.max_map_count: 262145}")
        .cluster("packages", "[procps]")
        .cluster(
            "files",
            "{/etc/site/name: {content: \"{{ host.name }} {{ host.role }}\\n\", template: true, mode: \"0640\", owner: \"root:adm\"}}",
        );
    let run = |command: &str, inventory: &Inventory| {
        let towline = place.towline(command, inventory);
        let towline = towline.env("MIRROR", SECRETS[0]).env("PROXY", SECRETS[1]);
        let answer = towline.args("-vvv --output json").run().ends(0);
        for secret in SECRETS {
            let said = [&answer.stdout, &answer.stderr];
            assert!(!said.iter().any(|said| said.contains(secret)), "{secret}");
        }
        answer
    };
    let planned = run("plan", &inventory).planned();
    let restart = &planned[&("m2".to_owned(), "service".to_owned())][0];
    assert!(restart.starts_with("restart k3s-agent: "), "{restart}");
    assert_eq!(
        run("deploy", &inventory).outcomes(),
        "m1 changed, m2 changed"
    );

    let network = format!("{}/24", place.lab.gateway()).replace(".1/24", ".0/24");
    for (machine, unit, own) in [(m1, "k3s", "m1 server"), (m2, "k3s-agent", "m2 agent")] {
        let told = machine.succeed(TOLD);
        let expected = format!(
            "HTTPS_PROXY=http://ops:{}@192.0.2.1:3128\n\
             NO_PROXY=example.org,localhost,127.0.0.0/8,10.42.0.0/16,10.43.0.0/16,{network},.svc,.cluster.local\n\
             600 registries.yaml\n600 registries/mirror.test_5000-ca.pem\n\
             600 /etc/systemd/system/{unit}.service.env\n640 root:adm\n{own}\n262145\n",
            SECRETS[1]
        );
        let containerd = told.strip_prefix(&expected);
        let containerd = containerd.unwrap_or_else(|| panic!("{told}\n{expected}"));
        for wanted in [
            "[host.\"https://mirror.test:5000/v2\"]",
            "ca = [\"/etc/rancher/k3s/registries/mirror.test_5000-ca.pem\"]",
            "\"^library/(.*)\" = \"hub/$1\"",
            "password = \"mirror-\\\"pa$word\"",
        ] {
            assert!(containerd.contains(wanted), "{wanted}\n{containerd}");
        }
    }
    run("deploy", &inventory).changed_nothing();

    // What the inventory names no more is gone; a file that something else wrote would have stayed.
    assert_eq!(run("deploy", plain).outcomes(), "m1 changed, m2 changed");
    for machine in [m1, m2] {
        machine.succeed(
            "! tr '\\0' '\\n' <\"/proc/$(systemctl show -p MainPID --value k3s k3s-agent | grep -v '^0*$')/environ\" | grep -a PROXY=
             ! ls /var/lib/rancher/k3s/agent/etc/containerd/certs.d/docker.io 2>/dev/null
             ! grep -q . /etc/rancher/k3s/registries.yaml || test \"$(wc -l </etc/rancher/k3s/registries.yaml)\" = 1",
        );
    }
    m2.succeed("echo 'mirrors: {}' >/etc/rancher/k3s/registries.yaml && touch -d '2 hours ago' /etc/rancher/k3s/registries.yaml");
    run("deploy", plain).changed_nothing();
    m2.succeed("grep -qx 'mirrors: {}' /etc/rancher/k3s/registries.yaml");
}
