package main

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"towline.lab/parts"
)

// supervisor is the listener on port 6443. It answers k3s's own paths itself
// and hands all others to the API server, which lives in the same process:
// client certificates arrive there as they were presented here.
type supervisor struct {
	server *server

	api         atomic.Pointer[http.Handler]
	ready       atomic.Bool
	certificate atomic.Pointer[tls.Certificate]

	mutex          sync.RWMutex
	serverPassword string
	agentPassword  string
}

func (s *supervisor) setPasswords(serverPassword, agentPassword string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.serverPassword, s.agentPassword = serverPassword, agentPassword
}

func (s *supervisor) setAPI(handler http.Handler) { s.api.Store(&handler) }

func (s *supervisor) loadCertificate() error {
	file := s.server.settings.serverDir("tls", "serving-kube-apiserver.crt")
	pair, err := tls.LoadX509KeyPair(file, parts.KeyFileOf(file))
	if err != nil {
		return err
	}
	s.certificate.Store(&pair)
	return nil
}

func (s *supervisor) listen() error {
	config := s.server.settings
	address := net.JoinHostPort(config.bindAddress, strconv.Itoa(config.port))
	network := "tcp"
	if config.bindAddress == "0.0.0.0" {
		address = net.JoinHostPort("", strconv.Itoa(config.port)) // both address families
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	service := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 32 * time.Second,
		ErrorLog:          parts.QuietLogger(),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequestClientCert,
			NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return s.certificate.Load(), nil
			},
		},
	}
	go func() {
		if err := service.ServeTLS(listener, "", ""); err != nil {
			parts.Fatal("Error: supervisor stopped: %v", err)
		}
	}()
	return nil
}

func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("pong")) })
	mux.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(s.server.bootstrap()["tls/server-ca.crt"])
	})
	mux.HandleFunc("GET /v1-k3s/readyz", s.forNodes(func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "runtime core not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok"))
	}))
	mux.HandleFunc("GET /v1-k3s/config", s.forNodes(func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, s.server.settings.critical())
	}))
	mux.HandleFunc("GET /v1-k3s/apiservers", s.forNodes(s.apiServers))
	mux.HandleFunc("POST /v1-k3s/node", s.forNodes(s.nodeCredentials))
	mux.HandleFunc("GET /v1-k3s/server-bootstrap", s.forServers(s.serverBootstrap))
	mux.HandleFunc("POST /db/snapshot", s.forServers((&snapshots{server: s.server}).serve))
	mux.HandleFunc("GET /db/info", s.forServers(s.databaseInfo))
	mux.HandleFunc("POST /v1-k3s/token-rotate", s.forServers(s.rotateToken))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		handler := s.api.Load()
		if handler == nil {
			http.Error(w, "apiserver not ready", http.StatusServiceUnavailable)
			return
		}
		(*handler).ServeHTTP(w, r)
	})
	return mux
}

func (s *supervisor) json(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// authorized checks the basic credentials; a server's may do what a node's may.
func (s *supervisor) authorized(r *http.Request, allowNodes bool) bool {
	user, password, given := r.BasicAuth()
	if !given {
		return false
	}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	same := func(expected string) bool {
		return expected != "" && subtle.ConstantTimeCompare([]byte(password), []byte(expected)) == 1
	}
	if user == "server" {
		return same(s.serverPassword)
	}
	return allowNodes && user == "node" && same(s.agentPassword)
}

func (s *supervisor) guarded(allowNodes bool, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r, allowNodes) {
			http.Error(w, "not authorized", http.StatusUnauthorized)
			return
		}
		handler(w, r)
	}
}

func (s *supervisor) forNodes(handler http.HandlerFunc) http.HandlerFunc {
	return s.guarded(true, handler)
}

func (s *supervisor) forServers(handler http.HandlerFunc) http.HandlerFunc {
	return s.guarded(false, handler)
}

func (s *supervisor) serverBootstrap(w http.ResponseWriter, _ *http.Request) {
	if !s.server.hasEtcd() {
		http.Error(w, "etcd disabled", http.StatusBadRequest)
		return
	}
	if !s.ready.Load() {
		http.Error(w, "server is not ready", http.StatusServiceUnavailable)
		return
	}
	s.json(w, s.server.bootstrap())
}

// databaseInfo lists the client addresses of the etcd members, for a server that joins.
func (s *supervisor) databaseInfo(w http.ResponseWriter, r *http.Request) {
	if !s.server.hasEtcd() {
		http.Error(w, "etcd disabled", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	addresses, err := s.server.database.clientAddresses(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.json(w, addresses)
}

// apiServers lists the servers that the `kubernetes` service knows.
func (s *supervisor) apiServers(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "server is not ready", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	addresses, err := s.server.nodes.apiServers(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.json(w, addresses)
}

// nodeCredentials gives a node its certificates once its password was checked.
func (s *supervisor) nodeCredentials(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "server is not ready", http.StatusServiceUnavailable)
		return
	}
	var request nodeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&request); err != nil || request.Name == "" {
		http.Error(w, "node name not set", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	credentials, err := s.server.issueNodeCredentials(ctx, request)
	if err != nil {
		status := http.StatusServiceUnavailable
		if strings.Contains(err.Error(), errNodePassword.Error()) {
			status = http.StatusForbidden
		}
		http.Error(w, err.Error(), status)
		return
	}
	s.json(w, credentials)
}

// rotateToken gives the shared data a new token, as `k3s token rotate` does.
func (s *supervisor) rotateToken(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fresh, err := parseToken(string(content))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data := bootstrapData{}
	for name, value := range s.server.bootstrap() {
		data[name] = value
	}
	serverPassword, agentPassword := parsePasswords(data[passwordFile])
	if agentPassword == serverPassword {
		agentPassword = fresh.password
	}
	data[passwordFile] = formatPasswords(fresh.password, agentPassword)
	if err := s.server.database.storeBootstrap(r.Context(), data, fresh.password); err == nil {
		err = s.server.setBootstrap(data)
	}
	if err == nil {
		err = writeTokenFiles(s.server.settings.serverDir(), data["tls/server-ca.crt"], fresh.password, agentPassword)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
