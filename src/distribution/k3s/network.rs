//! The networks of a cluster's pods and services, and the address of its DNS: read as one set, by the
//! rules of k3s (pkg/cli/server/server.go, pkg/agent/run.go) and of Kubernetes.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::settings::words;

/// The networks inside a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    /// `cluster-cidr`.
    pub pods: Vec<IpNet>,
    /// `service-cidr`.
    pub services: Vec<IpNet>,
    /// `cluster-dns`.
    pub dns: Vec<IpAddr>,
}

/// What is wrong with a key of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNetwork {
    /// The key of config.yaml that says so.
    pub key: &'static str,
    /// What is wrong, as a sentence that follows the key.
    pub what: String,
    /// What to write instead.
    pub help: String,
    /// Whether k3s does not start with it, so that no cluster runs so.
    pub is_fatal: bool,
}

/// What may say how large a node's part of the pods' network is.
pub const MANAGER: &str = "kube-controller-manager-arg";

/// The sizes of a network of pods that nodes get parts of 64 bits from.
const SIZES: std::ops::RangeInclusive<u8> = 48..=64;

const PODS: &str = "cluster-cidr";
const SERVICES: &str = "service-cidr";
const DNS: &str = "cluster-dns";

/// What k3s takes when nothing is said, by the family of the node's address.
const DEFAULTS: [(&str, &str); 2] = [
    ("10.42.0.0/16", "10.43.0.0/16"),
    ("fd00:42::/56", "fd00:43::/112"),
];

impl Networks {
    /// Reads what k3s is told. `ipv6` says that the node's first address is one of IPv6: what is not
    /// told follows it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read<'a>(
        told: impl Fn(&str) -> Option<&'a Value>,
        ipv6: bool,
    ) -> Result<Self, InvalidNetwork> {
        let own = |key| ranges(key, told(key));
        let (pods, services) = (own(PODS)?, own(SERVICES)?);
        let first = pods.first().or(services.first());
        let is_ipv6 = first.map_or(ipv6, |range| range.addr().is_ipv6());
        let (default_pods, default_services) = DEFAULTS[usize::from(is_ipv6)];
        let or_default = |own: Vec<IpNet>, default: &str| {
            if own.is_empty() {
                default.parse().into_iter().collect()
            } else {
                own
            }
        };
        let pods = or_default(pods, default_pods);
        let services = or_default(services, default_services);
        let of = |ranges: &[IpNet]| ranges.iter().map(family).collect::<Vec<_>>();
        if of(&pods) != of(&services) {
            let (key, other, own, others) = match told(SERVICES) {
                Some(_) => (SERVICES, PODS, &services, &pods),
                None => (PODS, SERVICES, &pods, &services),
            };
            return Err(invalid(
                key,
                format!(
                    "has {}, and {other} has {}",
                    families(own),
                    families(others)
                ),
                format!(
                    "both have the same families in the same order, for example\ncluster-cidr: {}\nservice-cidr: {}",
                    example(&pods, 0),
                    example(&pods, 1)
                ),
            ));
        }
        let manager = words(told(MANAGER));
        let is_usual = !manager
            .iter()
            .any(|word| word.contains("node-cidr-mask-size"));
        let unfit =
            |range: &&IpNet| is_usual && family(range) && !SIZES.contains(&range.prefix_len());
        if let Some(range) = pods.iter().find(unfit) {
            let size = if range.prefix_len() > 64 {
                "small"
            } else {
                "large"
            };
            return Err(invalid(
                PODS,
                format!(
                    "{range} is too {size}: each node gets a /64 of it, and k3s ends soon after its start"
                ),
                "of IPv6 it takes /48 to /64, for example fd00:42::/56 for 256 nodes".into(),
            ));
        }
        let unusual = |key, what, help| InvalidNetwork {
            is_fatal: false,
            ..invalid(key, what, help)
        };
        for one in &pods {
            if let Some(other) = services.iter().find(|other| overlap(one, other)) {
                let key = told(SERVICES).map_or(PODS, |_| SERVICES);
                let what = format!("{other} for services and {one} for pods share addresses");
                return Err(unusual(key, what, "give each a range of its own".into()));
            }
        }
        let dns = addresses(told(DNS))?;
        for address in &dns {
            let range = services.iter().find(|range| range.contains(address));
            let usual = tenth(*range.unwrap_or(&services[0]));
            let help = format!("k3s takes {usual} by itself");
            let Some(range) = range else {
                let what = format!("{address} is not in service-cidr, {}", listed(&services));
                return Err(unusual(DNS, what, help));
            };
            if *address == nth(*range, 1) || *address == range.network() {
                let what = format!("{address} is the address of the API's own service, kubernetes");
                return Err(unusual(DNS, what, help));
            }
        }
        let dns = if dns.is_empty() {
            services.iter().copied().map(tenth).collect()
        } else {
            dns
        };
        Ok(Self {
            pods,
            services,
            dns,
        })
    }

    /// The key and the range that an address of a host is in.
    pub fn taken(&self, address: IpAddr) -> Option<(&'static str, IpNet)> {
        let all = [(PODS, &self.pods), (SERVICES, &self.services)];
        all.into_iter().find_map(|(key, ranges)| {
            let range = ranges.iter().find(|range| range.contains(&address))?;
            Some((key, *range))
        })
    }

    /// The values of a key, for people.
    pub fn value(&self, key: &str) -> String {
        match key {
            PODS => listed(&self.pods),
            SERVICES => listed(&self.services),
            _ => listed(&self.dns),
        }
    }
}

