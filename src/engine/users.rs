//! The users of a cluster, made and deleted by its API alone: no host is asked for it.

use std::path::Path;
use std::time::Instant;

use super::refusal::Refusal;
use super::told::Conclusion;
use super::{absolute, interrupt};
use crate::cli::NewUserArguments;
use crate::distribution;
use crate::kubernetes::kubeconfig::{nothing_at, pick, write_new};
use crate::kubernetes::users::{Grant, Issue, NewUser, User, UserKind, Users};
use crate::problem::{Code, Problem};
use crate::run::event::{Events, RoleRow, UserRow};
use crate::run::report::Report;
use crate::run::{Event, Interrupt};
use crate::shell::quote;

/// The users of the cluster of a kubeconfig, as an admin of it sees them.
pub fn of(path: &Path, context: Option<&str>) -> Result<Users, Problem> {
    let units = distribution::ALL.map(|one| one.rules.product().server_unit);
    Users::of(pick(path, context)?, &units)
}

/// Lists them.
pub async fn list(users: Users, events: &Events) -> Result<Conclusion, Refusal> {
    let begun = Instant::now();
    let listed = uninterrupted(events, users.list()).await?;
    let is_good = match listed {
        Ok(users) => {
            let users = users.into_iter().map(row).collect();
            events.send(Event::Users { users });
            true
        }
        Err(problem) => trouble(events, problem),
    };
    Ok((Report::without_hosts(begun, is_good), None))
}

/// Makes one, tries its kubeconfig, and writes it. Where that fails, nothing of it is left.
pub async fn create(
    users: Users,
    arguments: &NewUserArguments,
    events: &Events,
) -> Result<Conclusion, Refusal> {
    let begun = Instant::now();
    let path = absolute(arguments.output_file.clone());
    nothing_at(&path)?;
    let wanted = NewUser {
        name: arguments.name.clone(),
        group: arguments.group.clone(),
        role: arguments.role.clone(),
        namespace: arguments.namespace.clone(),
        lifetime: arguments.expires,
        service_account: arguments.service_account,
    };
    let is_over = |is_good| Report::without_hosts(begun, is_good);
    if let Err(problem) = uninterrupted(events, users.check(&wanted)).await? {
        return if REFUSED.contains(&problem.code) {
            Err(problem.into())
        } else {
            Ok((is_over(trouble(events, problem)), None))
        };
    }
    let issue = Issue::new(wanted);
    let made = async {
        let (kubeconfig, user) = users.create(&issue).await?;
        write_new(&path, &kubeconfig)?;
        Ok((kubeconfig.cluster.server, user))
    };
    let made = uninterrupted(events, made).await.unwrap_or_else(|_| {
        Err(Problem::new(
            Code::INTERRUPTED,
            "interrupted before the user was made",
        ))
    });
    let (server, user) = match made {
        Ok(made) => made,
        Err(problem) => {
            let problem = match users.undo(&issue).await {
                Ok(()) => problem.because("what was made for the user is undone"),
                Err(why) => problem
                    .because(format!(
                        "what was made for the user is not undone: {}",
                        why.what
                    ))
                    .next("to undo it")
                    .command(format!("towline user delete {}", issue.wanted.name)),
            };
            return Ok((is_over(trouble(events, problem)), None));
        }
    };
    let notes = end_of(&user, arguments.expires.as_secs());
    let shown = quote(&path.to_string_lossy());
    events.send(Event::UserCreated {
        user: row(user),
        path: path.display().to_string(),
        server,
    });
    for text in notes {
        events.send(Event::Note { text });
    }
    let next = format!("\n  kubectl --kubeconfig {shown} auth can-i --list");
    Ok((is_over(true), Some(next)))
}

/// What refuses a user before anything is made.
const REFUSED: [Code; 3] = [
    Code::ROLE_UNKNOWN,
    Code::NAMESPACE_UNKNOWN,
    Code::USER_EXISTS,
];

/// What there is to know of a new user: what it may not do, and how it ends.
fn end_of(user: &User, seconds: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let User { name, expires, .. } = user;
    if user.grants.is_empty() && user.group.is_none() {
        notes.push("it may do nothing: it has neither a role nor a group".to_owned());
    }
    let asked = i64::try_from(seconds).unwrap_or(i64::MAX);
    let left = expires.as_second().saturating_sub(now());
    // Kubernetes lets a certificate begin five minutes early.
    if left < asked - 360 {
        notes.push("the cluster makes nothing valid for longer".to_owned());
    }
    match (user.kind, &user.group) {
        (UserKind::ServiceAccount, _) => {
            notes.push(format!(
                "this ends its token at once:\ntowline user delete {name}"
            ));
        }
        (UserKind::Certificate, None) if !user.grants.is_empty() => notes.push(format!(
            "a certificate cannot be revoked; this takes its role away, and it may do nothing then:\ntowline user delete {name}"
        )),
        (UserKind::Certificate, None) => {}
        (UserKind::Certificate, Some(group)) => notes.push(format!(
            "a certificate cannot be revoked: what bindings give to the group {group} is its own until {expires}"
        )),
    }
    notes
}

