package main

import (
	"net"
	"os"
	"strconv"
	"strings"
)

// notifySocket is where systemd listens. It is taken out of the environment
// at the start, since the API server would tell it READY on its own account.
var notifySocket string

func takeNotifySocket() {
	notifySocket = os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET")
}

// notifyReady tells systemd that a unit of Type=notify has started (sd_notify(3)).
func notifyReady() {
	path := notifySocket
	if path == "" {
		return
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		logWarning("Failed to notify systemd: %v", err)
		return
	}
	defer connection.Close()
	_, _ = connection.Write([]byte("READY=1\n"))
}

// missedFile counts the starts of an agent that are still to miss their READY.
const missedFile = "/etc/k3s-standin/missed-ready"

// missesReady says whether this start of an agent never tells systemd READY,
// though its node gets Ready. k3s's does so where its network policy
// controller begins to wait for the node's next report just after the report
// that it needed, and then stays so until the kubelet's next one, in five
// minutes (k3s: pkg/agent/netpol/netpol.go).
func missesReady() bool {
	content, _ := os.ReadFile(missedFile)
	left, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || left < 1 {
		return false
	}
	return os.WriteFile(missedFile, []byte(strconv.Itoa(left-1)+"\n"), 0o644) == nil
}
