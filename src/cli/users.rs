//! The command line of `towline user`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{inventory::output_file, path};

/// What to do with the users of a cluster.
#[derive(Debug, Clone, Subcommand)]
pub enum UserCommand {
    /// Make a user, and write a kubeconfig for it
    ///
    /// A key is made here and never leaves this machine but in FILE; the cluster signs its certificate, which cannot
    /// be revoked before it expires. With --service-account, the user has a token that ends when the user is deleted.
    Create(Box<NewUserArguments>),

    /// List the users that towline has made: what they may do, and until when
    List {
        /// As whom.
        #[command(flatten)]
        admin: AdminArguments,
    },

    /// Take from a user all that towline gave it
    ///
    /// Its roles are gone at once, and the token of a service account with them. A certificate cannot be revoked:
    /// until it expires the cluster still knows its user, who may then do only what its group may.
    Delete {
        /// Name of the user
        #[arg(value_name = "NAME", value_parser = user_name)]
        name: String,

        /// As whom.
        #[command(flatten)]
        admin: AdminArguments,
    },
}

/// The kubeconfig that a cluster's users are made with.
#[derive(Debug, Clone, Args)]
pub struct AdminArguments {
    /// Kubeconfig of an admin of the cluster [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// A user to be made.
#[derive(Debug, Clone, Args)]
pub struct NewUserArguments {
    /// Name of the user: small letters, digits and -
    #[arg(value_name = "NAME", value_parser = user_name)]
    pub name: String,

    /// Where to write its kubeconfig; nothing may be there yet
    #[arg(short, long, value_name = "FILE", value_parser = output_file())]
    pub output_file: PathBuf,

    /// Role of the cluster that it is given, such as view, edit or admin; without one it may do nothing by itself
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Option<String>,

    /// The only namespace in which it has that role [default: all of them]
    #[arg(short, long, value_name = "NAMESPACE", requires = "role", value_parser = namespace)]
    pub namespace: Option<String>,

    /// Group in its certificate; what your bindings give to the group cannot be taken from it before it expires
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub group: Option<String>,

    /// How long it is valid, in m, h or d: at least 10m
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lifetime)]
    pub expires: Duration,

    /// Make a service account, whose token ends when the user is deleted
    #[arg(long, conflicts_with = "group")]
    pub service_account: bool,

    /// As whom.
    #[command(flatten)]
    pub admin: AdminArguments,
}

/// A name of one part, as objects of Kubernetes have: RFC 1123.
fn is_label(text: &str, most: usize) -> bool {
    let inner = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-');
    (1..=most).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Some letters are put behind it, and the whole is an object's name.
fn user_name(text: &str) -> Result<String, String> {
    let fits = is_label(text, 50);
    let wrong =
        || "expected 1 to 50 small letters, digits and -, such as anna or ci-shop".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

fn namespace(text: &str) -> Result<String, String> {
    let fits = is_label(text, 63);
    let wrong = || "a namespace is 1 to 63 small letters, digits and -".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Names of roles may be anything but what would be another path of the API; that of every role of
/// Kubernetes itself is of these.
fn role(text: &str) -> Result<String, String> {
    let inner = |letter: char| letter.is_ascii_alphanumeric() || ":._-".contains(letter);
    let fits =
        (1..=253).contains(&text.len()) && text.chars().all(inner) && text != "." && text != "..";
    let wrong = || "expected the name of a ClusterRole, such as view, edit or admin".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// X.520 lets an organization have 64 letters.
fn group(text: &str) -> Result<String, String> {
    if text == "system:masters" {
        return Err(
            "its members may do anything, whatever roles say, and a certificate cannot be revoked; for an admin, use  --role cluster-admin"
                .into(),
        );
    }
    if text.starts_with("system:") {
        return Err("groups that begin with system: are Kubernetes's own".into());
    }
    let fits = (1..=64).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control);
    let wrong = || "expected the name of a group: 1 to 64 printable characters".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Kubernetes signs nothing for less than ten minutes.
fn lifetime(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let seconds = digits.parse().ok();
    let seconds = seconds.and_then(|number: u64| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| (600..=3650 * 24 * 60 * 60).contains(seconds));
    let seconds = seconds.ok_or("expected a time from 10m to 3650d, such as 12h or 30d")?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_minutes_hours_or_days_that_kubernetes_takes() {
        for (text, minutes) in [
            ("10m", Some(10)),
            ("12h", Some(720)),
            ("30d", Some(43_200)),
            ("3650d", Some(5_256_000)),
            ("9m", None),
            ("600s", None),
            ("3651d", None),
            ("30", None),
            ("d", None),
            ("-1d", None),
            ("1.5d", None),
            ("99999999999999999999d", None),
            ("999999999999999999d", None),
        ] {
            let expected = minutes.map(|minutes| Duration::from_secs(60 * minutes));
            assert_eq!(lifetime(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn names_are_what_kubernetes_takes_and_no_groups_of_its_own() {
        for (text, fits) in [
            ("anna", true),
            ("ci-2", true),
            ("", false),
            ("Anna", false),
            ("-a", false),
            ("a-", false),
            ("anna@example.org", false),
            ("../secrets", false),
            ("system:admin", false),
        ] {
            assert_eq!(user_name(text).is_ok(), fits, "{text}");
        }
        for (text, fits) in [
            ("devs", true),
            ("Team Rot: Köln", true),
            ("system:masters", false),
            ("system:nodes", false),
            ("", false),
            (" devs", false),
            ("a\nb", false),
        ] {
            assert_eq!(group(text).is_ok(), fits, "{text}");
        }
        for (text, fits) in [
            ("view", true),
            ("system:node-proxier", true),
            ("..", false),
            ("view/../x", false),
            ("view?x", false),
            ("", false),
        ] {
            assert_eq!(role(text).is_ok(), fits, "{text}");
        }
    }
}