/// The keys that are read.
pub const KEYS: [&str; 3] = [PODS, SERVICES, DNS];

const fn invalid(key: &'static str, what: String, help: String) -> InvalidNetwork {
    InvalidNetwork {
        key,
        what,
        help,
        is_fatal: true,
    }
}

fn ranges(key: &'static str, value: Option<&Value>) -> Result<Vec<IpNet>, InvalidNetwork> {
    let range = |word: &String| {
        let range = word.parse::<IpNet>().map(|range| range.trunc());
        range.map_err(|_| {
            let help = match word.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => format!("with its size: {word}/16"),
                Ok(IpAddr::V6(_)) => format!("with its size: {word}/56"),
                Err(_) => "a range is written 10.42.0.0/16 or fd00:42::/56".to_owned(),
            };
            invalid(key, format!("`{word}` is not a range of addresses"), help)
        })
    };
    let ranges = words(value)
        .iter()
        .map(range)
        .collect::<Result<Vec<_>, _>>()?;
    match ranges.as_slice() {
        [] | [_] => Ok(ranges),
        [one, other] if family(one) != family(other) => Ok(ranges),
        _ => {
            let help = "it takes one, or one of IPv4 and one of IPv6".into();
            Err(invalid(key, format!("has {} ranges", ranges.len()), help))
        }
    }
}

fn addresses(value: Option<&Value>) -> Result<Vec<IpAddr>, InvalidNetwork> {
    let address = |word: &String| {
        word.parse().map_err(|_| {
            let help = "it is one address in service-cidr, or one of each family".into();
            invalid(DNS, format!("`{word}` is not an address"), help)
        })
    };
    words(value).iter().map(address).collect()
}

const fn family(range: &IpNet) -> bool {
    matches!(range, IpNet::V6(_))
}

fn families(ranges: &[IpNet]) -> String {
    let name = |range| if family(range) { "IPv6" } else { "IPv4" };
    ranges.iter().map(name).collect::<Vec<_>>().join(" and ")
}

