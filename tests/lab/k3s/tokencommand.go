package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"towline.lab/parts"
)

// runToken is `k3s token`: generate and rotate. Bootstrap tokens are not in the stand-in.
func runToken(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("k3s token: a subcommand is needed: generate or rotate")
	}
	switch arguments[0] {
	case "generate":
		fmt.Println(parts.RandomHex(3) + "." + parts.RandomHex(8))
		return nil
	case "rotate":
		return rotateToken(arguments[1:])
	default:
		return fmt.Errorf("k3s token %s is not in the stand-in", arguments[0])
	}
}

func rotateToken(arguments []string) error {
	flags := []flagDefinition{{name: "token", aliases: []string{"t"}, env: "K3S_TOKEN"}, {name: "new-token"},
		{name: "server", aliases: []string{"s"}}, {name: "data-dir", aliases: []string{"d"}}}
	chosen, err := parseArguments(flags, arguments)
	if err != nil {
		return err
	}
	fmt.Println("\033[33mWARNING\033[0m: Recommended to keep a record of the old token. If restoring from a snapshot, you must use the token associated with that snapshot.")
	dataDir := parts.OrDefault(chosen.text("data-dir"), defaultDataDir)
	old := parts.OrDefault(chosen.text("token"), os.Getenv("K3S_TOKEN"))
	if old == "" {
		content, err := os.ReadFile(filepath.Join(dataDir, "server", "token"))
		if err != nil {
			return err
		}
		old = strings.TrimSpace(string(content))
	}
	fresh := parts.OrDefault(chosen.text("new-token"), parts.RandomHex(16))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := newSupervisorClient(ctx, parts.OrDefault(chosen.text("server"), "https://127.0.0.1:6443"), old, "server")
	if err != nil {
		return err
	}
	warnShortToken(old)
	if _, err := client.do(ctx, http.MethodPost, "/v1-k3s/token-rotate", nil, bytes.TrimSpace([]byte(fresh))); err != nil {
		return err
	}
	fmt.Println("Token rotated, restart k3s nodes with new token")
	return nil
}
