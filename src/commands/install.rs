//! `towline install` and `towline join`: what was typed becomes an inventory and takes the road
//! that every inventory takes.

use std::path::Path;
use std::time::Instant;

use crate::cli::{Environment, InstallArguments, JoinArguments, Login};
use crate::cluster::{ClusterState, certificate_names, shared_settings};
use crate::error::{ExitCode, Problem};
use crate::facts::{Datastore, Facts};
use crate::run::Event;
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::Ui;

use super::deploy;
use super::kubeconfig::Target;
use super::road::{Road, Survey, Ways};
use super::typed::Typed;
use super::{Refusal, kubeconfig, plan, save};

pub(super) async fn install(
    arguments: InstallArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    deploy::told(&ui, async |events: Events| {
        let begun = Instant::now();
        let mut typed = Typed::install(&arguments)?;
        tell(&typed, &events);
        let overrides = arguments.overrides.as_deref();
        let mut road = road(
            &typed,
            &arguments.login,
            overrides,
            environment,
            &ui,
            events,
        )
        .await?;
        road.reset_config = arguments.reset_config;
        let target = Target::from(&arguments.destination);
        if arguments.skip_install {
            let gathered = road.gather().await?;
            return Ok(kubeconfig::only(&road, &gathered, &target, begun).await);
        }
        let survey = road.survey().await.map_err(in_flags)?;
        if arguments.plan {
            return Ok(plan::tell(&road, &survey, begun));
        }
        let save = arguments.save_inventory.as_deref();
        write(save, &mut typed, &survey, &road)?;
        let (report, next) = deploy::go(&road, survey, begun, Some(&target)).await?;
        let next = match report.exit_code() {
            ExitCode::Success => next.map(|next| next + &agents(&typed, &arguments.login)),
            _ => next,
        };
        Ok((report, goes_on(save, next, None)))
    })
    .await
}

/// How agents join the server that was set up; an address that only this machine knows leads nowhere.
fn agents(typed: &Typed, login: &Login) -> String {
    let address = typed.address(&typed.target).filter(|address| {
        let ip = address.parse::<std::net::IpAddr>();
        !ip.is_ok_and(|ip| ip.is_loopback())
    });
    let Some(address) = address else {
        return String::new();
    };
    let user = match login.user.as_str() {
        "root" => String::new(),
        user => format!(" --user {}", crate::shell::quote(user)),
    };
    format!(
        "\n  towline join --ip ADDRESS --server-ip {address}{user}    adds an agent\n  \
         towline node-token --ip {address}{user}    prints the token for agents that something else sets up"
    )
}

pub(super) async fn join(arguments: JoinArguments, environment: &Environment, ui: Ui) -> ExitCode {
    deploy::told(&ui, async |events: Events| {
        let begun = Instant::now();
        let mut typed = Typed::join(&arguments)?;
        tell(&typed, &events);
        let overrides = arguments.overrides.as_deref();
        let mut road = road(
            &typed,
            &arguments.login,
            overrides,
            environment,
            &ui,
            events,
        )
        .await?;
        road.reset_config = arguments.reset_config;
        let gathered = road.gather().await?;
        if let Some(name) = typed.read_server().map(str::to_owned) {
            let Some(facts) = gathered.reach.get(&name).and_then(|reach| reach.facts()) else {
                return Ok((Report::without_hosts(begun, false), Some(unread(&name))));
            };
            of_server(&mut typed, &name, facts, arguments.server)?;
            let (inventory, _) = typed.inventory(environment)?;
            road.inventory = inventory;
        }
        let survey = road.decide(gathered).await.map_err(in_flags)?;
        if let (ClusterState::Down | ClusterState::Unknown, Some(name)) =
            (&survey.topology.state, typed.read_server())
        {
            return Err(Problem::new(format!(
                "{name}: k3s has data here and is not READY, so nothing can join it"
            ))
            .next("systemctl status k3s  and  journalctl -u k3s  on it say why")
            .into());
        }
        if arguments.plan {
            return Ok(plan::tell(&road, &survey, begun));
        }
        let save = arguments.save_inventory.as_deref();
        write(save, &mut typed, &survey, &road)?;
        let (report, next) = deploy::go(&road, survey, begun, None).await?;
        Ok((report, goes_on(save, next, typed.read_server())))
    })
    .await
}

