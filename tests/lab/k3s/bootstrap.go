package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"towline.lab/parts"
)

// bootstrapData is what all servers of a cluster share: file name below
// server/ to content. It lies in etcd, encrypted with the server token, and on
// each server's disk (k3s: pkg/bootstrap).
type bootstrapData map[string][]byte

const passwordFile = "cred/passwd"

var sharedAuthorities = map[string]string{
	"tls/server-ca.crt":         "k3s-server-ca",
	"tls/client-ca.crt":         "k3s-client-ca",
	"tls/request-header-ca.crt": "k3s-request-header-ca",
	"tls/etcd/server-ca.crt":    "etcd-server-ca",
	"tls/etcd/peer-ca.crt":      "etcd-peer-ca",
}

var errDifferentToken = errors.New("bootstrap data already found and encrypted with different token")

// newBootstrapData makes the authorities, the service account key and the
// passwords of a new cluster. Authorities that lie on the disk already (a
// custom CA) are taken as they are.
func newBootstrapData(serverDir, serverPassword, agentPassword string) (bootstrapData, error) {
	data := bootstrapData{}
	for file, name := range sharedAuthorities {
		certificate, errCertificate := os.ReadFile(filepath.Join(serverDir, file))
		key, errKey := os.ReadFile(filepath.Join(serverDir, parts.KeyFileOf(file)))
		if errCertificate != nil || errKey != nil {
			var err error
			if certificate, key, err = parts.NewAuthority(fmt.Sprintf("%s@%d", name, time.Now().Unix())); err != nil {
				return nil, err
			}
		}
		data[file], data[parts.KeyFileOf(file)] = certificate, key
	}
	_, serviceKey, err := parts.NewKey()
	if err != nil {
		return nil, err
	}
	data["tls/service.key"] = serviceKey
	data[passwordFile] = formatPasswords(serverPassword, agentPassword)
	return data, nil
}

// formatPasswords has k3s's form: password,user,user,group.
func formatPasswords(serverPassword, agentPassword string) []byte {
	return []byte(fmt.Sprintf("%s,node,node,k3s:agent\n%s,server,server,k3s:server\n", agentPassword, serverPassword))
}

func parsePasswords(content []byte) (serverPassword, agentPassword string) {
	for _, line := range strings.Split(string(content), "\n") {
		fields := strings.Split(line, ",")
		if len(fields) < 4 {
			continue
		}
		switch fields[1] {
		case "server":
			serverPassword = fields[0]
		case "node":
			agentPassword = fields[0]
		}
	}
	return serverPassword, agentPassword
}

// write puts the data on the disk where it differs.
func (d bootstrapData) write(serverDir string) error {
	for name, content := range d {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("bootstrap data names a file outside its folder: %s", name)
		}
		if err := parts.WriteFileAtomically(filepath.Join(serverDir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// readBootstrapData reads it back from the disk; it fails where any file lacks.
func readBootstrapData(serverDir string) (bootstrapData, error) {
	data := bootstrapData{}
	names := []string{"tls/service.key", passwordFile}
	for file := range sharedAuthorities {
		names = append(names, file, parts.KeyFileOf(file))
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(serverDir, name))
		if err != nil {
			return nil, err
		}
		data[name] = content
	}
	return data, nil
}

const (
	saltLength       = 16
	keyDerivationRun = 20000
)

func bootstrapCipher(password string, salt []byte) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, keyDerivationRun, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encrypt seals the data with the password part of the server token.
func (d bootstrapData) encrypt(password string) ([]byte, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt)
	sealer, err := bootstrapCipher(password, salt)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, sealer.NonceSize())
	_, _ = rand.Read(nonce)
	return append(append(salt, nonce...), sealer.Seal(nil, nonce, plain, nil)...), nil
}

func decryptBootstrapData(sealed []byte, password string) (bootstrapData, error) {
	if len(sealed) < saltLength+12 {
		return nil, errors.New("bootstrap data is too short")
	}
	opener, err := bootstrapCipher(password, sealed[:saltLength])
	if err != nil {
		return nil, err
	}
	nonce := sealed[saltLength : saltLength+opener.NonceSize()]
	plain, err := opener.Open(nil, nonce, sealed[saltLength+opener.NonceSize():], nil)
	if err != nil {
		return nil, errDifferentToken
	}
	data := bootstrapData{}
	return data, json.Unmarshal(plain, &data)
}
