//! What to type next, and what is advised, for a line that was typed.

use std::net::IpAddr;
use std::path::Path;

use super::AdHocInventory;
use crate::cli::Login;
use crate::engine::Refusal;
use crate::problem::{Code, Problem};
use crate::shell::quote;

/// What is advised for an inventory, said in flags, too.
pub fn in_flags(refusal: Refusal) -> Refusal {
    let Refusal::Problems(problems) = refusal else {
        return refusal;
    };
    let in_flags = |problem: Problem| {
        if [Code::DOWNLOAD_FAILED, Code::CHANNEL_INVALID].contains(&problem.code) {
            let problem = problem
                .next("without an inventory, for a mirror")
                .flag("--mirror URL");
            problem.next("and for a version").flag("--version VERSION")
        } else {
            problem
        }
    };
    Refusal::Problems(problems.into_iter().map(in_flags).collect())
}

/// The end of a `join` whose server did not answer.
pub fn unread(server: &str) -> String {
    format!("\n{server} has to be read before anything can join; nothing was changed")
}

/// How agents join the server that was set up; an address that only this machine knows leads nowhere.
pub fn agents(adhoc: &AdHocInventory, login: &Login) -> String {
    let address = adhoc.address(&adhoc.target).filter(|address| {
        let ip = address.parse::<IpAddr>();
        !ip.is_ok_and(|ip| ip.is_loopback())
    });
    let Some(address) = address else {
        return String::new();
    };
    let mut flags = adhoc.distribution_flag();
    let user = login.user.as_deref().filter(|user| *user != "root");
    flags.extend(user.map(|user| format!(" --user {}", quote(user))));
    if login.ask_become_pass {
        flags.push_str(" -K");
    }
    if !login.ssh.bastion.is_empty() {
        flags.push_str(&format!(" -J {}", quote(&login.ssh.bastion.join(","))));
    }
    if let Some(file) = &login.ssh.ssh_config {
        flags.push_str(&format!(" -F {}", quote(&file.to_string_lossy())));
    }
    format!(
        "\n  towline join --ip ADDRESS --server-ip {address}{flags}    adds an agent\n  \
         towline node-token --ip {address}{flags}    prints the token for agents that something else sets up"
    )
}

/// What to type next, with an inventory that was written. Of a server that was only read it may say less
/// than the server's own config.yaml, which a deploy would then lose.
pub fn goes_on(file: Option<&Path>, next: Option<String>, read: Option<&str>) -> Option<String> {
    let Some(file) = file else {
        return next;
    };
    let file = quote(&file.to_string_lossy());
    let said = match read {
        None => format!("\n  towline deploy -i {file}    continues with this inventory"),
        Some(server) => format!(
            "\n  towline plan -i {file}    shows what a deploy with it would change, on {server} too"
        ),
    };
    Some(next.unwrap_or_default() + &said)
}
