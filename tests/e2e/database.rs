//! A cluster whose data is in a database outside, behind a load balancer that hosts join at: PostgreSQL, MariaDB and
//! haproxy are Debian's.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use towline_lab::Audit;

use crate::inventory::Inventory;
use crate::place::{Place, wait_for};
use crate::secrets::planted::random;
use crate::secrets::record::{Found, Traced, look_on, now};
use crate::secrets::search::Search;

/// A program of Debian's that serves on the gateway's address, and ends with this or with the thread that started it.
pub struct Daemon(Child);

impl Daemon {
    fn start(place: &Place, name: &str, command: &mut Command, port: u16) -> Self {
        let log = fs::File::create(place.lab.directory().join(name).with_extension("log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut daemon = Self(command.spawn().unwrap());
        let at = (place.lab.gateway(), port);
        wait_for(&format!("{name} to serve"), || {
            let ended = daemon.0.try_wait().unwrap();
            assert!(ended.is_none(), "{name} {ended:?}: see its log");
            TcpStream::connect(at).ok()
        });
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that the kernel ends with the thread that starts it.
fn bound(program: impl AsRef<Path>, user: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if user != "root" {
        // The lab's folder is root's alone; this is enough to pass through it.
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        command.args(["--inh-caps", "+dac_read_search"]);
        command.args(["--ambient-caps", "+dac_read_search"]);
    }
    command.arg("--").arg(program.as_ref());
    command
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A folder of the lab for a program's data.
fn folder(place: &Place, name: &str) -> PathBuf {
    let folder = place.lab.directory().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

/// PostgreSQL, which lets k3s in with this password.
pub fn postgresql(place: &Place, password: &str) -> Daemon {
    let newest = fs::read_dir("/usr/lib/postgresql").map(|found| {
        let found = found.map(|entry| entry.unwrap().path().join("bin"));
        found.max().unwrap()
    });
    let programs = newest.expect("tests/lab/prepare postgresql installs it");
    let (data, secret) = (folder(place, "postgresql"), place.file("postgresql"));
    fs::write(&secret, password).unwrap();
    let id = |flag: &str| {
        let output = Command::new("id").args([flag, "postgres"]).output();
        let id = String::from_utf8(output.unwrap().stdout).unwrap();
        id.trim().parse().unwrap()
    };
    chown(&data, Some(id("-u")), Some(id("-g"))).unwrap();
    succeeds(
        bound(programs.join("initdb"), "postgres")
            .args(["-A", "scram-sha-256", "-U", "k3s", "--no-sync", "-D"])
            .arg(&data)
            .arg(format!("--pwfile={}", secret.display())),
    );
    fs::remove_file(secret).unwrap();
    let gateway = place.lab.gateway();
    let access = data.join("pg_hba.conf");
    let mut lines = fs::read_to_string(&access).unwrap();
    lines.push_str(&format!("host all k3s {gateway}/24 scram-sha-256\n"));
    fs::write(&access, lines).unwrap();
    let mut server = bound(programs.join("postgres"), "postgres");
    server
        .args(["-F", "-p", "5432", "-h", &gateway.to_string(), "-k", ""])
        .arg("-D")
        .arg(&data);
    Daemon::start(place, "postgresql", &mut server, 5432)
}

/// MariaDB, which lets k3s in with this password.
fn mariadb(place: &Place, password: &str) -> Daemon {
    let data = folder(place, "mariadb");
    let data_folder = format!("--datadir={}", data.display());
    succeeds(bound("mariadb-install-db", "root").args([
        "--no-defaults",
        "--user=root",
        "--skip-test-db",
        &data_folder,
    ]));
    let users = data.join("users.sql");
    let sql = format!(
        "CREATE USER k3s@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON k3s.* TO k3s@'%';\n"
    );
    fs::write(&users, sql).unwrap();
    let mut server = bound("mariadbd", "root");
    server
        .args(["--no-defaults", "--user=root", &data_folder])
        .arg(format!("--bind-address={}", place.lab.gateway()))
        .arg(format!("--socket={}", data.join("socket").display()))
        .arg(format!("--init-file={}", users.display()));
    Daemon::start(place, "mariadb", &mut server, 3306)
}

/// A load balancer before the servers' port, which leads to those that answer.
fn haproxy(place: &Place, servers: &[&str]) -> Daemon {
    let gateway = place.lab.gateway();
    let mut config = format!(
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n\
         listen api\n  bind {gateway}:6443\n  default-server check inter 500ms on-marked-down shutdown-sessions\n"
    );
    for name in servers {
        let address = place.machine(name).address();
        config.push_str(&format!("  server {name} {address}:6443\n"));
    }
    let file = folder(place, "haproxy").join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut balancer = bound("haproxy", "root");
    Daemon::start(
        place,
        "haproxy",
        balancer.args(["-db", "-f"]).arg(file),
        6443,
    )
}

/// Two words, so that each is looked for, whatever stands in place of the slash.
pub fn password() -> String {
    format!("{}/{}", random(), random())
}

/// Looks through what was said, what ran and what is on the machines: the passwords stand where k3s reads them, and
/// for root alone.
fn is_kept(place: &Place, search: &Search, since: Duration) {
    for said in place.said() {
        assert_eq!(search.find(said.as_bytes()), None, "what was said");
    }
    let log = fs::read(place.file("towline.log")).unwrap();
    assert_eq!(search.find(&log), None, "the log file");
    let mut places = 0;
    for machine in place.lab.machines() {
        for Found {
            path, is_private, ..
        } in look_on(machine, since, search)
        {
            let is_place = path == "/etc/rancher/k3s/config.yaml";
            places += 1;
            assert!(
                is_place && is_private,
                "{path} of {}, private: {is_private}",
                machine.name()
            );
        }
        let journal = machine.succeed("journalctl --no-pager --all --output verbose");
        assert_eq!(search.find(journal.as_bytes()), None, "a journal");
    }
    assert_eq!(places, 2, "both servers are told it");
}

#[test]
fn a_cluster_in_a_database_lives_while_one_server_does_and_is_joined_behind_a_load_balancer() {
    let place = Place::up(2, 1);
    let (right, wrong, other) = (password(), password(), password());
    let audit = Audit::begin(place.lab.id()).unwrap();
    let since = now();
    let search = Search::of(
        &[("right", &right), ("wrong", &wrong), ("other", &other)]
            .map(|(name, text)| (name, text.clone().into_bytes()))
            .into(),
    );
    let database = postgresql(&place, &right);
    let _balancer = haproxy(&place, &["m1", "m2"]);
    // It goes before these do, so that a failure is told while the database answers.
    let place = place;
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let gateway = place.lab.gateway().to_string();

    // The password is escaped in a URL, and as it is in the address of MySQL.
    let secret = place.file("datastore");
    let secretly = |text: &str| {
        fs::write(&secret, text).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    };
    let escaped = right.replace('/', "%2F");
    secretly(&format!("postgres://k3s:{escaped}@{gateway}:5432/k3s"));
    let all = place
        .inventory()
        .cluster("registration_address", &gateway)
        .cluster("datastore_endpoint", "{file: datastore}");
    let servers = all.clone().only(&["m1", "m2"]);
    let loud = |command: &str, inventory: &Inventory| {
        let run = place.towline(command, inventory);
        run.args("--output json -vvv --log-file towline.log")
    };

    let trace = place.file("trace");
    let deployed = loud("deploy", &servers).traced(&trace).run().ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    deployed.says(&[&format!("PostgreSQL at {gateway}:5432")]);
    for machine in [m1, m2] {
        machine.succeed("! test -e /var/lib/rancher/k3s/server/db/etcd");
    }
    loud("deploy", &servers).run().changed_nothing();

    // One server without power: the API goes on, and an agent joins at the load balancer.
    m1.cut().unwrap();
    let api = place.api();
    wait_for("the API behind the load balancer", || {
        api.ask(&gateway, "/readyz").ok()
    });
    let joined = loud("deploy", &all).run().ends(1);
    assert_eq!(
        joined.outcomes(),
        "m1 unreachable, m2 unchanged, m3 changed"
    );
    m3.succeed(&format!(
        "grep -F https://{gateway}:6443 /etc/rancher/k3s/config.yaml"
    ));
    m1.boot().unwrap();
    m1.succeed("until systemctl is-active k3s; do sleep 0.2; done");
    loud("deploy", &all).run().changed_nothing();
    for address in [m1, m2].map(|machine| machine.address().to_string()) {
        // No server has a vote.
        api.expect_summary(&address, "m1 agent, m2 agent, m3 agent");
    }

    let programs = audit.end().unwrap();
    assert!(
        programs
            .iter()
            .any(|program| program == b"/usr/local/bin/k3s server"),
        "the audit tells what systemd starts"
    );
    let traced = Traced::read(&trace);
    for program in programs.iter().chain(&traced.programs) {
        assert_eq!(search.find(program), None, "an argument");
    }
    is_kept(&place, &search, since);

    let reset = loud("reset", &all).arg("--yes").run().ends(0);
    reset.says(&[&format!("PostgreSQL at {gateway}:5432")]);
    drop(database);
    let unreached = loud("deploy", &servers).run().ends(2);
    unreached.says(&[&format!("{gateway}:5432: the connection is refused")]);

    let _database = mariadb(&place, &other);
    let address = |password: &str| format!("mysql://k3s:{password}@tcp({gateway}:3306)/k3s");
    let mistaken = servers.cluster("datastore_endpoint", "{env: DATASTORE}");
    let refused = loud("deploy", &mistaken)
        .env("DATASTORE", &address(&wrong))
        .run()
        .ends(1);
    let problem = refused.row("m1").problem;
    assert!(
        problem.contains("the database refuses the user or the password"),
        "{problem}"
    );
    m2.succeed("! test -e /var/lib/rancher/k3s/server");

    secretly(&address(&other));
    let deployed = loud("deploy", &all).run().ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    loud("deploy", &all).run().changed_nothing();
    is_kept(&place, &search, since);
    place.kept_its_secrets();
}
