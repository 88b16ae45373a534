package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/snapshot"
	"go.uber.org/zap"

	"towline.lab/parts"
)

// runSnapshot is `k3s etcd-snapshot`: save, ls and delete on the local disk.
func runSnapshot(arguments []string) error {
	command := "save"
	if len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") {
		command, arguments = arguments[0], arguments[1:]
	}
	var flags []flagDefinition
	for _, flag := range append(serverFlags(), flagDefinition{name: "name"}, flagDefinition{name: "dir"}, flagDefinition{name: "output", aliases: []string{"o"}}) {
		if flag.name != "write-kubeconfig" {
			flags = append(flags, flag)
		}
	}
	chosen, err := parseArguments(flags, arguments)
	if err != nil {
		return err
	}
	configured, err := readConfigFiles(defaultConfigFile, false)
	if err != nil {
		return err
	}
	for name, values := range configured {
		if _, given := chosen[name]; !given {
			chosen[name] = values
		}
	}
	dataDir := parts.OrDefault(chosen.text("data-dir"), defaultDataDir)
	folder := parts.OrDefault(chosen.text("dir"), parts.OrDefault(chosen.text("etcd-snapshot-dir"), filepath.Join(dataDir, "server", "db", "snapshots")))
	switch command {
	case "save":
		return saveSnapshot(dataDir, folder, chosen)
	case "ls", "list", "l":
		return listSnapshots(folder)
	case "delete":
		for _, name := range arguments {
			if err := os.Remove(filepath.Join(folder, filepath.Base(name))); err != nil {
				return err
			}
			parts.LogInfo("Snapshot %s deleted.", name)
		}
		return nil
	default:
		return fmt.Errorf("k3s etcd-snapshot %s is not in the stand-in", command)
	}
}

func saveSnapshot(dataDir, folder string, chosen options) error {
	if _, err := os.Stat(filepath.Join(dataDir, "server", "db", "etcd", "member")); err != nil {
		return errors.New("etcd datastore disabled")
	}
	tlsDir := filepath.Join(dataDir, "server", "tls", "etcd")
	config, err := parts.EtcdClientTLS(filepath.Join(tlsDir, "client.crt"), filepath.Join(tlsDir, "client.key"), filepath.Join(tlsDir, "server-ca.crt"))
	if err != nil {
		return err
	}
	node := chosen.text("node-name")
	if node == "" {
		if node, err = os.Hostname(); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s-%s-%d", parts.OrDefault(chosen.text("name"), "on-demand"), strings.ToLower(node), time.Now().Unix())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	parts.LogInfo("Saving etcd snapshot to %s", filepath.Join(folder, name))
	_, err = snapshot.SaveWithVersion(ctx, zap.NewNop(), clientv3.Config{Endpoints: []string{"https://127.0.0.1:2379"}, TLS: config,
		DialTimeout: 5 * time.Second, Logger: zap.NewNop()}, filepath.Join(folder, name))
	if err != nil {
		return err
	}
	parts.LogInfo("Snapshot %s saved.", name)
	return nil
}

func listSnapshots(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	fmt.Println("Name Location Size Created")
	for _, entry := range entries {
		information, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Printf("%s file://%s %d %s\n", entry.Name(), filepath.Join(folder, entry.Name()), information.Size(), information.ModTime().UTC().Format(time.RFC3339))
	}
	return nil
}
