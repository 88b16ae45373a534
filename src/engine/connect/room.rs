//! How many files may be open here.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::problem::{Code, Problem, problem};

/// Makes room for one open connection a host, which lasts as long as the run, and for what is open
/// besides: several addresses of a host that are tried at once, the agent, files that are read.
///
/// # Errors
/// This machine does not let a program have as many.
pub fn room_for(hosts: usize, parallel: u16) -> Result<(), Problem> {
    let hosts = u64::try_from(hosts).unwrap_or(u64::MAX);
    let needed = hosts
        .saturating_add(4 * u64::from(parallel).min(hosts))
        .saturating_add(32);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    let why = match limit.maximum {
        Some(maximum) if maximum < needed => format!("the hard limit is {maximum}"),
        _ => match setrlimit(Resource::Nofile, raised) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        },
    };
    Err(problem!(
        Code::OPEN_FILES,
        "{hosts} hosts need {needed} open files here, and the limit cannot be raised so far"
    )
    .because(why)
    .because("every host has one connection for as long as the run lasts")
    .next("raise the limit of this shell, then run the same command again")
    .command(format!("sudo prlimit --pid $$ --nofile={needed}:{needed}")))
}
