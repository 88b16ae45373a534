//! A host that joins, and the server or the token that it joins with.

use serde_json::{Map, Value, json};

use super::{AdHocInventory, absolute, append, checked, host_name, object};
use crate::cli::JoinArguments;
use crate::distribution::Settings;
use crate::engine::Refusal;
use crate::facts::{Datastore, Facts};
use crate::kubernetes::kubeconfig::server_url;
use crate::problem::{Code, Problem, problem};
use crate::vars::Secret;

impl AdHocInventory {
    /// A host that joins, and the server that is read for it.
    pub fn join(arguments: &JoinArguments) -> Result<Self, Problem> {
        let usual = if arguments.server { "server" } else { "agent" };
        let role = arguments.node.role.as_deref().unwrap_or(usual);
        let mut adhoc = Self::host(&arguments.node, role)?;
        if arguments.server && !adhoc.is_server() {
            return Err(problem!(
                Code::FLAG_UNFIT,
                "--server: a host whose role is {role} is no server"
            )
            .next("leave out one of --server and --role"));
        }
        let servers_only = [
            ("--tls-san", !arguments.node.tls_san.is_empty()),
            ("--no-extras", arguments.node.no_extras),
        ];
        let unfit = servers_only.iter().find(|(_, is_typed)| *is_typed);
        if let (false, Some((flag, _))) = (adhoc.is_server(), unfit) {
            return Err(problem!(Code::FLAG_UNFIT, "{flag} is for servers")
                .next("leave it out, or add")
                .flag("--server"));
        }
        if let (Some(_), Some(ip)) = (&arguments.server_host, &arguments.server_ip) {
            let note = format!("--server-ip {ip} is not used: --server-host names the server");
            adhoc.notes.push(note);
        }
        let server = arguments
            .server_host
            .as_ref()
            .or(arguments.server_ip.as_ref());
        if arguments.server_host.is_some() {
            adhoc.joined = "--server-host";
        }
        adhoc.fits("--node-token", arguments.node_token.is_some())?;
        adhoc.fits("--node-token-path", arguments.node_token_path.is_some())?;
        adhoc.server_url.clone_from(&arguments.server_url);
        let given = arguments.node_token.is_some() || arguments.node_token_path.is_some();
        match (server, given) {
            (None, false) => {
                return Err(Problem::new(Code::FLAG_MISSING, "--server-ip or --server-host is missing").next(
                    "give a server of the cluster to join; the token is read from it, unless --node-token-path is given",
                ));
            }
            (_, true) => adhoc.elsewhere(arguments, server)?,
            (Some(server), false) => adhoc.observed(arguments, server)?,
        }
        let extra = adhoc.typed(&arguments.node.extra_args)?;
        adhoc.extra(extra, false, arguments.node.no_extras)?;
        Ok(adhoc)
    }

    /// The server that is read, and not changed.
    fn observed(&mut self, arguments: &JoinArguments, server: &str) -> Result<(), Problem> {
        let mut name = host_name(server);
        // Behind one address, machines are told apart by their ports.
        let port = arguments.server_ssh_port;
        if let Some(port) = port.filter(|port| Some(*port) != arguments.node.login.ssh_port)
            && name == self.target
        {
            name = format!("{name}-{port}");
        }
        if self.draft.hosts.contains_key(&name) {
            return Err(problem!(Code::FLAG_VALUE, "{server} cannot join itself")
                .next("--ip names the host that joins, --server-ip a server that is there"));
        }
        let mut ssh = Map::new();
        if let Some(user) = &arguments.server_user {
            ssh.insert("user".into(), json!(user));
        }
        if let Some(port) = port {
            ssh.insert("port".into(), json!(port));
        }
        let mut host = json!({"address": server, "role": "server"});
        if !ssh.is_empty() {
            host["ssh"] = json!(ssh);
        }
        // The server stands first, as in a file written by hand.
        let own = std::mem::take(&mut self.draft.hosts);
        self.draft.hosts.insert(name.clone(), host);
        self.draft.hosts.extend(own);
        if self.is_server() {
            // It may be the second one on the way to three.
            let allowed = json!(true);
            self.draft
                .cluster
                .insert("allow_two_servers".into(), allowed);
        }
        self.look_in(checked(arguments.server_data_dir.as_ref())?, &name);
        if let Some(url) = &self.server_url {
            let dialect = self.distribution.dialect;
            if dialect.in_place_of("server_url").is_some() {
                return Err(
                    problem!(Code::FLAG_UNFIT, "--server-url is not for {}", dialect.name)
                        .because(
                            "its hosts join at a server, or where the cluster's configuration says",
                        )
                        .next("leave it out"),
                );
            }
            let Some(authority) = url.strip_prefix("https://") else {
                return Err(problem!(
                    Code::FLAG_VALUE,
                    "--server-url: `{url}` is not an address to join at"
                )
                .next(format!(
                    "one looks like https://k8s.example.org:{}",
                    self.distribution.rules.product().api_port
                )));
            };
            let name = authority
                .rsplit_once(':')
                .map_or(authority, |(name, _)| name);
            let name = name.trim_matches(['[', ']']).to_owned();
            append(&mut self.draft.cluster, "tls_sans", [json!(name)]);
        }
        Ok(())
    }

