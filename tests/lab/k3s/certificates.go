package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// authority is a certificate authority with its key.
type authority struct {
	certificate    *x509.Certificate
	key            *ecdsa.PrivateKey
	certificatePEM []byte
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), nil
}

func serialNumber() *big.Int {
	number, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	return number
}

// newAuthority makes a self-signed CA for ten years, named as k3s names its own.
func newAuthority(name string) (certificatePEM, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

func loadAuthority(certificateFile string) (*authority, error) {
	certificatePEM, err := os.ReadFile(certificateFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(certificateFile[:len(certificateFile)-len(filepath.Ext(certificateFile))] + ".key")
	if err != nil {
		return nil, err
	}
	certificate, err := parseCertificate(certificatePEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("no key in the key file of %s", certificateFile)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key, certificatePEM: certificatePEM}, nil
}

func parseCertificate(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("no certificate found")
	}
	return x509.ParseCertificate(block.Bytes)
}

// certificateRequest says what a leaf certificate is for.
type certificateRequest struct {
	name   string
	groups []string
	names  []string // DNS names and IP addresses
	server bool
	client bool
}

// issue signs a leaf certificate for one year, with a new key. The PEM holds the CA behind the leaf.
func (a *authority) issue(request certificateRequest) (certificatePEM, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	certificatePEM, err = a.sign(request, key.Public())
	return certificatePEM, keyPEM, err
}

func (a *authority) sign(request certificateRequest, key crypto.PublicKey) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: serialNumber(),
		Subject:      pkix.Name{CommonName: request.name, Organization: request.groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	if request.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if request.client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, name := range uniqueSorted(request.names) {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(leaf, a.certificatePEM...), nil
}

// issueTo writes certificate and key as FILE and its .key sibling. A present
// certificate is kept while it is from this authority, asks for the same names
// and has four months left: k3s renews at a start in the last 120 days. The key
// stays, so that whoever reads both files meanwhile gets two that belong together.
func (a *authority) issueTo(certificateFile string, request certificateRequest) error {
	keyFile := certificateFile[:len(certificateFile)-len(filepath.Ext(certificateFile))] + ".key"
	if present, err := tls.LoadX509KeyPair(certificateFile, keyFile); err == nil && present.Leaf != nil {
		leaf := present.Leaf
		if leaf.CheckSignatureFrom(a.certificate) == nil &&
			bytes.Equal([]byte(fmt.Sprint(certificateNames(leaf))), []byte(fmt.Sprint(uniqueSorted(request.names)))) &&
			leaf.Subject.CommonName == request.name &&
			time.Until(leaf.NotAfter) > 120*24*time.Hour {
			return nil
		}
		certificatePEM, err := a.sign(request, leaf.PublicKey)
		if err != nil {
			return err
		}
		return writeFileAtomically(certificateFile, certificatePEM, 0o644)
	}
	certificatePEM, keyPEM, err := a.issue(request)
	if err != nil {
		return err
	}
	if err := writeFileAtomically(keyFile, keyPEM, 0o600); err != nil {
		return err
	}
	return writeFileAtomically(certificateFile, certificatePEM, 0o644)
}

func certificateNames(certificate *x509.Certificate) []string {
	names := append([]string(nil), certificate.DNSNames...)
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	return uniqueSorted(names)
}

func uniqueSorted(values []string) []string {
	seen := map[string]bool{}
	var result []string
	for _, value := range values {
		if address := net.ParseIP(value); address != nil {
			value = address.String()
		}
		if value != "" && !seen[value] {
			seen[value] = true
			result = append(result, value)
		}
	}
	sort.Strings(result)
	return result
}
