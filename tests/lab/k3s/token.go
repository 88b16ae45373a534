package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"towline.lab/parts"
)

// A token is a password alone, or the full form
// K10<sha256 of the cluster CA's PEM>::<user>:<password>
// (k3s documentation, cli/token; pkg/clientaccess/token.go).
type token struct {
	caHash   string
	user     string
	password string
}

var fullToken = regexp.MustCompile(`^K10([0-9a-f]{64})::(.+)$`)

func parseToken(text string) (token, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return token{}, errors.New("token must not be empty")
	}
	if !strings.HasPrefix(text, "K10") {
		if user, password, found := strings.Cut(text, ":"); found && (user == "server" || user == "node") {
			return token{user: user, password: password}, nil
		}
		return token{password: text}, nil
	}
	match := fullToken.FindStringSubmatch(text)
	if match == nil {
		return token{}, errors.New("invalid token CA hash length")
	}
	user, password, found := strings.Cut(match[2], ":")
	if !found || password == "" {
		return token{}, errors.New("invalid token format")
	}
	return token{caHash: match[1], user: user, password: password}, nil
}

// hashCA is the hash of a CA file as it stands in a token.
func hashCA(pem []byte) string {
	sum := sha256.Sum256(pem)
	return hex.EncodeToString(sum[:])
}

func formatToken(caPEM []byte, user, password string) string {
	return fmt.Sprintf("K10%s::%s:%s", hashCA(caPEM), user, password)
}

func (t token) checkCA(caPEM []byte) error {
	if found := hashCA(caPEM); t.caHash != "" && t.caHash != found {
		return fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", t.caHash, found)
	}
	return nil
}

// optionOrFile reads a secret that can be given itself or as the name of a file.
func optionOrFile(chosen options, name string) (string, error) {
	if value := chosen.text(name); value != "" {
		return strings.TrimSpace(value), nil
	}
	file := chosen.text(name + "-file")
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(content)), nil
}

// writeTokenFiles writes token, node-token and agent-token below server/. The
// two latter are links to token unless agents have a token of their own.
func writeTokenFiles(serverDir string, caPEM []byte, serverPassword, agentPassword string) error {
	tokenFile := filepath.Join(serverDir, "token")
	if err := parts.WriteFileAtomically(tokenFile, []byte(formatToken(caPEM, "server", serverPassword)+"\n"), 0o600); err != nil {
		return err
	}
	if err := link(tokenFile, filepath.Join(serverDir, "node-token")); err != nil {
		return err
	}
	agentFile := filepath.Join(serverDir, "agent-token")
	if agentPassword == serverPassword {
		return link(tokenFile, agentFile)
	}
	_ = os.Remove(agentFile)
	return parts.WriteFileAtomically(agentFile, []byte(formatToken(caPEM, "node", agentPassword)+"\n"), 0o600)
}

func link(target, name string) error {
	if found, err := os.Readlink(name); err == nil && found == target {
		return nil
	}
	_ = os.Remove(name)
	return os.Symlink(target, name)
}
