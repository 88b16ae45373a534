//! By which addresses hosts reach each other.

super::codes! {
    "Addresses between hosts";

    /// A host has no address for the cluster. The inventory names an address or an interface that the
    /// host does not have, or the host has no address at all that others could use.
    ///
    /// # Remedy
    /// Correct `private_address`, `interface` or `config: {node-ip: …}` of the host in the inventory. On the
    /// host, this shows what it has:
    ///
    /// ```sh
    /// ip -brief address
    /// ```
    NODE_ADDRESS_MISSING "node-address-missing";

    /// Several hosts have the same address, so they cannot reach each other by it. Behind the NAT of
    /// VirtualBox every machine has 10.0.2.15 on its first interface.
    ///
    /// # Remedy
    /// Give the machines a network of their own, and name it: `interface: eth1` for all hosts or a group,
    /// or `private_address` for each host. A server that already runs with the shared address has to be
    /// made anew.
    NODE_ADDRESS_SHARED "node-address-shared";

    /// The address of a node would change. The other members of etcd know a server by the address with
    /// which it joined.
    ///
    /// # Remedy
    /// Give the host its old address back, or write that address as `private_address` for it. To move a
    /// server to another address, reset that server alone with `--limit` and deploy it again.
    NODE_ADDRESS_CHANGED "node-address-changed";

    /// The network of the pods has an address family that the node has no address of. Kubernetes starts no
    /// node that lacks one.
    ///
    /// # Remedy
    /// Give the host an IPv4 or IPv6 address, or list both under `config: {node-ip: …}` of the host if it
    /// has one that was not found.
    ADDRESS_FAMILY_MISSING "address-family-missing";

    /// No network was found that connects the hosts. They have addresses in networks of different sites, or
    /// in networks that have the same range and are not connected.
    ///
    /// # Remedy
    /// Write for each host the address by which the others reach it, as `private_address`, or the interface
    /// that it is on, as `interface`. The message lists what each host has.
    NO_COMMON_NETWORK "no-common-network";

    /// The hosts could reach each other over more than one network, and nothing says over which. A wrong
    /// guess would send the traffic of the cluster over the slow or the public one.
    ///
    /// # Remedy
    /// Name it: `interface` in the inventory for all hosts or a group, or `private_address` for each host.
    NETWORK_AMBIGUOUS "network-ambiguous";

    /// A host has an address inside the range of pods or services. Such an address is looked for inside the
    /// cluster, and the host is not reached.
    ///
    /// # Remedy
    /// For a new cluster, choose other ranges under `config`, such as `cluster-cidr: 10.52.0.0/16` and
    /// `service-cidr: 10.53.0.0/16`. A running cluster keeps its ranges; give the host another address.
    NETWORK_OVERLAP "network-overlap";

    /// Hosts cannot reach each other on the ports of the cluster. A firewall is between them, or on them.
    ///
    /// # Remedy
    /// Open the ports that the message names between the hosts; in a cloud, in its security group as well.
    /// On the host that does not reach the other:
    ///
    /// ```sh
    /// timeout 5 bash -c '</dev/tcp/ADDRESS/PORT' && echo open
    /// ```
    PORTS_BLOCKED "ports-blocked";

    /// The server through which a host is to join does not answer. It is down, has left the cluster, or
    /// cannot be reached from the host.
    ///
    /// # Remedy
    /// Start that server, or run the same command again: it chooses a server that answers. If the servers
    /// have another address for each other, write it as `private_address` of the server.
    SERVER_UNREACHABLE "server-unreachable";

    /// Two hosts have the same hostname. The name of a node is the hostname of its host, and each node needs
    /// its own.
    ///
    /// # Remedy
    /// Give each host a hostname of its own, or write `node_name` for it in the inventory. Cloned virtual
    /// machines often share one:
    ///
    /// ```sh
    /// hostnamectl set-hostname NAME
    /// ```
    HOSTNAME_SHARED "hostname-shared";
}
