package main

import (
	"fmt"
	"net"
	"sort"

	"towline.lab/parts"
)

// criticalConfig holds the values that must be equal on all servers, with the
// names k3s gives them (k3s: config.CriticalControlArgs). They are compared
// when a server joins.
type criticalConfig struct {
	ClusterDNSs           []string
	ClusterIPRanges       []string
	ClusterDomain         string
	DisableCCM            bool
	DisableHelmController bool
	DisableNPC            bool
	DisableServiceLB      bool
	EncryptSecrets        bool
	EncryptProvider       string
	EmbeddedRegistry      bool
	FlannelBackend        string
	FlannelIPv6Masq       bool
	FlannelExternalIP     bool
	EgressSelectorMode    string
	ServiceIPRanges       []string
	SupervisorMetrics     bool
}

func (s *settings) critical() criticalConfig {
	config := criticalConfig{
		ClusterDNSs:           s.clusterDNS,
		ClusterIPRanges:       s.clusterCIDRs,
		ClusterDomain:         s.clusterDomain,
		DisableCCM:            s.options.truth("disable-cloud-controller"),
		DisableHelmController: s.options.truth("disable-helm-controller"),
		DisableNPC:            s.options.truth("disable-network-policy"),
		EncryptSecrets:        s.options.truth("secrets-encryption"),
		EncryptProvider:       parts.OrDefault(s.options.text("secrets-encryption-provider"), "aescbc"),
		EmbeddedRegistry:      s.options.truth("embedded-registry"),
		FlannelBackend:        parts.OrDefault(s.options.text("flannel-backend"), "vxlan"),
		FlannelIPv6Masq:       s.options.truth("flannel-ipv6-masq"),
		FlannelExternalIP:     s.options.truth("flannel-external-ip"),
		EgressSelectorMode:    parts.OrDefault(s.options.text("egress-selector-mode"), "agent"),
		ServiceIPRanges:       s.serviceCIDRs,
		SupervisorMetrics:     s.options.truth("supervisor-metrics"),
	}
	for _, component := range s.options.list("disable") {
		if component == "servicelb" {
			config.DisableServiceLB = true
		}
	}
	return config
}

// mismatches names the values that differ, in the words of k3s's warning: the
// flag's name for a plain value, the path to the first differing byte for a
// network or address.
func (c criticalConfig) mismatches(other criticalConfig) []string {
	var found []string
	add := func(differs bool, name string) {
		if differs {
			found = append(found, name)
		}
	}
	found = append(found, addressMismatches("ClusterDNSs", "ClusterDNS", c.ClusterDNSs, other.ClusterDNSs, false)...)
	found = append(found, addressMismatches("ClusterIPRanges", "ClusterIPRange", c.ClusterIPRanges, other.ClusterIPRanges, true)...)
	add(c.ClusterDomain != other.ClusterDomain, "cluster-domain")
	add(c.DisableCCM != other.DisableCCM, "disable-cloud-controller")
	add(c.DisableHelmController != other.DisableHelmController, "disable-helm-controller")
	add(c.DisableNPC != other.DisableNPC, "disable-network-policy")
	add(c.DisableServiceLB != other.DisableServiceLB, "disable-service-lb")
	add(c.EncryptSecrets != other.EncryptSecrets, "secrets-encryption")
	add(c.EncryptProvider != other.EncryptProvider, "secrets-encryption-provider")
	add(c.EmbeddedRegistry != other.EmbeddedRegistry, "embedded-registry")
	add(c.FlannelBackend != other.FlannelBackend, "flannel-backend")
	add(c.FlannelIPv6Masq != other.FlannelIPv6Masq, "flannel-ipv6-masq")
	add(c.FlannelExternalIP != other.FlannelExternalIP, "flannel-external-ip")
	add(c.EgressSelectorMode != other.EgressSelectorMode, "egress-selector-mode")
	found = append(found, addressMismatches("ServiceIPRanges", "ServiceIPRange", c.ServiceIPRanges, other.ServiceIPRanges, true)...)
	add(c.SupervisorMetrics != other.SupervisorMetrics, "supervisor-metrics")
	return found
}

func addressMismatches(listName, firstName string, mine, theirs []string, network bool) []string {
	var found []string
	for index := 0; index < len(mine) || index < len(theirs); index++ {
		path := fmt.Sprintf("%s.slice[%d]", listName, index)
		if index >= len(mine) || index >= len(theirs) {
			found = append(found, path)
			continue
		}
		for _, difference := range addressDifference(mine[index], theirs[index], network) {
			if index == 0 {
				found = append(found, firstName+difference)
			}
			found = append(found, path+difference)
		}
	}
	sort.Strings(found)
	return found
}

func addressDifference(mine, theirs string, network bool) []string {
	if mine == theirs {
		return nil
	}
	if !network {
		return byteDifferences("", net.ParseIP(mine).To16(), net.ParseIP(theirs).To16())
	}
	_, left, errLeft := net.ParseCIDR(mine)
	_, right, errRight := net.ParseCIDR(theirs)
	if errLeft != nil || errRight != nil {
		return []string{""}
	}
	found := byteDifferences(".IP", left.IP.To16(), right.IP.To16())
	return append(found, byteDifferences(".Mask", left.Mask, right.Mask)...)
}

func byteDifferences(prefix string, mine, theirs []byte) []string {
	var found []string
	for index := 0; index < len(mine) && index < len(theirs); index++ {
		if mine[index] != theirs[index] {
			found = append(found, fmt.Sprintf("%s.slice[%d]", prefix, index))
		}
	}
	return found
}
