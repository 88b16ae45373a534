package parts

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// RandomHex is a secret of so many bytes.
func RandomHex(bytes int) string {
	buffer := make([]byte, bytes)
	_, _ = rand.Read(buffer)
	return hex.EncodeToString(buffer)
}

// WriteFileAtomically replaces a file, and makes its folder for root alone.
func WriteFileAtomically(name string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temporary := name + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

// OrDefault is the value, or the fallback where it is empty.
func OrDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// AddressInNetwork counts offset addresses up from the network's first.
func AddressInNetwork(network string, offset int) string {
	_, parsed, err := net.ParseCIDR(network)
	if err != nil {
		return ""
	}
	address := append(net.IP(nil), parsed.IP...)
	for index := len(address) - 1; index >= 0 && offset > 0; index-- {
		sum := int(address[index]) + offset
		address[index] = byte(sum)
		offset = sum >> 8
	}
	return address.String()
}

// URLs parses what this program wrote itself.
func URLs(values ...string) []url.URL {
	var result []url.URL
	for _, value := range values {
		parsed, err := url.Parse(value)
		if err != nil {
			Fatal("Error: invalid URL %s: %v", value, err)
		}
		result = append(result, *parsed)
	}
	return result
}

// EtcdClientTLS is what a client of etcd shows and trusts.
func EtcdClientTLS(certificate, key, authorityFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	caPEM, err := os.ReadFile(authorityFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Pause waits, and says whether there is reason to go on.
func Pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

// WaitAtMost returns when the action has ended or the time is over.
func WaitAtMost(limit time.Duration, action func()) {
	done := make(chan struct{})
	go func() { action(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// TidyMemory trades processor for memory once the start is over: several
// machines share one memory.
func TidyMemory() {
	time.Sleep(5 * time.Second)
	debug.SetGCPercent(50)
	debug.FreeOSMemory()
}

// KeyFileOf is where the key of a certificate lies.
func KeyFileOf(certificateFile string) string {
	return strings.TrimSuffix(certificateFile, ".crt") + ".key"
}

// QuietLogger says nothing.
func QuietLogger() *log.Logger { return log.New(io.Discard, "", 0) }
