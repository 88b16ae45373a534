//! How hosts are reached: what OpenSSH's configuration says of them where neither a flag nor the
//! inventory does, and the hosts that connections go through.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::cli::{Environment, SshConfiguration};
use crate::inventory::{Hop, Host, Inventory};
use crate::problem::{Code, Problem, problem};
use crate::ssh::{ConfigFiles, ConfigQuery, OpenSsh, SshConfig};
use crate::vars::{Origin, Sourced};

mod tokens;

use tokens::ConfigTokens;

/// So many hosts are asked for at once.
const AT_ONCE: usize = 16;
/// As many hosts may stand before one another.
const MOST_HOPS: usize = 8;

/// Keywords that are used besides those with a key in the inventory.
const USED: [&str; 9] = [
    "addressfamily",
    "globalknownhostsfile",
    "hashknownhosts",
    "hostkeyalias",
    "identitiesonly",
    "proxycommand",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
];
/// Keywords without which a connection may fail, as they are written, that are not used.
const UNUSED: [&str; 6] = [
    "BindAddress",
    "BindInterface",
    "KnownHostsCommand",
    "PKCS11Provider",
    "PreferredAuthentications",
    "VerifyHostKeyDNS",
];

/// The hosts that the connection to a host goes through, the nearest first, by the host's name.
pub type Bastions = BTreeMap<String, Vec<Host>>;

/// Which files of ssh's configuration a command line wants.
pub fn config_files(arguments: &SshConfiguration) -> ConfigFiles {
    match &arguments.ssh_config {
        _ if arguments.no_ssh_config => ConfigFiles::Ignored,
        Some(file) => ConfigFiles::Only(file.clone()),
        None => ConfigFiles::Usual,
    }
}

