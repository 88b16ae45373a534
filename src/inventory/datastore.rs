//! A datastore outside the cluster: the URL that k3s takes, read for what may be said of it. Its user
//! and its password never are.

use std::net::IpAddr;

use super::layers::Layer;
use super::mistake::Complaint;
use super::node::YamlNode;
use super::reader::Reader;
use super::syntax::{self, Checked};
use crate::vars::{MASK, Secret};

/// A datastore outside the cluster, and what its servers need for it.
#[derive(Debug, Clone)]
pub struct ExternalDatastore {
    /// The whole URL.
    pub endpoint: Secret,
    /// What is at its addresses.
    pub product: DatastoreProduct,
    /// Where it is: host and port. More than one only of an etcd or NATS.
    pub places: Vec<(String, u16)>,
    /// The database, where it has such a name.
    pub database: Option<String>,
    /// The certificates that its server's is checked by.
    pub ca: Option<Secret>,
    /// The certificate that k3s shows to it.
    pub certificate: Option<Secret>,
    /// That certificate's private key.
    pub key: Option<Secret>,
}

/// What a datastore is, by the scheme of its URL. kine, by which k3s speaks to all of them but etcd,
/// registers its drivers by these schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatastoreProduct {
    /// PostgreSQL.
    Postgres,
    /// MySQL, and MariaDB, which speaks its language.
    Mysql,
    /// An etcd of its own.
    Etcd,
    /// NATS JetStream.
    Nats,
}

impl DatastoreProduct {
    /// Its schemes, its name and its port.
    const ALL: [(&'static [&'static str], Self, &'static str, u16); 4] = [
        (
            &["postgres", "postgresql"],
            Self::Postgres,
            "PostgreSQL",
            5432,
        ),
        (&["mysql"], Self::Mysql, "MySQL or MariaDB", 3306),
        (&["https", "http"], Self::Etcd, "etcd", 2379),
        (&["nats"], Self::Nats, "NATS", 4222),
    ];

    /// By what its server is known when it is connected to, in the words of a host's question.
    pub const fn greeting(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Nats => "nats",
            Self::Etcd => "any",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, product, ..)| *product == self)
            .map_or("", |(_, _, name, _)| name)
    }
}

impl ExternalDatastore {
    /// What it is and where, without user and password: `the database k3s of PostgreSQL at 10.0.0.9:5432`.
    pub fn shown(&self) -> String {
        let places: Vec<_> = self.places.iter().map(place).collect();
        let at = format!("{} at {}", self.product.name(), places.join(", "));
        match &self.database {
            Some(database) => format!("the database {database} of {at}"),
            None => at,
        }
    }
}

/// A host and a port, as they are written together.
pub fn place((host, port): &(String, u16)) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// What an endpoint says.
struct Parts {
    product: DatastoreProduct,
    places: Vec<(String, u16)>,
    database: Option<String>,
    /// The password, as it is written.
    password: Option<String>,
}

const HOW: &str = "it is written  postgres://USER:PASSWORD@HOST:5432/DATABASE ,  mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE ,  https://HOST:2379,https://HOST:2379  for an etcd, or  nats://USER:PASSWORD@HOST:4222";

/// Reads an endpoint. What is wrong is said without repeating it.
fn parts(text: &str) -> Result<Parts, Complaint> {
    let wrong = |message: &str| Complaint::with(message, HOW);
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong(
            "the datastore's endpoint holds white space, which a URL cannot",
        ));
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| wrong("the datastore's endpoint is no URL: it has no scheme"))?;
    if scheme == "sqlite" {
        return Err(Complaint::with(
            "sqlite is no datastore outside the cluster",
            "leave this out, and write `datastore: sqlite`",
        ));
    }
    let mut all = DatastoreProduct::ALL.into_iter();
    let (_, product, _, port) = all
        .find(|(schemes, ..)| schemes.contains(&scheme))
        .ok_or_else(|| {
            wrong("the datastore's endpoint has a scheme for which there is no driver")
        })?;
    if product == DatastoreProduct::Etcd {
        let mut places = Vec::new();
        for url in text.split(',') {
            let (_, rest) = url
                .split_once("://")
                .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
                .ok_or_else(|| wrong("the endpoints of an etcd are URLs, each of them whole"))?;
            places.push(host_and_port(rest.trim_end_matches('/'), port)?);
        }
        return Ok(Parts {
            product,
            places,
            database: None,
            password: None,
        });
    }
    let rest = rest.split('?').next().unwrap_or(rest);
    // A password of MySQL may hold a slash, one of a URL may not.
    let split = if product == DatastoreProduct::Mysql {
        rest.rsplit_once('/')
    } else {
        rest.split_once('/')
    };
    let (authority, database) = split.unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let password = login
        .split_once(':')
        .map(|(_, password)| password.to_owned());
    let hosts = if product == DatastoreProduct::Mysql {
        hosts
            .strip_prefix("tcp(")
            .and_then(|host| host.strip_suffix(')'))
            .ok_or_else(|| {
                wrong("the address in a datastore's endpoint for MySQL is written tcp(HOST:PORT)")
            })?
    } else {
        hosts
    };
    let places = hosts.split(',').map(|one| host_and_port(one, port));
    let has_database = product != DatastoreProduct::Nats;
    let database = match database {
        _ if !has_database => None,
        // kine's own where none is named.
        "" => Some("kubernetes".to_owned()),
        name if syntax::name(name).is_ok() || syntax::group_name(name).is_ok() => {
            Some(name.to_owned())
        }
        _ => {
            return Err(wrong(
                "the database in the datastore's endpoint is no plain name; a `/` in the password is written %2F",
            ));
        }
    };
    Ok(Parts {
        product,
        places: places.collect::<Result<_, _>>()?,
        database,
        password,
    })
}