/// What is advised for an inventory, said in flags, too.
fn in_flags(refusal: Refusal) -> Refusal {
    let Refusal::Problems(problems) = refusal else {
        return refusal;
    };
    let in_flags = |problem: Problem| {
        let names = |word: &str| problem.next.iter().any(|next| next.contains(word));
        if names("cluster: {") {
            problem.next(
                "for a line that is typed, these are  --mirror URL  and  --k3s-version VERSION",
            )
        } else {
            problem
        }
    };
    Refusal::Problems(problems.into_iter().map(in_flags).collect())
}

fn unread(server: &str) -> String {
    format!("\n{server} has to be read before anything can join; nothing was changed")
}

/// What the server that was read says about the cluster that is joined.
fn of_server(typed: &mut Typed, name: &str, facts: &Facts, as_server: bool) -> Result<(), Refusal> {
    typed.found_data(name, facts)?;
    if facts.k3s.datastore.is_none() {
        return Err(
            Problem::new(format!("{name}: there is no cluster here to join"))
                .because("no k3s server has ever run on it")
                .next(format!(
                    "towline install --ip {name}  makes it the first server"
                ))
                .into(),
        );
    }
    if as_server && facts.k3s.datastore == Some(Datastore::Sqlite) {
        return Err(Problem::new(format!("{name} keeps its cluster in sqlite, which only one server can use"))
            .next(format!("towline install --ip {name} --cluster  moves the data to embedded etcd; then join again"))
            .into());
    }
    if as_server {
        let shared = shared_settings(facts).map_err(|why| {
            Problem::new(format!("{name}: what k3s is told here cannot be read")).because(why)
        })?;
        typed.carry_over(shared, certificate_names(facts), name)?;
    }
    Ok(())
}

fn tell(typed: &Typed, events: &Events) {
    for text in &typed.notes {
        events.send(Event::Note { text: text.clone() });
    }
}

pub(super) async fn road(
    typed: &Typed,
    login: &Login,
    overrides: Option<&Path>,
    environment: &Environment,
    ui: &Ui,
    events: Events,
) -> Result<Road, Refusal> {
    let (inventory, selected) = typed.inventory(environment)?;
    let ways = ways(typed, login, overrides);
    Road::of(inventory, selected, &ways, environment, ui, events).await
}

/// How the hosts that were typed are worked on.
fn ways(typed: &Typed, login: &Login, overrides: Option<&Path>) -> Ways {
    Ways {
        parallel: 8,
        accept_new_host_keys: login.accept_new_host_keys,
        overrides: overrides.map(Path::to_owned),
        local: typed.local.clone(),
        adopt: false,
    }
}

/// Writes the inventory before the first change: the same line or a deploy goes on from there, whatever
/// happens.
fn write(
    file: Option<&Path>,
    typed: &mut Typed,
    survey: &Survey,
    road: &Road,
) -> Result<(), Refusal> {
    let Some(file) = file else {
        return Ok(());
    };
    if let Some(kept) = survey.topology.kept.get(&typed.target) {
        let left_out = typed.keep(kept)?;
        if !left_out.is_empty() {
            let text = format!(
                "{} leaves out what may be secret: {}; write it by hand, or a deploy takes it away",
                file.display(),
                left_out.join(", ")
            );
            road.events.send(Event::Note { text });
        }
    }
    Ok(save::save(file, typed)?)
}

/// What to type next, with an inventory that was written. Of a server that was only read it may say less
/// than the server's own config.yaml, which a deploy would then lose.
fn goes_on(file: Option<&Path>, next: Option<String>, read: Option<&str>) -> Option<String> {
    let Some(file) = file else {
        return next;
    };
    let file = crate::shell::quote(&file.to_string_lossy());
    let said = match read {
        None => format!("\n  towline deploy -i {file}    goes on with what was typed"),
        Some(server) => format!(
            "\n  towline plan -i {file}    shows what a deploy with it would change, on {server} too"
        ),
    };
    Some(next.unwrap_or_default() + &said)
}
