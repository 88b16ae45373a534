//! What kube-proxy, flannel and the others have left in a machine's firewall goes with k3s, and what
//! stands beside it stays byte for byte.

use towline_lab::Machine;

use crate::place::Place;

/// Rules of another program in both kinds of iptables, with counters that have counted; some are made
/// to look like those of Kubernetes. A table of nftables and a set of their own, too.
const FOREIGN: &str = r#"
for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
    case $tool in ip6*) net=2001:db8::/32 ;; *) net=192.0.2.0/24 ;; esac
    $tool -N MINE
    $tool -N MY-KUBE-X
    $tool -A MINE -s $net -j RETURN -c 7 700
    $tool -A FORWARD -s $net -j MINE -c 3 300
    $tool -A FORWARD -s $net -j MY-KUBE-X
    $tool -A FORWARD -s $net -m comment --comment 'not -j KUBE-SERVICES' -j DROP -c 1 2
    $tool -A FORWARD -s $net -m comment --comment 'a quote \" -j KUBE-SERVICES' -j DROP
    $tool -A FORWARD -s $net -m comment --comment 'about --comment "flanneld forward"' -j DROP
    $tool -A FORWARD -s $net -m comment --comment 'a "quote" and a lone " -j KUBE-SERVICES' -j DROP
    $tool -A FORWARD -s $net -m comment --comment 'my flanneld rule' -j DROP
    $tool -A FORWARD -s $net -m comment --comment 'see "KUBE-ROUTER rule"' -j DROP
    $tool -t nat -A POSTROUTING -s $net -j MASQUERADE -c 5 500
    $tool -t mangle -A PREROUTING -s $net -j MARK --set-mark 7
done
ipset create MINE hash:ip
ipset add MINE 192.0.2.7
ipset create MY-KUBE-SET hash:net
ipset create kube-mine hash:ip
iptables-nft -A FORWARD -m set --match-set MINE src -j DROP
nft -f - <<'END'
table inet mine {
    set addresses { type ipv4_addr; elements = { 192.0.2.1 }; }
    chain forward {
        type filter hook forward priority 10; policy accept;
        ip saddr @addresses counter packets 9 bytes 900 drop comment "KUBE-SERVICES kube-proxy"
    }
}
table ip my-kube-proxy { chain kube-proxy { counter packets 4 bytes 400; }; }
table bridge kube-proxy { chain mine { }; }
table inet flannel-ipv4-mine { }
END
"#;

/// What components of k3s leave, by the backends they know: kube-proxy and the network policies,
/// flannel, the CNI's port mappings.
const LEFT_BEHIND: &str = r#"
for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
    case $tool in
        ip6*) pods=fd42::/56 service=fd43::1 family=inet6 prefix=inet6: ;;
        *) pods=10.42.0.0/16 service=10.43.0.1 family=inet prefix= ;;
    esac
    ipset -exist create ${prefix}KUBE-SRC-ABC hash:ip family $family
    ipset -exist create ${prefix}KUBE-DST-ABC hash:ip family $family
    $tool-restore --noflush <<END
*mangle
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-ABC - [0:0]
:KUBE-SEP-ABC - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-DN-0123456789abcdef - [0:0]
:CNI-0123456789abcdef01234567 - [0:0]
:FLANNEL-POSTRTG - [0:0]
-I PREROUTING 1 -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s $pods -m comment --comment "name: \"cbr0\" id: \"0123\"" -j CNI-0123456789abcdef01234567
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-SERVICES -d $service -p tcp -m tcp --dport 443 -m comment --comment "default/kubernetes:https cluster IP" -j KUBE-SVC-ABC
-A KUBE-SVC-ABC -m comment --comment "default/kubernetes:https" -m statistic --mode random --probability 0.5 -j KUBE-SEP-ABC
-A KUBE-SEP-ABC -s $pods -j KUBE-MARK-MASQ
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"cbr0\" id: \"0123\"" -m multiport --dports 80,443 -j CNI-DN-0123456789abcdef
-A CNI-DN-0123456789abcdef -s $pods -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK
-A FLANNEL-POSTRTG -s $pods -m comment --comment "flanneld masq" -j RETURN
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-NWPLCY-DEFAULT - [0:0]
:KUBE-POD-FW-ABC - [0:0]
:FLANNEL-FWD - [0:0]
-I INPUT 1 -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-I FORWARD 1 -m comment --comment "kube-router netpol - TEMCG2JMHZYE7H7T" -j KUBE-ROUTER-FORWARD
-I FORWARD 2 -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -s $pods -m comment --comment "flanneld forward" -j ACCEPT
-A FORWARD -m comment --comment "KUBE-ROUTER rule to explicitly ACCEPT traffic that comply to network policies" -m mark --mark 0x20000/0x20000 -j ACCEPT
-A INPUT -m comment --comment "KUBE-ROUTER rule to explicitly ACCEPT traffic that comply to network policies" -m mark --mark 0x20000/0x20000 -j ACCEPT
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-ROUTER-FORWARD -d $pods -j KUBE-POD-FW-ABC
-A KUBE-POD-FW-ABC -m set --match-set ${prefix}KUBE-SRC-ABC src -m set --match-set ${prefix}KUBE-DST-ABC dst -j KUBE-NWPLCY-DEFAULT
-A FLANNEL-FWD -s $pods -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
END
done
nft -f - <<'END'
table ip kube-proxy {
    chain services { type nat hook prerouting priority -100; ip daddr 10.43.0.1 jump endpoint; }
    chain endpoint { meta l4proto tcp dnat to 10.42.0.2:6443; }
}
table ip6 kube-proxy { chain services { type nat hook prerouting priority -100; }; }
table ip flannel-ipv4 { chain postrtg { type nat hook postrouting priority 100; ip saddr 10.42.0.0/16 return; }; }
table ip6 flannel-ipv6 { chain forward { type filter hook forward priority 0; ip6 saddr fd42::/56 accept; }; }
END
"#;

/// Everything in the firewall; of iptables' own chains without their counters, which count the
/// test's connections too.
fn firewall(machine: &Machine) -> String {
    machine.succeed(
        "for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do \
             echo \"== $tool\"; $tool-save -c 2>/dev/null | grep -v '^#' | sed '/^:[A-Z]* [A-Z]/s/ \\[.*//'; \
         done; \
         echo '== ipset'; ipset save; \
         for table in 'inet mine' 'ip my-kube-proxy' 'bridge kube-proxy' 'inet flannel-ipv4-mine'; do nft list table $table; done; \
         echo '== nft'; nft list tables | LC_ALL=C sort",
    )
}

#[test]
fn what_k3s_left_in_the_firewall_goes_and_what_is_beside_it_stays() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    m1.install("ipset").unwrap();
    // The tables of the other kind come with the first look at them.
    m1.succeed("for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do for table in filter nat mangle; do $tool -t $table -S >/dev/null; done; done");
    m1.succeed(&format!("set -e\n{FOREIGN}"));
    let before = firewall(m1);
    place.deploy(&place.inventory()).ends(0);
    m1.succeed(&format!("set -e\n{LEFT_BEHIND}"));
    for line in [
        ":KUBE-SERVICES",
        "inet6:KUBE-SRC-ABC",
        "table ip6 flannel-ipv6",
    ] {
        assert!(firewall(m1).contains(line), "{line} was not put there");
    }

    let reset = place
        .towline("reset", &place.inventory())
        .args("--yes --output json");
    reset.run().ends(0);
    let after = firewall(m1);
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let more: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    assert!(before == after, "gone {gone:#?}, more {more:#?}");
}
