//! The hosts of `k3sup plan`: a JSON list with a hostname and an address for each.

use std::path::Path;

use super::making::{HostDraft, Making};
use super::reading::Reading;
use super::{ConvertError, Converted, Judge, Source};
use crate::inventory::{self, Role};
use crate::problem::{Code, Problem, problem};

/// Makes an inventory whose first hosts are servers, as many as are wanted.
///
/// # Errors
/// It is no list of hosts, or there are fewer hosts than servers.
pub fn convert(
    source: &Source,
    servers: usize,
    judge: Judge<'_>,
) -> Result<Converted, ConvertError> {
    let documents = inventory::documents(&source.text, Path::new(&*source.name))?;
    let list = documents
        .first()
        .map(inventory::YamlNode::items)
        .unwrap_or_default();
    let reading = Reading::new(source);
    let mut making = Making::default();
    for (index, item) in list.iter().enumerate() {
        let at = source.at(item.span.line);
        let name = reading.text(item, "hostname");
        let Some(address) = reading.text(item, "ip") else {
            let name = name.map_or_else(|| (index + 1).to_string(), |name| name.value);
            making.leave(&at, format!("the host {name} has no `ip`"));
            continue;
        };
        let name = name.map_or_else(|| address.value.clone(), |name| name.value);
        let role = if making.hosts.len() < servers {
            Role::Server
        } else {
            Role::Agent
        };
        let mut host = HostDraft::new(&name, at, role);
        host.address = Some(address);
        making.hosts.push(host);
    }
    if making.hosts.is_empty() {
        return Err(problem!(
            Code::SOURCE_INVALID,
            "{} is not a list of hosts from  k3sup plan",
            source.name
        )
        .because("it is not a list of objects with `hostname` and `ip`")
        .into());
    }
    if making.hosts.len() < servers {
        let problem = format!(
            "{} has fewer hosts ({}) than servers ({servers})",
            source.name,
            making.hosts.len()
        );
        return Err(Problem::new(Code::SOURCE_WITHOUT_SERVER, problem)
            .next("say how many are servers, as to k3sup plan")
            .flag("--servers 1")
            .into());
    }
    for item in list {
        reading.rest(
            item,
            "",
            &|_| "has no counterpart here".to_owned(),
            &mut making,
        );
    }
    making.finish(&source.name, "from-k3sup", true, judge)
}