/// A host and its port.
fn host_and_port(text: &str, default: u16) -> Result<(String, u16), Complaint> {
    let wrong = || {
        Complaint::with(
            "the datastore's endpoint has no HOST:PORT where it should; a `@`, `/`, `#` or `?` in the password is written %40, %2F, %23 or %3F",
            HOW,
        )
    };
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None => Some(default),
    };
    let is_host = host == "localhost" || syntax::address(host).is_ok();
    match port.filter(|_| is_host) {
        Some(port) => Ok((host.to_owned(), port)),
        None => Err(wrong()),
    }
}

/// What is wrong with an endpoint. That what stands elsewhere will come is nothing wrong.
pub(super) fn endpoint(text: &str) -> Checked {
    if text == MASK {
        return Ok(());
    }
    parts(text).map(drop)
}

/// Whether this endpoint names the machine that reads it.
pub(super) fn is_local(text: &str) -> bool {
    let is_local = |(host, _): &(String, u16)| {
        let ip = host.parse::<IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    };
    parts(text).is_ok_and(|parts| parts.places.iter().any(is_local))
}

/// The datastore that an endpoint names, where it is one.
pub fn external_datastore(text: &str) -> Option<ExternalDatastore> {
    parts(text).ok().map(|parts| with(text, parts))
}

fn with(text: &str, parts: Parts) -> ExternalDatastore {
    ExternalDatastore {
        endpoint: Secret::new(text),
        product: parts.product,
        places: parts.places,
        database: parts.database,
        ca: None,
        certificate: None,
        key: None,
    }
}

/// The keys of its files.
const FILES: [&str; 3] = [
    "datastore_ca_file",
    "datastore_certificate_file",
    "datastore_key_file",
];

/// Reads the keys about a datastore outside the cluster.
pub(super) fn external(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> Option<ExternalDatastore> {
    let block = layers.last()?.node;
    let said = block.get("datastore_endpoint");
    for key in FILES {
        if let (None, Some(entry)) = (said, block.entry(key)) {
            reader.mistakes.help(
                entry.at,
                format!(
                    "`cluster.{key}` is for a datastore outside the cluster, and there is none"
                ),
                "add `datastore_endpoint: {env: DATASTORE_ENDPOINT}`, or remove it",
            );
        }
    }
    if let (Some(entry), None) = (
        block.entry("datastore_key_file"),
        block.entry("datastore_certificate_file"),
    ) {
        let message = "`cluster.datastore_key_file` needs the certificate that it is the key of";
        reader
            .mistakes
            .help(entry.at, message, "add `datastore_certificate_file: …`");
    }
    let node = said?;
    let text = node.text()?;
    if let Some(entry) = block.entry("datastore")
        && entry.value.text().is_some_and(|word| word != "external")
    {
        let message = "`cluster` has both `datastore` and `datastore_endpoint`";
        let help = "keep one of them: `datastore` is for data that the servers keep themselves";
        reader.mistakes.help(entry.at, message, help);
    }
    if text == MASK {
        return None;
    }
    let parts = parts(text).ok()?;
    for password in parts
        .password
        .iter()
        .filter(|password| !password.is_empty())
    {
        reader.secret(password);
        let plain = unescaped(password);
        if plain != *password {
            reader.secret(&plain);
        }
    }
    reader.secret(text);
    let mut datastore = with(text, parts);
    let [ca, certificate, key] = FILES.map(|key| file(reader, block, key));
    (datastore.ca, datastore.certificate, datastore.key) = (ca, certificate, key);
    Some(datastore)
}

/// What is in one of its files.
fn file(reader: &mut Reader<'_>, block: &YamlNode, key: &str) -> Option<Secret> {
    let node = block.get(key)?;
    let written = node.text()?;
    let warnings = reader.warnings.len();
    let text = reader.secret_file(written, node.span)?;
    let is_key = key == "datastore_key_file";
    if !is_key {
        // A certificate is no secret.
        reader.warnings.truncate(warnings);
    }
    let (begin, what) = if is_key {
        ("PRIVATE KEY-----", "private key")
    } else {
        ("-----BEGIN CERTIFICATE-----", "certificate")
    };
    if !text.contains(begin) {
        let message = format!("`{written}` holds no {what} in PEM");
        reader.mistakes.add(node.span, message);
        return None;
    }
    Some(if is_key {
        reader.secret(&text)
    } else {
        Secret::new(&text)
    })
}

/// A text of a URL as it is meant: `%40` is `@`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = (*first == b'%').then(|| others.get(..2)).flatten();
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = &others[if byte.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "tests/datastore.rs"]
mod tests;
