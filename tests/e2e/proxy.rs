//! A network with one way out: an HTTP proxy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use towline_lab::Mirror;

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
    place.kept_its_secrets();
}
