//! The users of a cluster, and what they may do.

use super::Style;
use super::table::layout;
use crate::run::event::{RoleRow, UserRow};

/// What a user may do, itself and by its group.
pub(super) fn may(user: &UserRow) -> String {
    let words = |role: &RoleRow| match &role.namespace {
        Some(namespace) => format!("{} in {namespace}", role.role),
        None => format!("{} everywhere", role.role),
    };
    let mut all: Vec<_> = user.roles.iter().map(words).collect();
    if let Some(group) = &user.group {
        let roles: Vec<_> = user.group_roles.iter().map(words).collect();
        all.push(match roles.as_slice() {
            [] => format!("what {group} may"),
            roles => format!("what {group} may ({})", roles.join(", ")),
        });
    }
    match all.as_slice() {
        [] => "nothing".to_owned(),
        all => all.join(", "),
    }
}

/// The users of a cluster.
pub(super) fn table(users: &[UserRow], style: Style) -> String {
    let titles = ["user", "in the cluster", "by", "expires", "may"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(users.iter().map(|user| {
        let by = if user.service_account {
            "token"
        } else {
            "certificate"
        };
        let expires = if user.is_expired {
            "expired"
        } else {
            &user.expires
        };
        [&user.name, &user.id, by, expires, &may(user)]
            .map(str::to_owned)
            .to_vec()
    }));
    layout(&rows, &[], style, |title, text, cell| match (title, text) {
        ("user", _) => style.cyan(&cell),
        ("expires", "expired") => style.yellow(&cell),
        _ => cell,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_with_what_they_may_and_until_when() {
        let role = |role: &str, namespace: Option<&str>| RoleRow {
            role: role.into(),
            namespace: namespace.map(str::to_owned),
        };
        let user = |name: &str, roles: &[RoleRow], group: Option<&str>| UserRow {
            name: name.into(),
            id: format!("{name}-x7k2p"),
            service_account: false,
            group: group.map(str::to_owned),
            roles: roles.to_vec(),
            group_roles: Vec::new(),
            expires: "2026-12-29T19:00:00Z".into(),
            is_expired: false,
        };
        let of_group = UserRow {
            group_roles: vec![role("edit", None)],
            ..user("bob", &[], Some("devs"))
        };
        let account = UserRow {
            service_account: true,
            is_expired: true,
            ..user("ci", &[role("edit", None)], None)
        };
        let users = [
            user("anna", &[role("view", Some("shop"))], None),
            of_group,
            account,
            user("dora", &[role("view", Some("shop"))], Some("devs")),
            user("emil", &[], None),
        ];
        let text = table(&users, Style { color: false });
        insta::assert_snapshot!(text, @r"
        user  in the cluster  by           expires               may
        anna  anna-x7k2p      certificate  2026-12-29T19:00:00Z  view in shop
        bob   bob-x7k2p       certificate  2026-12-29T19:00:00Z  what devs may (edit everywhere)
        ci    ci-x7k2p        token        expired               edit everywhere
        dora  dora-x7k2p      certificate  2026-12-29T19:00:00Z  view in shop, what devs may
        emil  emil-x7k2p      certificate  2026-12-29T19:00:00Z  nothing
        ");
    }
}
