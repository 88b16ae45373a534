package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"towline.lab/parts"
)

// supervisorClient talks to the supervisor of a server.
type supervisorClient struct {
	base     string
	caPEM    []byte
	user     string
	password string
	client   *http.Client
}

// ErrUnauthorized carries k3s's words for a refused token.
var errUnauthorized = errors.New("not authorized")

// newSupervisorClient fetches the CA of the server and checks it against the
// token. user is who asks, server or node, whatever user the token names.
func newSupervisorClient(ctx context.Context, base, tokenText, user string) (*supervisorClient, error) {
	parsed, err := parseToken(tokenText)
	if err != nil {
		return nil, err
	}
	insecure := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the answer is checked against the token
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/cacerts", nil)
	if err != nil {
		return nil, err
	}
	response, err := insecure.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	defer response.Body.Close()
	caPEM, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("failed to get CA certs: https://%s/cacerts: %s", request.URL.Host, response.Status)
	}
	if err := parsed.checkCA(caPEM); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	return &supervisorClient{base: base, caPEM: caPEM, user: user, password: parsed.password,
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}}, nil
}

// warnShortToken is k3s's warning for a token without the CA's hash.
func warnShortToken(tokenText string) {
	if parsed, err := parseToken(tokenText); err == nil && parsed.caHash == "" {
		parts.LogWarning("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	}
}

func (c *supervisorClient) do(ctx context.Context, method, path string, headers map[string]string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(c.user, c.password)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return nil, errUnauthorized
	case response.StatusCode >= 300:
		if text := strings.TrimSpace(string(content)); text != "" {
			return nil, errors.New(text)
		}
		return nil, fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return content, nil
}

func (c *supervisorClient) get(ctx context.Context, path string, into any) error {
	content, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}