/// Takes from one all that it was given, and says what is left of it.
pub async fn delete(users: Users, name: &str, events: &Events) -> Result<Conclusion, Refusal> {
    let begun = Instant::now();
    let deleted = uninterrupted(events, users.delete(name)).await;
    let deleted = deleted.unwrap_or_else(|_| {
        let problem = Problem::new(Code::INTERRUPTED, "interrupted while the user was deleted");
        Err(problem
            .next("to take away the rest")
            .command(format!("towline user delete {name}")))
    });
    let deleted = match deleted {
        Ok(deleted) => deleted,
        Err(problem) if problem.code == Code::USER_UNKNOWN => return Err(problem.into()),
        Err(problem) => {
            let report = Report::without_hosts(begun, trouble(events, problem));
            return Ok((report, None));
        }
    };
    for user in deleted {
        let notes = left_of(&user);
        let user = row(user);
        events.send(Event::UserDeleted { user });
        for text in notes {
            events.send(Event::Note { text });
        }
    }
    Ok((Report::without_hosts(begun, true), None))
}

/// What a user can still do that is deleted.
fn left_of(user: &User) -> Vec<String> {
    let User { id, expires, .. } = user;
    if user.kind == UserKind::ServiceAccount || expires.as_second() <= now() {
        return Vec::new();
    }
    let words = |grant: &Grant| {
        let (role, binding) = (&grant.role, &grant.binding);
        match &grant.namespace {
            Some(namespace) => {
                format!("{role} in {namespace}, by the RoleBinding {binding}")
            }
            None => format!("{role}, by the ClusterRoleBinding {binding}"),
        }
    };
    let others = user.grants.iter().filter(|grant| !grant.is_own);
    let others = others.map(|grant| format!("{id} still has {}", words(grant)));
    let group = user.group.as_deref().unwrap_or_default();
    let of_group = user.group_grants.iter();
    let of_group = of_group.map(|grant| format!("its group {group} still has {}", words(grant)));
    let mut notes: Vec<_> = others.chain(of_group).collect();
    let but = if notes.is_empty() {
        "it may do nothing"
    } else {
        "it may do this and nothing else"
    };
    notes.push(format!(
        "its certificate stays valid until {expires}, and {but}"
    ));
    notes
}

fn row(user: User) -> UserRow {
    let is_expired = user.expires.as_second() <= now();
    let role = |grant: Grant| RoleRow {
        role: grant.role,
        namespace: grant.namespace,
    };
    UserRow {
        name: user.name,
        id: user.id,
        service_account: user.kind == UserKind::ServiceAccount,
        group: user.group,
        roles: user.grants.into_iter().map(role).collect(),
        group_roles: user.group_grants.into_iter().map(role).collect(),
        expires: user.expires.to_string(),
        is_expired,
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// Does it, unless it is interrupted.
async fn uninterrupted<T>(events: &Events, work: impl Future<Output = T>) -> Result<T, Refusal> {
    let interrupt = interrupt::watch(events.clone());
    tokio::select! {
        done = work => Ok(done),
        () = interrupt::until(Interrupt::Finish, interrupt) => Err(Refusal::Interrupted),
    }
}

/// Tells a problem; nothing is good then.
fn trouble(events: &Events, problem: Problem) -> bool {
    events.send(Event::Trouble { problem });
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(kind: UserKind, group: Option<&str>) -> User {
        User {
            name: "anna".into(),
            id: "anna-x7k2p".into(),
            kind,
            group: group.map(str::to_owned),
            grants: Vec::new(),
            group_grants: Vec::new(),
            expires: "2200-01-01T00:00:00Z".parse().expect("a time"),
        }
    }

    fn grant(role: &str, namespace: Option<&str>, is_own: bool) -> Grant {
        Grant {
            role: role.into(),
            namespace: namespace.map(str::to_owned),
            binding: format!("{role}-binding"),
            is_own,
        }
    }

    #[test]
    fn what_deleting_can_and_cannot_do_is_said() {
        let mut certificate = user(UserKind::Certificate, None);
        let mut said = vec![end_of(&certificate, 600)];
        certificate.grants.push(grant("view", Some("shop"), true));
        said.push(end_of(&certificate, 600));
        said.push(left_of(&certificate));
        certificate.grants.push(grant("edit", Some("shop"), false));
        certificate.group = Some("devs".into());
        certificate.group_grants.push(grant("admin", None, false));
        said.push(end_of(&certificate, 600));
        said.push(left_of(&certificate));
        let account = user(UserKind::ServiceAccount, None);
        said.push(end_of(&account, 600));
        said.push(left_of(&account));
        let said: Vec<_> = said.iter().map(|notes| notes.join("\n")).collect();
        insta::assert_snapshot!(said.join("\n\n"));
    }

    #[test]
    fn a_time_that_the_cluster_has_cut_is_said() {
        let mut short = user(UserKind::ServiceAccount, None);
        short.grants.push(grant("view", None, true));
        let day = 24 * 60 * 60;
        let left = u64::try_from(short.expires.as_second() - now()).expect("it is to come");
        assert_eq!(end_of(&short, left).len(), 1);
        let said = end_of(&short, left + 2 * day);
        assert!(
            said[0].starts_with("the cluster makes nothing valid"),
            "{said:?}"
        );
    }
}