/// Fills in what ssh's configuration says of the hosts, what of it is not used as a warning; and finds
/// the hosts before them.
///
/// # Errors
/// ssh does not take its configuration; a host that connections go through is not written as one, or
/// stands before itself.
pub async fn configure(
    inventory: &mut Inventory,
    files: ConfigFiles,
    environment: &Environment,
) -> Result<Bastions, Problem> {
    let mut notes = Vec::new();
    let is_wanted = files == ConfigFiles::Usual && environment.home.join(".ssh/config").exists();
    let openssh = OpenSsh::new(files).await?;
    if openssh.is_none() && is_wanted {
        notes.push("there is no program `ssh` here, so ~/.ssh/config is not read".to_owned());
    }
    let reader = ConfigReader {
        openssh,
        home: environment.home.clone(),
        has_agent: environment.agent.is_some(),
    };
    let hosts = std::mem::take(&mut inventory.hosts).into_iter();
    let read = hosts.map(|host| reader.read(host));
    inventory.hosts = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let mut bastions = Bastions::new();
    for host in &inventory.hosts {
        let hops = reader.before(host, inventory, MOST_HOPS).await?;
        if !hops.is_empty() {
            bastions.insert(host.name.clone(), hops);
        }
    }
    for keyword in UNUSED {
        let key = keyword.to_lowercase();
        let hosts = inventory.hosts.iter();
        let mut hosts = hosts.filter(|host| host.ssh.configured.contains_key(&key));
        if let Some(host) = hosts.next() {
            let others = match hosts.count() {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            let name = &host.name;
            notes.push(format!(
                "ssh_config: {keyword} is not used ({name}{others})"
            ));
        }
    }
    inventory.warnings.extend(notes);
    Ok(bastions)
}

/// Reads ssh's configuration for one host after the other.
struct ConfigReader {
    openssh: Option<OpenSsh>,
    home: PathBuf,
    /// Whether there is an agent for hosts that name none.
    has_agent: bool,
}

impl ConfigReader {
    /// The host with what is configured for it.
    async fn read(&self, mut host: Host) -> Result<Host, Problem> {
        let Some(openssh) = &self.openssh else {
            return Ok(host);
        };
        let typed = host.address.clone();
        let ssh = &host.ssh;
        let is_said = |origin: &Origin| *origin != Origin::Default;
        let query = ConfigQuery {
            host: &typed,
            user: is_said(&ssh.user.origin).then_some(&*ssh.user.value),
            port: is_said(&ssh.port.origin).then_some(ssh.port.value),
        };
        let config = openssh.host(&query).await;
        let config = config.map_err(|problem| problem.of(&host.name))?;
        if let Some(revoked) = config.get("revokedhostkeys") {
            return Err(problem!(
                Code::SSH_CONFIG_UNUSABLE,
                host = &host.name,
                "RevokedHostKeys {revoked} cannot be respected"
            )
            .next(
                "mark the keys in a known_hosts file with @revoked, or leave the configuration out",
            )
            .flag("--no-ssh-config"));
        }
        self.fill(&mut host, &typed, &config)?;
        Ok(host)
    }

    /// Takes over what is configured and not said otherwise.
    fn fill(&self, host: &mut Host, typed: &str, config: &SshConfig) -> Result<(), Problem> {
        if let Some(name) = config.get("hostname") {
            name.clone_into(&mut host.address);
            host.address_origin = Origin::SshConfig;
        }
        let ssh = &mut host.ssh;
        fill(&mut ssh.user, config.get("user").map(str::to_owned));
        fill(
            &mut ssh.port,
            config.get("port").and_then(|port| port.parse().ok()),
        );
        let timeout = config.get("connecttimeout");
        let timeout = timeout.and_then(|seconds| seconds.parse().ok());
        fill(&mut ssh.connect_timeout_seconds, timeout);
        let hops = config.get("proxyjump").filter(|hops| *hops != "none");
        let hops = hops.map(|hops| hops.split(',').map(|hop| hop.trim().to_owned()).collect());
        fill(&mut ssh.bastion, hops);

        let tokens = ConfigTokens {
            home: &self.home,
            address: &host.address,
            typed,
            port: ssh.port.value,
            user: &ssh.user.value,
            local_user: self.openssh.as_ref().map_or("", OpenSsh::local_user),
            alias: config.get("hostkeyalias"),
        };
        let paths = |keyword: &str| {
            let paths = config.all(keyword).iter();
            let paths = paths.filter_map(|path| tokens.path(path));
            Some(paths.collect::<Vec<_>>()).filter(|paths| !paths.is_empty())
        };
        let agent = config
            .get("identityagent")
            .filter(|text| *text != "SSH_AUTH_SOCK");
        let agent = agent.map(|text| match text.strip_prefix('$') {
            _ if text == "none" => PathBuf::new(),
            Some(name) if !name.starts_with('{') => {
                Environment::variable(name).map_or_else(PathBuf::new, PathBuf::from)
            }
            _ => tokens.path(text).unwrap_or_default(),
        });
        let named = ssh.agent.as_ref().map(|agent| &agent.value);
        let named = named.or(agent.as_ref());
        let has_agent = named.map_or(self.has_agent, |agent| !agent.as_os_str().is_empty());
        // As with ssh, files that are not there are no mistake; of an agent's key the public half is enough.
        let there = |keyword| {
            let found = paths(keyword)?.into_iter();
            let found = found.filter_map(|path| {
                let public = path.with_added_extension("pub");
                let is_held = !path.exists() && has_agent;
                Some(if is_held { public } else { path }).filter(|path| path.exists())
            });
            Some(found.collect::<Vec<_>>()).filter(|found| !found.is_empty())
        };
        let (keys, certificates) = (there("identityfile"), there("certificatefile"));
        let known = config.get("userknownhostsfile").map(|files| {
            let files = files.split_ascii_whitespace();
            let files = files.filter_map(|file| match file {
                "none" => Some(PathBuf::from("/dev/null")),
                file => tokens.path(file),
            });
            files.collect::<Vec<_>>()
        });
        let mut configured = BTreeMap::new();
        let unused = UNUSED.map(str::to_lowercase);
        for keyword in USED.into_iter().chain(unused.iter().map(String::as_str)) {
            if let Some(value) = config.get(keyword) {
                let value = match keyword {
                    "proxycommand" if value == "none" => continue,
                    "proxycommand" => tokens.command(value).ok_or_else(|| {
                        let text = "a token of it is not known here, or its value could be taken for shell text";
                        let what = "ProxyCommand cannot be used";
                        problem!(Code::SSH_CONFIG_UNUSABLE, host = &host.name, "{what}")
                            .because(format!("{value}: {text}"))
                            .next("the tokens %d %h %k %n %p %r %u and %% are known")
                    })?,
                    _ => value.to_owned(),
                };
                configured.insert(keyword.to_owned(), value);
            }
        }
        fill(&mut ssh.key, keys);
        fill(&mut ssh.certificate, certificates);
        fill(&mut ssh.known_hosts, known);
        if ssh.agent.is_none() {
            let origin = Origin::SshConfig;
            ssh.agent = agent.map(|value| Sourced { value, origin });
        }
        ssh.configured = configured;
        Ok(())
    }

    /// The hosts that the connection to one goes through, the nearest first.
    async fn before(
        &self,
        host: &Host,
        inventory: &Inventory,
        most: usize,
    ) -> Result<Vec<Host>, Problem> {
        let Sourced {
            value: hops,
            origin,
        } = &host.ssh.bastion;
        let mut before = Vec::new();
        for text in hops {
            let said = |what: &str| {
                problem!(Code::BASTION_UNFIT, host = &host.name, "{text}: {what}")
                    .because(format!("it is a host to connect through by {origin}"))
                    .next("it is written [USER@]HOST[:PORT], or is the name of another host of the inventory")
            };
            let hop = Hop::parse(text).ok_or_else(|| said("this is not a host"))?;
            let is_bare = hop.user.is_none() && hop.port.is_none();
            let known = inventory.host(hop.host).filter(|_| is_bare);
            let is_itself = known.is_some_and(|known| known.name == host.name)
                || (hop.host == host.address && hop.port.unwrap_or(22) == host.ssh.port.value);
            // What everything goes through is itself reached by what stands before it.
            if is_itself {
                break;
            }
            let next = match known {
                Some(known) => known.clone(),
                None => self
                    .read(foreign(text, &hop, host))
                    .await
                    .map(|next| own(next, host))?,
            };
            if before.is_empty() && !next.ssh.bastion.value.is_empty() {
                let Some(most) = most.checked_sub(1) else {
                    return Err(said("the connection to it goes through itself"));
                };
                before = Box::pin(self.before(&next, inventory, most)).await?;
            }
            before.push(next);
        }
        Ok(before)
    }
}

/// A host outside the inventory before another one: what the inventory says of that one and what holds
/// for all connections.
fn foreign(text: &str, hop: &Hop<'_>, host: &Host) -> Host {
    let origin = &host.ssh.bastion.origin;
    let mut next = host.clone();
    text.trim_start_matches("ssh://").clone_into(&mut next.name);
    hop.host.clone_into(&mut next.address);
    next.address_origin = origin.clone();
    let ssh = &mut next.ssh;
    ssh.user = Sourced::default("root".to_owned());
    ssh.port = Sourced::default(22);
    if let Some(user) = hop.user {
        ssh.user = Sourced {
            value: user.to_owned(),
            origin: origin.clone(),
        };
    }
    if let Some(value) = hop.port {
        ssh.port = Sourced {
            value,
            origin: origin.clone(),
        };
    }
    ssh.bastion = Sourced::default(Vec::new());
    ssh.host_key = Sourced::default(Vec::new());
    // It is not told to a host that it was not given for.
    ssh.password = None;
    ssh.key = Sourced::default(Vec::new());
    ssh.certificate = Sourced::default(Vec::new());
    if ssh.known_hosts.origin == Origin::SshConfig {
        ssh.known_hosts = Sourced::default(Vec::new());
    }
    let is_configured = |agent: &Sourced<PathBuf>| agent.origin == Origin::SshConfig;
    if ssh.agent.as_ref().is_some_and(is_configured) {
        ssh.agent = None;
    }
    if ssh.connect_timeout_seconds.origin == Origin::SshConfig {
        ssh.connect_timeout_seconds = Sourced::default(10);
    }
    ssh.configured = BTreeMap::new();
    next
}

/// Where nothing is configured for it, the user and the keys are those of the host behind it.
fn own(mut next: Host, host: &Host) -> Host {
    if next.ssh.user.origin == Origin::Default {
        next.ssh.user = host.ssh.user.clone();
    }
    if next.ssh.key.origin == Origin::Default {
        next.ssh.key = host.ssh.key.clone();
    }
    if next.ssh.certificate.origin == Origin::Default {
        next.ssh.certificate = host.ssh.certificate.clone();
    }
    next
}

/// Takes a value over where nothing says another one.
fn fill<T>(setting: &mut Sourced<T>, value: Option<T>) {
    if let Some(value) = value
        && setting.origin == Origin::Default
    {
        *setting = Sourced {
            value,
            origin: Origin::SshConfig,
        };
    }
}
