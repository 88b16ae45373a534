//! The first server of a cluster.

use serde_json::json;

use super::{AdHocInventory, absolute, name};
use crate::cli::InstallArguments;
use crate::inventory::Role;
use crate::problem::{Code, Problem, problem};
use crate::vars::Secret;

impl AdHocInventory {
    /// A server.
    pub fn install(arguments: &InstallArguments) -> Result<Self, Problem> {
        if arguments.datastore.is_some() {
            return Err(Problem::new(
                Code::DATASTORE_EXTERNAL,
                "--datastore: all processes of this machine can read the password in a typed line",
            )
            .next("write an inventory, and deploy it")
            .inventory("cluster: {datastore_endpoint: {env: DATASTORE_ENDPOINT}}")
            .next("to keep the data in embedded etcd, on one server or on several")
            .flag("--cluster"));
        }
        let role = arguments.node.role.as_deref().unwrap_or("server");
        let mut adhoc = Self::host(&arguments.node, role)?;
        let dialect = adhoc.distribution.dialect;
        if arguments.ipsec {
            let problem = Problem::new(
                Code::FLAG_UNFIT,
                "--ipsec: k3s has no flannel backend ipsec any more, since 1.27",
            );
            return Err(match dialect.name {
                "k3s" => problem
                    .next("to encrypt what travels between nodes")
                    .flag("--extra-args '--flannel-backend wireguard-native'"),
                name => problem.next(format!("leave it out: {name} never had it")),
            });
        }
        if dialect.role(role) == Some(Role::Agent) {
            return Err(problem!(
                Code::FLAG_UNFIT,
                "--role {role}: the first host of a cluster is a server"
            )
            .next("leave it out, or join the host to a cluster")
            .command(format!(
                "towline join{} --server-ip ADDRESS",
                adhoc.distribution_flag()
            )));
        }
        adhoc.fits("--token", arguments.token.is_some())?;
        adhoc.fits("--token-file", arguments.token_file.is_some())?;
        let cluster = &mut adhoc.draft.cluster;
        cluster.shift_insert(
            0,
            "name".into(),
            json!(name(&arguments.destination.context)),
        );
        if arguments.cluster && dialect.in_place_of("datastore").is_none() {
            cluster.insert("datastore".into(), json!("etcd"));
        }
        if let Some(file) = &arguments.token_file {
            adhoc
                .draft
                .cluster
                .insert("token_file".into(), json!(absolute(file)));
        }
        if let Some(token) = &arguments.token {
            adhoc.warn_of_process_lists("--token", "--token-file");
            adhoc.token = Some(Secret::new(token));
        }
        let extra = adhoc.typed(&arguments.node.extra_args)?;
        adhoc.extra(extra, true, arguments.node.no_extras)?;
        Ok(adhoc)
    }

    /// Refuses a flag that names a token, where the distribution has none that lasts.
    pub(super) fn fits(&self, flag: &str, is_typed: bool) -> Result<(), Problem> {
        let dialect = self.distribution.dialect;
        match dialect.in_place_of("token").filter(|_| is_typed) {
            Some(why) => Err(
                problem!(Code::FLAG_UNFIT, "{flag} is not for {}", dialect.name)
                    .because(why)
                    .next("leave it out; a host that joins names a server:  --server-ip ADDRESS"),
            ),
            None => Ok(()),
        }
    }
}
