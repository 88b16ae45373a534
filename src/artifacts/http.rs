//! HTTP as this machine uses it: a few requests for files that are checked afterwards. Nothing is
//! taken from the environment; a proxy is given by the caller.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body, Error};

use super::local::{INVENTORY_PATH, hashed};
use crate::problem::{Code, Problem, problem};

/// To connect, names looked up and TLS agreed on.
const CONNECT: Duration = Duration::from_secs(15);
/// Without a single byte, once connected; tests are not waited for so long.
const STALL: Duration = Duration::from_millis(if cfg!(test) { 1500 } else { 30_000 });

/// A proxy, and what is reached without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its address, `http://user:password@host:port`.
    pub address: String,
    /// What is reached directly, as `NO_PROXY` lists it: names, which stand for what is below them,
    /// too; addresses; ranges of addresses; `*` for everything.
    pub except: String,
}

impl Proxy {
    fn exceptions(&self) -> impl Iterator<Item = &str> {
        let entries = self.except.split([',', ' ']).map(str::trim);
        entries.filter(|entry| !entry.is_empty())
    }

    /// The proxy, unless a mirror has an address that is reached without it.
    pub fn towards(&self, mirror: Option<&str>) -> Option<&Self> {
        let address = mirror
            .and_then(|mirror| Uri::try_from(mirror).ok())
            .and_then(|uri| uri.host()?.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let is_direct = |address: &IpAddr| {
            self.exceptions()
                .filter_map(|entry| entry.parse::<IpNet>().ok())
                .any(|net| net.contains(address))
        };
        if address.as_ref().is_some_and(is_direct) {
            return None;
        }
        Some(self)
    }

    fn for_ureq(&self) -> Result<ureq::Proxy, Error> {
        let proxy = ureq::Proxy::new(self.address.trim())?;
        let mut builder = ureq::Proxy::builder(proxy.protocol())
            .host(proxy.host())
            .port(proxy.port());
        if let Some(user) = proxy.username() {
            builder = builder.username(user);
        }
        if let Some(password) = proxy.password() {
            builder = builder.password(password);
        }
        for entry in self.exceptions() {
            let name = entry.trim_start_matches("*.").trim_start_matches('.');
            builder = builder.no_proxy(name).no_proxy(&format!(".{name}"));
        }
        builder.build()
    }
}

/// A client for one origin of files.
#[derive(Debug)]
pub struct HttpClient {
    agent: Agent,
}

impl HttpClient {
    /// A client that speaks HTTPS only, or also HTTP where `plain_http` says that a mirror was
    /// configured so; through a proxy if one is given.
    pub fn new(proxy: Option<&Proxy>, plain_http: bool) -> Result<Self, Problem> {
        let proxy = proxy
            .filter(|proxy| !proxy.address.trim().is_empty())
            .map(|proxy| {
                // What was given may hold a password, so it is not repeated.
                proxy.for_ureq().map_err(|error| {
                    Problem::new(Code::PROXY_INVALID, "the proxy's address cannot be used")
                        .because(error)
                        .next("write it as http://host:port")
                })
            })
            .transpose()?;
        let config = Agent::config_builder()
            // Set in either case: what it falls back to is the environment.
            .proxy(proxy)
            .https_only(!plain_http)
            .http_status_as_error(false)
            .max_redirects(5)
            .user_agent(concat!("towline/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(STALL))
            .timeout_per_read(Some(STALL))
            .timeout_per_write(Some(STALL))
            .build();
        Ok(Self {
            agent: config.new_agent(),
        })
    }

    /// Where an address redirects to, or the first line of what it answers with.
    pub fn pointer(&self, url: &str) -> Result<String, Problem> {
        let request = self.agent.get(url).config().max_redirects(0).build();
        let mut response = request.call().map_err(|error| failed(url, &error))?;
        if response.status().is_redirection() {
            return response
                .headers()
                .get("location")
                .and_then(|location| location.to_str().ok())
                .map(str::to_owned)
                .ok_or_else(|| answered(url, &response));
        }
        accept(url, &response)?;
        let text = small_text(url, &mut response, 4096)?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// The text of a small file.
    pub fn text(&self, url: &str, limit: u64) -> Result<String, Problem> {
        let mut response = self.get(url)?;
        small_text(url, &mut response, limit)
    }

    /// Streams a file into `sink`, at most `limit` bytes; its SHA-256 in hexadecimal digits, and its
    /// size.
    pub fn stream(
        &self,
        url: &str,
        limit: u64,
        sink: &mut dyn Write,
    ) -> Result<(String, u64), Problem> {
        let response = self.get(url)?;
        let total = response.body().content_length();
        let check = |size: u64| {
            if size <= limit {
                return Ok(());
            }
            let (url, limit) = (shown(url), limit >> 20);
            Err(problem!(
                Code::DOWNLOAD_WRONG,
                "{url}: is larger than {limit} MiB, which no release is"
            ))
        };
        check(total.unwrap_or(0))?;
        let body = response.into_body().into_with_config().limit(u64::MAX);
        let broken = |size, error| cut_short(url, size, total, &error);
        let (sha256, size) = hashed(body.reader(), broken, |piece, size| {
            check(size)?;
            sink.write_all(piece).map_err(|error| {
                let url = shown(url);
                problem!(
                    Code::FILE_UNWRITABLE,
                    "{url}: cannot be stored on this machine"
                )
                .because(error)
            })
        })?;
        if total.is_some_and(|total| total != size) {
            return Err(broken(size, io::ErrorKind::UnexpectedEof.into()));
        }
        Ok((sha256, size))
    }

    fn get(&self, url: &str) -> Result<Response<Body>, Problem> {
        let response = self.agent.get(url).call();
        let response = response.map_err(|error| failed(url, &error))?;
        accept(url, &response)?;
        Ok(response)
    }
}

fn accept(url: &str, response: &Response<Body>) -> Result<(), Problem> {
    if response.status() == StatusCode::OK {
        Ok(())
    } else {
        Err(answered(url, response))
    }
}

/// An address as it may be shown: without a password, and without the signature that some places
/// put into the query.
pub fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn small_text(url: &str, response: &mut Response<Body>, limit: u64) -> Result<String, Problem> {
    response
        .body_mut()
        .with_config()
        .limit(limit)
        .read_to_string()
        .map_err(|error| failed(url, &error))
}

/// What to do when something cannot be fetched.
fn otherwise(problem: Problem) -> Problem {
    problem
        .next("if this machine has no way to the internet, fetch the file elsewhere and name it")
        .inventory(INVENTORY_PATH)
        .next("or name a mirror in the layout of the project's releases")
        .inventory("cluster: {binary: {source: push, mirror: https://mirror.example.org/releases}}")
}

fn answered(url: &str, response: &Response<Body>) -> Problem {
    let status = response.status();
    let problem = problem!(Code::DOWNLOAD_FAILED, "{}: cannot be fetched", shown(url))
        .because(format!("the server answered {status}"));
    match status {
        StatusCode::NOT_FOUND => {
            problem.next("see whether the version and the mirror are written as they should be")
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            problem.next("give the proxy's user and password in its address")
        }
        _ => otherwise(problem),
    }
}

fn failed(url: &str, error: &Error) -> Problem {
    otherwise(
        problem!(Code::DOWNLOAD_FAILED, "{}: cannot be fetched", shown(url)).because(words(error)),
    )
}

fn words(error: &Error) -> String {
    match error {
        Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            "no connection within the time limit".to_owned()
        }
        Error::Timeout(_) => "the server stopped sending".to_owned(),
        Error::HostNotFound => "the name of the server has no address".to_owned(),
        Error::TooManyRedirects => "it redirects more than five times".to_owned(),
        Error::RequireHttpsOnly(to) => format!("it leads to {}, which is not encrypted", shown(to)),
        error => error.to_string(),
    }
}

fn cut_short(url: &str, size: u64, total: Option<u64>, error: &io::Error) -> Problem {
    let reason = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
        .map_or_else(|| error.to_string(), words);
    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
    problem!(
        Code::DOWNLOAD_FAILED,
        "{}: the download broke off",
        shown(url)
    )
    .because(format!("{size}{of} bytes arrived: {reason}"))
    .next("run the command again; nothing of the part is used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, expected) in [
            ("https://u:p@host:8443/a/b?sig=x#y", "https://host:8443/a/b"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://u:p@ss@host", "https://host"),
            ("v1.36.3+k3s1", "v1.36.3+k3s1"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn what_is_named_is_reached_without_the_proxy() {
        let proxy = Proxy {
            address: "http://us%40er:pass@proxy.example.org:3128".to_owned(),
            except: "localhost, 10.0.0.0/8,.inside.example.org,example.net,192.0.2.7".to_owned(),
        };
        let made = proxy.for_ureq().unwrap();
        assert_eq!(
            (made.host(), made.port(), made.username(), made.password()),
            ("proxy.example.org", 3128, Some("us@er"), Some("pass"))
        );
        for (url, direct) in [
            ("https://github.com/k3s", false),
            ("https://localhost/k3s", true),
            ("https://inside.example.org/k3s", true),
            ("https://a.inside.example.org/k3s", true),
            ("https://mirror.example.net/k3s", true),
            ("https://myexample.net/k3s", false),
            ("http://192.0.2.7:8080/k3s", true),
            ("http://10.1.2.3:8080/k3s", true),
            ("http://11.1.2.3/k3s", false),
        ] {
            let uri = Uri::try_from(url).unwrap();
            let seen = proxy.towards(Some(url)).is_none() || made.is_no_proxy(&uri);
            assert_eq!(seen, direct, "{url}");
        }
        assert_eq!(proxy.towards(None), Some(&proxy));
    }

    #[test]
    fn the_environment_gives_no_proxy() {
        let client = HttpClient::new(None, false).unwrap();
        assert!(client.agent.config().proxy().is_none());
        assert!(client.agent.config().https_only());
    }
}
