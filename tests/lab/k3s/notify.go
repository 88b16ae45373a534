package main

import (
	"net"
	"os"

	"towline.lab/parts"
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
		parts.LogWarning("Failed to notify systemd: %v", err)
		return
	}
	defer connection.Close()
	_, _ = connection.Write([]byte("READY=1\n"))
}