/// A pair of ranges of these families.
fn example(ranges: &[IpNet], which: usize) -> String {
    let default = |range: &IpNet| {
        let (pods, services) = DEFAULTS[usize::from(family(range))];
        [pods, services][which]
    };
    ranges.iter().map(default).collect::<Vec<_>>().join(",")
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn listed<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn tenth(range: IpNet) -> IpAddr {
    nth(range, 10)
}

fn nth(range: IpNet, count: u8) -> IpAddr {
    match range.network() {
        IpAddr::V4(first) => IpAddr::from((u32::from(first) | u32::from(count)).to_be_bytes()),
        IpAddr::V6(first) => IpAddr::from((u128::from(first) | u128::from(count)).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(config: &Value) -> String {
        match Networks::read(|key| config.get(key), false) {
            Ok(networks) => KEYS.map(|key| networks.value(key)).join(" "),
            Err(fault) => format!("{} {}", fault.key, fault.what),
        }
    }

    #[test]
    fn they_are_read_as_one_set() {
        let dual = "10.52.0.0/16,fd00:52::/56";
        for (config, expected) in [
            (json!({}), "10.42.0.0/16 10.43.0.0/16 10.43.0.10"),
            (
                json!({"cluster-cidr": "10.52.0.1/16", "service-cidr": ["10.53.0.0/16"]}),
                "10.52.0.0/16 10.53.0.0/16 10.53.0.10",
            ),
            (
                json!({"cluster-cidr": "fd00:52::/56"}),
                "fd00:52::/56 fd00:43::/112 fd00:43::a",
            ),
            (
                json!({"cluster-cidr": dual, "service-cidr": ["10.53.0.0/16", "fd00:53::/112"]}),
                "10.52.0.0/16,fd00:52::/56 10.53.0.0/16,fd00:53::/112 10.53.0.10,fd00:53::a",
            ),
            (
                json!({"cluster-cidr": "fd00:52::/40"}),
                "cluster-cidr fd00:52::/40 is too large: each node gets a /64 of it, and k3s ends soon after its start",
            ),
            (
                json!({"cluster-cidr": "10.52.0.0/16,fd00:52::/80", "service-cidr": "10.53.0.0/16,fd00:53::/112"}),
                "cluster-cidr fd00:52::/80 is too small: each node gets a /64 of it, and k3s ends soon after its start",
            ),
            (
                json!({"cluster-cidr": "fd00:52::/80", "kube-controller-manager-arg": ["node-cidr-mask-size-ipv6=96"]}),
                "fd00:52::/80 fd00:43::/112 fd00:43::a",
            ),
            (
                json!({"cluster-cidr": "10.52.0.0"}),
                "cluster-cidr `10.52.0.0` is not a range of addresses",
            ),
            (
                json!({"service-cidr": "10.52.0.0/33"}),
                "service-cidr `10.52.0.0/33` is not a range of addresses",
            ),
            (
                json!({"cluster-cidr": "10.1.0.0/16,10.2.0.0/16"}),
                "cluster-cidr has 2 ranges",
            ),
            (
                json!({"cluster-cidr": dual}),
                "cluster-cidr has IPv4 and IPv6, and service-cidr has IPv4",
            ),
            (
                json!({"cluster-cidr": dual, "service-cidr": "10.53.0.0/16"}),
                "service-cidr has IPv4, and cluster-cidr has IPv4 and IPv6",
            ),
            (
                json!({"cluster-cidr": dual, "service-cidr": "fd00:53::/112,10.53.0.0/16"}),
                "service-cidr has IPv6 and IPv4, and cluster-cidr has IPv4 and IPv6",
            ),
            (
                json!({"cluster-cidr": "10.0.0.0/8"}),
                "cluster-cidr 10.43.0.0/16 for services and 10.0.0.0/8 for pods share addresses",
            ),
            (
                json!({"service-cidr": "10.42.9.0/24"}),
                "service-cidr 10.42.9.0/24 for services and 10.42.0.0/16 for pods share addresses",
            ),
            (
                json!({"cluster-dns": "10.44.0.10"}),
                "cluster-dns 10.44.0.10 is not in service-cidr, 10.43.0.0/16",
            ),
            (
                json!({"cluster-dns": "10.43.0.1"}),
                "cluster-dns 10.43.0.1 is the address of the API's own service, kubernetes",
            ),
            (
                json!({"cluster-dns": "dns"}),
                "cluster-dns `dns` is not an address",
            ),
        ] {
            assert_eq!(told(&config), expected, "{config}");
        }
        let networks = Networks::read(|_| None, false).expect("defaults");
        let taken = |address: &str| networks.taken(address.parse().expect("an address"));
        assert_eq!(taken("10.43.7.7").map(|(key, _)| key), Some("service-cidr"));
        assert_eq!(taken("10.44.0.1"), None);
    }
}
