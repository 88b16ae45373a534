package parts

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

// Authority is a certificate authority with its key.
type Authority struct {
	Certificate    *x509.Certificate
	key            crypto.Signer
	CertificatePEM []byte
}

// NewKey makes a key, and its file.
func NewKey() (*ecdsa.PrivateKey, []byte, error) {
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

// NewAuthority makes a self-signed CA for ten years.
func NewAuthority(name string) (certificatePEM, keyPEM []byte, err error) {
	key, keyPEM, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: name},
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

// LoadAuthority reads a CA and the key beside it.
func LoadAuthority(certificateFile string) (*Authority, error) {
	certificatePEM, err := os.ReadFile(certificateFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(certificateFile[:len(certificateFile)-len(filepath.Ext(certificateFile))] + ".key")
	if err != nil {
		return nil, err
	}
	certificate, err := ParseCertificate(certificatePEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("no key in the key file of %s", certificateFile)
	}
	key, err := parseKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: certificate, key: key, CertificatePEM: certificatePEM}, nil
}

func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, isSigner := key.(crypto.Signer)
	if !isSigner {
		return nil, errors.New("a key that cannot sign")
	}
	return signer, nil
}

// ParseCertificate reads the first certificate of a PEM file.
func ParseCertificate(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("no certificate found")
	}
	return x509.ParseCertificate(block.Bytes)
}

// CertificateRequest says what a leaf certificate is for.
type CertificateRequest struct {
	Name   string
	Groups []string
	Names  []string // DNS names and IP addresses
	Server bool
	Client bool
}

// Issue signs a leaf certificate for one year, with a new key. The PEM holds the CA behind the leaf.
func (a *Authority) Issue(request CertificateRequest) (certificatePEM, keyPEM []byte, err error) {
	key, keyPEM, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	certificatePEM, err = a.sign(request, key.Public())
	return certificatePEM, keyPEM, err
}

func (a *Authority) sign(request CertificateRequest, key crypto.PublicKey) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: serialNumber(),
		Subject:      pkix.Name{CommonName: request.Name, Organization: request.Groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	if request.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if request.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, name := range UniqueSorted(request.Names) {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(leaf, a.CertificatePEM...), nil
}

// IssueTo writes certificate and key as FILE and its .key sibling. A present
// certificate is kept while it is from this authority, asks for the same names
// and has four months left: k3s renews at a start in the last 120 days. The key
// stays, so that whoever reads both files meanwhile gets two that belong together.
func (a *Authority) IssueTo(certificateFile string, request CertificateRequest) error {
	keyFile := certificateFile[:len(certificateFile)-len(filepath.Ext(certificateFile))] + ".key"
	if present, err := tls.LoadX509KeyPair(certificateFile, keyFile); err == nil && present.Leaf != nil {
		leaf := present.Leaf
		if leaf.CheckSignatureFrom(a.Certificate) == nil &&
			bytes.Equal([]byte(fmt.Sprint(CertificateNames(leaf))), []byte(fmt.Sprint(UniqueSorted(request.Names)))) &&
			leaf.Subject.CommonName == request.Name &&
			time.Until(leaf.NotAfter) > 120*24*time.Hour {
			return nil
		}
		certificatePEM, err := a.sign(request, leaf.PublicKey)
		if err != nil {
			return err
		}
		return WriteFileAtomically(certificateFile, certificatePEM, 0o644)
	}
	certificatePEM, keyPEM, err := a.Issue(request)
	if err != nil {
		return err
	}
	if err := WriteFileAtomically(keyFile, keyPEM, 0o600); err != nil {
		return err
	}
	return WriteFileAtomically(certificateFile, certificatePEM, 0o644)
}

// CertificateNames are the names and addresses of a certificate.
func CertificateNames(certificate *x509.Certificate) []string {
	names := append([]string(nil), certificate.DNSNames...)
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	return UniqueSorted(names)
}

// UniqueSorted brings names and addresses into one form.
func UniqueSorted(values []string) []string {
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
