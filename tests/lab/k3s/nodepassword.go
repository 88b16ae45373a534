package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"towline.lab/parts"
)

// errNodePassword has k3s's words (pkg/agent/config/config.go).
var errNodePassword = errors.New("Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not " + //nolint:staticcheck
	"match server node-passwd entry, try enabling a unique node name with the --with-node-id flag")

// ownNodePassword reads or makes the password of this machine.
func ownNodePassword() (string, error) {
	file := filepath.Join(nodeConfigDir, "password")
	if content, err := os.ReadFile(file); err == nil && len(strings.TrimSpace(string(content))) > 0 {
		return strings.TrimSpace(string(content)), nil
	}
	password := parts.RandomHex(16)
	return password, parts.WriteFileAtomically(file, []byte(password+"\n"), 0o600)
}

func hashNodePassword(password string, salt []byte) string {
	key, _ := pbkdf2.Key(sha256.New, password, salt, 4096, 32)
	return hex.EncodeToString(salt) + ":" + hex.EncodeToString(key)
}

// ensureNodePassword checks a node's password against the secret
// <node>.node-password.k3s, which the first registration makes.
func ensureNodePassword(ctx context.Context, client kubernetes.Interface, nodeName, password string) error {
	name := nodeName + ".node-password.k3s"
	secrets := client.CoreV1().Secrets(metav1.NamespaceSystem)
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		salt := []byte(parts.RandomHex(8))
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem},
			Immutable:  &immutable,
			Data:       map[string][]byte{"hash": []byte(hashNodePassword(password, salt))},
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return ensureNodePassword(ctx, client, nodeName, password)
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("unable to verify password for node %s: %w", nodeName, err)
	}
	stored := string(secret.Data["hash"])
	saltText, _, _ := strings.Cut(stored, ":")
	salt, err := hex.DecodeString(saltText)
	if err != nil {
		return errNodePassword
	}
	if subtle.ConstantTimeCompare([]byte(hashNodePassword(password, salt)), []byte(stored)) != 1 {
		return errNodePassword
	}
	return nil
}
