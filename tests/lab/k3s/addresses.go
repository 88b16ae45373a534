package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// addressOfDefaultRoute is the first address of the interface that the
// default route leaves by. Without one k3s does not start, so neither does
// this program unless a node-ip is given.
func addressOfDefaultRoute() (string, error) {
	for file, columns := range map[string]struct{ device, destination, mask int }{
		"/proc/net/route": {0, 1, 7},
	} {
		content, err := os.Open(file)
		if err != nil {
			continue
		}
		scanner := bufio.NewScanner(content)
		for scanner.Scan() {
			fields := strings.Fields(scanner.Text())
			if len(fields) > columns.mask && fields[columns.destination] == "00000000" && fields[columns.mask] == "00000000" {
				_ = content.Close()
				return addressOfInterface(fields[columns.device])
			}
		}
		_ = content.Close()
	}
	if device := ipv6DefaultDevice(); device != "" {
		return addressOfInterface(device)
	}
	return "", errors.New(`no default routes found in "/proc/net/route" or "/proc/net/ipv6_route"`)
}

func ipv6DefaultDevice() string {
	content, err := os.ReadFile("/proc/net/ipv6_route")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(content), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 10 && strings.Trim(fields[0], "0") == "" && fields[1] == "00" && fields[9] != "lo" {
			return fields[9]
		}
	}
	return ""
}

func addressOfInterface(name string) (string, error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return "", fmt.Errorf("unable to find interface %s: %w", name, err)
	}
	addresses, err := device.Addrs()
	if err != nil {
		return "", err
	}
	var second string
	for _, address := range addresses {
		network, isNetwork := address.(*net.IPNet)
		if !isNetwork || !network.IP.IsGlobalUnicast() {
			continue
		}
		if network.IP.To4() != nil {
			return network.IP.String(), nil
		}
		if second == "" {
			second = network.IP.String()
		}
	}
	if second == "" {
		return "", fmt.Errorf("unable to find an address on interface %s", name)
	}
	return second, nil
}
