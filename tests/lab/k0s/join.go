package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"towline.lab/parts"
)

// What the port 9443 gives and takes, with k0s's names.

type caAnswer struct {
	Key   []byte `json:"key"`
	Cert  []byte `json:"cert"`
	SAKey []byte `json:"saKey"`
	SAPub []byte `json:"saPub"`
}

type memberRequest struct {
	Node        string `json:"node"`
	PeerAddress string `json:"peerAddress"`
}

type memberAnswer struct {
	CA             caAnswer `json:"ca"`
	InitialCluster []string `json:"initialCluster"`
}

// joinClient asks a controller of the cluster that is joined. It is a client
// of Kubernetes, whose words for failures k0s passes on.
type joinClient struct {
	address string
	rest    *rest.RESTClient
}

func newJoinClient(tokenText string) (*joinClient, error) {
	config, user, err := decodeToken(tokenText)
	if err != nil {
		return nil, err
	}
	if user != controllerUser {
		return nil, fmt.Errorf("wrong token type %s, expected type: %s", user, controllerUser)
	}
	access, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	access = dynamic.ConfigFor(access)
	access.GroupVersion = nil
	client, err := rest.UnversionedRESTClientFor(access)
	if err != nil {
		return nil, err
	}
	return &joinClient{address: access.Host, rest: client}, nil
}

// joinCluster fetches the cluster's CA and the key of its service accounts.
func (v *vars) joinCluster(tokenText string) (*joinClient, error) {
	client, err := newJoinClient(tokenText)
	if err != nil {
		return nil, fmt.Errorf("failed to create join client: %w", err)
	}
	parts.LogInfo("Joining existing cluster via %s", client.address)
	var answer caAnswer
	err = repeatedly(context.Background(), 10, 100*time.Millisecond, time.Hour, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patient(10*time.Second))
		defer cancel()
		content, err := client.rest.Get().AbsPath("v1beta1", "ca").Do(ctx).Raw()
		if err != nil {
			return err
		}
		return json.Unmarshal(content, &answer)
	})
	if err != nil {
		return nil, fmt.Errorf("failed to join existing cluster via %s: %w", client.address, err)
	}
	parts.LogInfo("Got valid CA response, storing certificates")
	for file, content := range map[string][]byte{"ca.key": answer.Key, "ca.crt": answer.Cert, "sa.key": answer.SAKey, "sa.pub": answer.SAPub} {
		if err := parts.WriteFileAtomically(v.pki(file), content, 0o640); err != nil {
			return nil, err
		}
	}
	return client, nil
}

// joinEtcd asks for membership. Others may be on their way in: about four
// minutes of tries.
func (v *vars) joinEtcd(client *joinClient, name, peerURL string) ([]string, error) {
	parts.LogInfo("Synchronizing etcd config with existing cluster via %s", client.address)
	request, err := json.Marshal(memberRequest{name, peerURL})
	if err != nil {
		return nil, err
	}
	var answer memberAnswer
	err = repeatedly(context.Background(), 10, time.Second, time.Minute, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patient(10*time.Second))
		defer cancel()
		content, err := client.rest.Post().AbsPath("v1beta1", "etcd", "members").Body(bytes.NewBuffer(request)).Do(ctx).Raw()
		if err != nil {
			return err
		}
		return json.Unmarshal(content, &answer)
	})
	if err != nil {
		return nil, fmt.Errorf("failed to synchronize etcd config with existing cluster via %s: %w", client.address, err)
	}
	_, errCertificate := os.Stat(v.pki("etcd", "ca.crt"))
	_, errKey := os.Stat(v.pki("etcd", "ca.key"))
	if errCertificate == nil && errKey == nil {
		parts.LogWarning("etcd ca certs already exists, not gonna overwrite. If you wish to re-sync them, delete the existing ones.")
		return answer.InitialCluster, nil
	}
	if err := parts.WriteFileAtomically(v.pki("etcd", "ca.key"), answer.CA.Key, 0o640); err != nil {
		return nil, err
	}
	return answer.InitialCluster, parts.WriteFileAtomically(v.pki("etcd", "ca.crt"), answer.CA.Cert, 0o640)
}

// serveJoins listens on port 9443.
func (c *controller) serveJoins(client kubernetes.Interface) error {
	handler := http.NewServeMux()
	if c.config.Spec.Storage.Type == "etcd" {
		handler.HandleFunc("/v1beta1/etcd/members", c.authorized(client, http.MethodPost, c.addMember))
	}
	if c.config.Spec.Storage.joinable() {
		handler.HandleFunc("/v1beta1/ca", c.authorized(client, http.MethodGet, c.giveCA))
	}
	pair, err := tls.LoadX509KeyPair(c.vars.pki("k0s-api.crt"), c.vars.pki("k0s-api.key"))
	if err != nil {
		return err
	}
	host := ""
	if c.config.Spec.API.OnlyBindToAddress {
		host = c.config.Spec.API.Address
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(c.config.Spec.API.K0sAPIPort)))
	if err != nil {
		return err
	}
	service := &http.Server{Handler: handler, ReadHeaderTimeout: 15 * time.Second, ErrorLog: parts.QuietLogger(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	go func() { _ = service.ServeTLS(listener, "", "") }()
	return nil
}

func refuse(w http.ResponseWriter, status int, err error) {
	parts.LogError("%v", err)
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(err.Error()))
}

func (c *controller) authorized(client kubernetes.Interface, method string, handler func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		text, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !isBearer || !validToken(r.Context(), client, text) {
			refuse(w, http.StatusUnauthorized, errors.New("go away"))
			return
		}
		if err := handler(w, r); err != nil {
			refuse(w, http.StatusInternalServerError, err)
		}
	}
}

func (c *controller) giveCA(w http.ResponseWriter, _ *http.Request) error {
	var answer caAnswer
	for file, into := range map[string]*[]byte{"ca.key": &answer.Key, "ca.crt": &answer.Cert, "sa.key": &answer.SAKey, "sa.pub": &answer.SAPub} {
		content, err := os.ReadFile(c.vars.pki(file))
		if err != nil {
			return err
		}
		*into = content
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

func (c *controller) addMember(w http.ResponseWriter, r *http.Request) error {
	var request memberRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&request); err != nil {
		return err
	}
	parts.LogInfo("etcd API, adding new learner member: %s", request.PeerAddress)
	if request.Node == "" {
		return errors.New("node cannot be empty")
	}
	if request.PeerAddress == "" {
		return errors.New("peerAddress cannot be empty")
	}
	client, err := c.vars.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	answer := memberAnswer{}
	if answer.InitialCluster, err = addEtcdMember(r.Context(), client, request.Node, request.PeerAddress); err != nil {
		return err
	}
	if answer.CA.Cert, err = os.ReadFile(c.vars.pki("etcd", "ca.crt")); err != nil {
		return err
	}
	if answer.CA.Key, err = os.ReadFile(c.vars.pki("etcd", "ca.key")); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}