    /// A cluster of which nothing is known but where it is and its token.
    fn elsewhere(
        &mut self,
        arguments: &JoinArguments,
        server: Option<&String>,
    ) -> Result<(), Problem> {
        let url = match (self.server_url.take(), server) {
            (Some(url), _) => {
                self.joined = "--server-url";
                url
            }
            (None, Some(server)) => {
                let port = server.rsplit_once(':').filter(|(host, port)| {
                    !host.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit())
                });
                if let Some((host, _)) = port {
                    return Err(problem!(
                        Code::FLAG_VALUE,
                        "{}: `{server}` is not an IP address or DNS name",
                        self.joined
                    )
                    .next(format!(
                        "write {host}: with a token the server is not logged in to"
                    ))
                    .next("if that is the port of the API")
                    .flag(format!("--server-url https://{server}")));
                }
                server_url(server, self.distribution.rules.product().api_port)
            }
            (None, None) => {
                return Err(Problem::new(
                    Code::FLAG_MISSING,
                    "--server-ip, --server-host or --server-url is missing",
                )
                .next("name where the cluster is that the host joins"));
            }
        };
        self.draft.cluster.insert("server_url".into(), json!(url));
        if let Some(file) = &arguments.node_token_path {
            self.draft
                .cluster
                .insert("token_file".into(), json!(absolute(file)));
        }
        if let Some(token) = &arguments.node_token {
            self.warn_of_process_lists("--node-token", "--node-token-path");
            self.token = Some(Secret::new(token));
            if arguments.node.save_inventory.is_some() {
                return Err(Problem::new(
                    Code::FLAG_UNFIT,
                    "--save-inventory does not write tokens into a file",
                )
                .next("give the token in a file, which the inventory then names")
                .flag("--node-token-path FILE"));
            }
        }
        Ok(())
    }

    /// The name of the server that is read, if one is.
    pub fn read_server(&self) -> Option<&str> {
        let mut others = self.draft.hosts.keys().filter(|name| **name != self.target);
        others.next().map(String::as_str)
    }

    /// Takes over what all servers of the cluster share, and where the cluster is reached.
    ///
    /// # Errors
    /// What was typed says something else than the cluster does.
    pub fn carry_over(
        &mut self,
        shared: Settings,
        names: Vec<String>,
        server: &str,
    ) -> Result<(), Problem> {
        let own = self.address(server).unwrap_or_default().to_owned();
        let names = names.into_iter().filter(|name| *name != own);
        append(
            &mut self.draft.cluster,
            "tls_sans",
            names.map(Value::String),
        );
        let config = object(&mut self.draft.cluster, "config");
        for (key, value) in &*config {
            let theirs = shared.get(key);
            if !(self.distribution.flags.is_same)(key, theirs, Some(value)) {
                let theirs = theirs.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                return Err(problem!(
                    Code::SERVER_SETTINGS_DIFFER,
                    "--{key} is shared by all servers of a cluster, and {server} has another value"
                )
                .because(format!("it has {theirs}, and {value} was typed"))
                .next("leave it out: what all servers share is copied from that server"));
            }
        }
        config.extend(shared);
        if config.is_empty() {
            self.draft.cluster.remove("config");
        }
        Ok(())
    }
}

/// What the server that was read says about the cluster that is joined.
pub fn of_server(adhoc: &mut AdHocInventory, name: &str, facts: &Facts) -> Result<(), Refusal> {
    adhoc.found_data(name, facts)?;
    let distribution = adhoc.distribution_flag();
    if facts.node.datastore.is_none() {
        return Err(problem!(
            Code::NO_CLUSTER,
            host = name,
            "there is no cluster here to join"
        )
        .because(format!(
            "no server of {} has ever run on it",
            adhoc.distribution.rules.product().name
        ))
        .next("to make it the first server")
        .command(format!("towline install{distribution} --ip {name}"))
        .into());
    }
    let role = (adhoc.distribution.flags.role_on)(facts);
    object(&mut adhoc.draft.hosts, name).insert("role".into(), json!(role));
    let as_server = adhoc.is_server();
    let may_move = adhoc
        .distribution
        .dialect
        .in_place_of("datastore")
        .is_none();
    if as_server && may_move && facts.node.datastore == Some(Datastore::Sqlite) {
        return Err(problem!(
            Code::SQLITE_ONE_SERVER,
            "{name} keeps its cluster in sqlite, which only one server can use"
        )
        .next("move its data to embedded etcd, then join again")
        .command(format!("towline install --ip {name} --cluster"))
        .into());
    }
    if as_server {
        let shared = (adhoc.distribution.flags.shared_on)(facts).map_err(|why| {
            problem!(
                Code::NODE_CONFIG_UNREADABLE,
                host = name,
                "the settings of {} here cannot be read",
                adhoc.distribution.rules.product().name
            )
            .because(why)
        })?;
        let names = (adhoc.distribution.flags.certificate_names)(facts);
        adhoc.carry_over(shared, names, name)?;
    }
    Ok(())
}
