package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	"towline.lab/parts"
)

// snapshotRequest is what `k3s etcd-snapshot` asks of its server.
type snapshotRequest struct {
	Operation string   `json:"operation"`
	Name      []string `json:"name,omitempty"`
	Dir       *string  `json:"dir,omitempty"`
	Compress  *bool    `json:"compress,omitempty"`
	Retention *int     `json:"retention,omitempty"`
	S3        bool     `json:"s3,omitempty"`
}

// snapshotResult is the answer, but for a list.
type snapshotResult struct {
	Created []string `json:"created,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

func snapshotFlags() []flagDefinition {
	flags := []flagDefinition{
		{name: "debug", kind: boolFlag, env: "K3S_DEBUG"},
		{name: "config", aliases: []string{"c"}, env: "K3S_CONFIG_FILE"},
		{name: "alsologtostderr", kind: boolFlag},
		{name: "log", aliases: []string{"l"}},
		{name: "node-name", env: "K3S_NODE_NAME"},
		{name: "data-dir", aliases: []string{"d"}, env: "K3S_DATA_DIR"},
		{name: "etcd-token", aliases: []string{"t"}},
		{name: "etcd-server", aliases: []string{"s"}},
		{name: "dir", aliases: []string{"etcd-snapshot-dir"}},
		{name: "name"},
		{name: "snapshot-compress", aliases: []string{"etcd-snapshot-compress"}, kind: boolFlag},
		{name: "snapshot-retention", aliases: []string{"etcd-snapshot-retention"}},
		{name: "output", aliases: []string{"o"}},
	}
	for _, name := range []string{"s3", "s3-skip-ssl-verify", "s3-insecure"} {
		flags = append(flags, flagDefinition{name: name, aliases: []string{"etcd-" + name}, kind: boolFlag})
	}
	for _, name := range []string{"endpoint", "endpoint-ca", "access-key", "secret-key", "session-token", "bucket",
		"bucket-lookup-type", "region", "retention", "folder", "proxy", "config-secret", "timeout"} {
		flags = append(flags, flagDefinition{name: "s3-" + name, aliases: []string{"etcd-s3-" + name}})
	}
	return flags
}

// runSnapshot is `k3s etcd-snapshot`. All of it is done by the server, which
// must run (k3s: pkg/cli/etcdsnapshot).
func runSnapshot(arguments []string) error {
	if len(arguments) == 0 || arguments[0] == "help" || strings.HasPrefix(arguments[0], "-") {
		fmt.Print("NAME:\n   k3s etcd-snapshot - Manage etcd snapshots\n\nCOMMANDS:\n   save, delete, ls (list, l), prune\n")
		return nil
	}
	command, run := arguments[0], map[string]func(*snapshotCall) error{
		"save": (*snapshotCall).save, "delete": (*snapshotCall).delete, "prune": (*snapshotCall).prune,
		"ls": (*snapshotCall).list, "list": (*snapshotCall).list, "l": (*snapshotCall).list,
	}[arguments[0]]
	if run == nil {
		fmt.Fprintf(os.Stderr, "No help topic for '%s'\n", command)
		os.Exit(3)
	}
	chosen, names, err := loadOptionsAndNames("etcd-snapshot", arguments[1:])
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Printf("Incorrect Usage: %v\n\nNAME:\n   k3s etcd-snapshot %s\n", err, command)
	}
	if err != nil {
		return err
	}
	return run(&snapshotCall{options: chosen, names: names})
}

type snapshotCall struct {
	options options
	names   []string
}

// post asks the server, with what of the options is set.
func (c *snapshotCall) post(request snapshotRequest) ([]byte, error) {
	if dir, set := c.options["dir"]; set {
		request.Dir = &dir[len(dir)-1]
	}
	if _, set := c.options["snapshot-compress"]; set {
		compress := c.options.truth("snapshot-compress")
		request.Compress = &compress
	}
	if text := c.options.text("snapshot-retention"); text != "" && request.Retention == nil {
		retention, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("invalid value %q for flag -etcd-snapshot-retention: parse error", text)
		}
		request.Retention = &retention
	}
	request.S3 = c.options.truth("s3")
	tokenText := c.options.text("etcd-token")
	if tokenText == "" {
		content, err := os.ReadFile(filepath.Join(parts.OrDefault(c.options.text("data-dir"), defaultDataDir), "server", "token"))
		if err != nil {
			return nil, err
		}
		tokenText = strings.TrimSpace(string(content))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := newSupervisorClient(ctx, parts.OrDefault(c.options.text("etcd-server"), "https://127.0.0.1:6443"), tokenText, "server")
	if err != nil {
		return nil, err
	}
	warnShortToken(tokenText)
	client.client.Timeout = 2 * time.Minute
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	answer, err := client.do(ctx, http.MethodPost, "/db/snapshot", nil, body)
	if err != nil {
		return nil, fmt.Errorf("see server log for details: %w", err)
	}
	return answer, nil
}

func (c *snapshotCall) result(request snapshotRequest) (result snapshotResult, err error) {
	answer, err := c.post(request)
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(answer, &result)
}

func (c *snapshotCall) baseName() []string {
	return []string{parts.OrDefault(c.options.text("name"), "on-demand")}
}

// save never prunes. One that failed has created nothing, and is no error.
func (c *snapshotCall) save() error {
	if len(c.names) > 0 {
		return errors.New("this command does not take any arguments")
	}
	none := 0
	result, err := c.result(snapshotRequest{Operation: "save", Name: c.baseName(), Retention: &none})
	for _, name := range result.Created {
		parts.LogInfo("Snapshot %s saved.", name)
	}
	return err
}

func (c *snapshotCall) delete() error {
	if len(c.names) == 0 {
		return errors.New("no snapshots given for removal")
	}
	result, err := c.result(snapshotRequest{Operation: "delete", Name: c.names})
	if err != nil {
		return err
	}
	for _, name := range result.Deleted {
		parts.LogInfo("Snapshot %s deleted.", name)
	}
	for _, name := range c.names {
		if !slices.Contains(result.Deleted, name) {
			parts.LogWarning("Snapshot %s not found.", name)
		}
	}
	return nil
}

func (c *snapshotCall) prune() error {
	result, err := c.result(snapshotRequest{Operation: "prune", Name: c.baseName()})
	for _, name := range result.Deleted {
		parts.LogInfo("Snapshot %s deleted.", name)
	}
	return err
}

func (c *snapshotCall) list() error {
	format := c.options.text("output")
	if !slices.Contains([]string{"", "json", "yaml", "table"}, format) {
		return errors.New("invalid output format: " + format)
	}
	answer, err := c.post(snapshotRequest{Operation: "list"})
	if err != nil {
		return err
	}
	list := snapshotList{}
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	sort.Slice(list.Items, func(i, j int) bool {
		left, right := list.Items[i], list.Items[j]
		if left.Status.CreationTime.Equal(right.Status.CreationTime) {
			return left.Spec.SnapshotName < right.Spec.SnapshotName
		}
		return left.Status.CreationTime.Before(right.Status.CreationTime)
	})
	return list.print(format)
}

func (l *snapshotList) print(format string) error {
	switch format {
	case "json":
		content, err := json.MarshalIndent(l, "", "    ")
		fmt.Println(string(content))
		return err
	case "yaml":
		content, err := yaml.Marshal(l)
		fmt.Print(string(content))
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprint(table, "Name\tLocation\tSize\tCreated\n")
	for _, item := range l.Items {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.Spec.SnapshotName, item.Spec.Location, item.Status.Size,
			item.Status.CreationTime.Local().Format(time.RFC3339))
	}
	return table.Flush()
}
