package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"towline.lab/parts"
)

// server is one `k3s server`.
type server struct {
	settings   *settings
	sqlite     bool
	external   bool // the datastore is outside the cluster
	supervisor *supervisor
	database   *database
	plane      *parts.ControlPlane
	nodes      *nodeController
	stopping   atomic.Bool
	cancelAPI  context.CancelFunc

	mutex sync.RWMutex
	data  bootstrapData
}

func (s *server) bootstrap() bootstrapData {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return s.data
}

func (s *server) setBootstrap(data bootstrapData) error {
	s.mutex.Lock()
	s.data = data
	s.mutex.Unlock()
	serverPassword, agentPassword := parsePasswords(data[passwordFile])
	s.supervisor.setPasswords(serverPassword, agentPassword)
	return data.write(s.settings.serverDir())
}

// runServer is `k3s server`. It returns only with an error that ends the process.
func runServer(chosen options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := newSettings("server", chosen)
	if err != nil {
		return err
	}
	parts.LogInfo("Starting k3s %s (%s)", Version, Commit)
	parts.EndIfBroken()
	s := &server{settings: config}
	s.supervisor = &supervisor{server: s}
	s.database = &database{server: s}
	if chosen.truth("cluster-reset") {
		return s.reset(ctx)
	}
	err = s.run(ctx)
	if ctx.Err() != nil {
		s.shutdown()
		return nil
	}
	return err
}

func (s *server) run(ctx context.Context) error {
	for _, folder := range []string{"db", "tls", "cred", "manifests", "static"} {
		if err := os.MkdirAll(s.settings.serverDir(folder), 0o700); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("preparing server: %w", err)
	}
	if !s.external {
		if err := s.database.waitUsable(ctx); err != nil {
			return err
		}
		go s.database.promoteLearners(ctx)
	}
	if err := s.shareBootstrap(ctx); err != nil {
		return fmt.Errorf("preparing server: failed to bootstrap cluster data: %w", err)
	}
	go s.database.shareNames(ctx, s.settings.servingNames(), func(names []string) {
		if err := s.serveNames(names); err != nil {
			parts.LogWarning("Failed to renew the serving certificate: %v", err)
		}
	})
	var err error
	if s.plane, err = parts.NewControlPlane(s.componentArguments()); err != nil {
		return fmt.Errorf("starting kubernetes: %w", err)
	}
	apiContext, cancel := context.WithCancel(context.Background())
	s.cancelAPI = cancel
	handler, err := s.plane.RunAPI(apiContext, s.settings.port)
	if err != nil {
		return fmt.Errorf("starting kubernetes: %w", err)
	}
	s.supervisor.setAPI(handler)
	if s.nodes, err = newNodeController(s); err != nil {
		return err
	}
	if err := s.nodes.waitForAPI(ctx); err != nil {
		return err
	}
	s.nodes.endReset(ctx)
	s.plane.RunControllers()
	s.supervisor.ready.Store(true)
	go s.nodes.run(ctx)
	go s.nodes.runAddons(ctx, s.nodes.dynamic)
	if !s.settings.options.truth("disable-agent") {
		go s.runOwnNode(ctx)
	}
	parts.LogInfo("k3s is up and running")
	notifyReady()
	go parts.TidyMemory()
	<-ctx.Done()
	return ctx.Err()
}

// shutdown stops the API server, then etcd, each in a few seconds at most.
func (s *server) shutdown() {
	s.stopping.Store(true)
	parts.LogInfo("Shutting down")
	if s.cancelAPI != nil {
		s.cancelAPI()
		if s.plane != nil {
			parts.WaitAtMost(time.Second, func() { <-s.plane.Stopped })
		}
	}
	if s.database.etcd != nil {
		parts.WaitAtMost(3*time.Second, s.database.etcd.Close)
	}
}

// prepare brings the shared data and the database: from the disk, from the
// server that is joined, or new.
func (s *server) prepare(ctx context.Context) error {
	hasData, join, err := s.chooseDatastore()
	if err != nil {
		return err
	}
	var remote *supervisorClient
	switch {
	case s.external:
		if err := s.bootstrapExternal(ctx); err != nil {
			return fmt.Errorf("failed to bootstrap cluster data: %w", err)
		}
	case hasData:
		data, err := readBootstrapData(s.settings.serverDir())
		if err != nil {
			return fmt.Errorf("failed to bootstrap cluster data: %w", err)
		}
		err = s.adopt(data)
		if err != nil {
			return err
		}
	case join:
		if remote, err = s.joinSupervisor(ctx); err != nil {
			return err
		}
	default:
		if err := s.createCluster(); err != nil {
			return fmt.Errorf("failed to bootstrap cluster data: %w", err)
		}
	}
	if err := s.issueCertificates(); err != nil {
		return err
	}
	if err := s.supervisor.listen(); err != nil || s.external {
		return err
	}
	if err := s.database.start(ctx, hasData, remote); err != nil {
		if remote != nil && ctx.Err() == nil {
			parts.Fatal("starting kubernetes: preparing server: start managed database: joining etcd cluster: %v", err)
		}
		return err
	}
	if !hasData {
		return nil
	}
	return s.reconcileBootstrap(ctx)
}

// adopt takes shared data into use and writes the token files where the
// server's password is known to be right.
func (s *server) adopt(data bootstrapData) error { return s.setBootstrap(data) }

// hasEtcd says whether this server is a member of the cluster's own etcd.
func (s *server) hasEtcd() bool { return !s.sqlite && !s.external }

// chooseDatastore decides between embedded etcd, a datastore outside and what
// stands for sqlite. Present etcd data wins over all flags.
func (s *server) chooseDatastore() (hasData, join bool, err error) {
	if s.database.hasTombstone() {
		if s.settings.serverURL == "" {
			return false, false, errors.New("tombstone file has been detected but --server is empty: backup and delete ${datadir}/server/db to create a new cluster, or set --server to rejoin the cluster")
		}
		parts.LogInfo("tombstone file has been detected, removing ${datadir}/server/db to rejoin the cluster")
		old := fmt.Sprintf("%s-old-%d", s.database.folder(), time.Now().Unix())
		if err := os.Rename(s.database.folder(), old); err != nil {
			return false, false, err
		}
	}
	if s.database.hasData() {
		return true, false, nil
	}
	if s.settings.options.text("datastore-endpoint") != "" {
		s.external = true
		return false, false, nil
	}
	s.sqlite = true
	hasSQLite := s.database.hasData()
	switch {
	case hasSQLite && s.settings.clusterInit:
		return true, false, s.migrateToEtcd()
	case s.settings.serverURL != "" && !hasSQLite:
		s.sqlite = false
		return false, true, nil
	case s.settings.clusterInit:
		s.sqlite = false
		return false, false, nil
	default:
		return hasSQLite, false, s.writeStateFile()
	}
}

// writeStateFile leaves the file by which a sqlite datastore is recognised.
func (s *server) writeStateFile() error {
	file := s.settings.serverDir("db", "state.db")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	page := make([]byte, 4096)
	copy(page, "SQLite format 3\x00")
	return parts.WriteFileAtomically(file, page, 0o600)
}

// tokenPassword is the password of the token that the user gave, or of the
// token file of an earlier start.
func (s *server) tokenPassword() (token, error) {
	text := s.settings.token
	if text == "" {
		if content, err := os.ReadFile(s.settings.serverDir("token")); err == nil {
			text = string(content)
		}
	}
	if text == "" {
		return token{}, nil
	}
	return parseToken(text)
}

// createCluster makes the shared data of a new cluster.
func (s *server) createCluster() error {
	given, err := s.tokenPassword()
	if err != nil {
		return err
	}
	if given.password == "" {
		given.password = parts.RandomHex(16)
	}
	agentPassword, err := s.agentPassword(given.password)
	if err != nil {
		return err
	}
	data, err := newBootstrapData(s.settings.serverDir(), given.password, agentPassword)
	if err != nil {
		return err
	}
	if err := given.checkCA(data["tls/server-ca.crt"]); err != nil {
		return err
	}
	if err := s.setBootstrap(data); err != nil {
		return err
	}
	return writeTokenFiles(s.settings.serverDir(), data["tls/server-ca.crt"], given.password, agentPassword)
}

func (s *server) agentPassword(fallback string) (string, error) {
	if s.settings.agentToken == "" {
		return fallback, nil
	}
	parsed, err := parseToken(s.settings.agentToken)
	return parsed.password, err
}

// joinSupervisor fetches the shared data from the server that is joined and
// compares the values that must be equal.
func (s *server) joinSupervisor(ctx context.Context) (*supervisorClient, error) {
	if s.settings.token == "" {
		return nil, errors.New("K3S_TOKEN is required to join a cluster")
	}
	remote, err := newSupervisorClient(ctx, s.settings.serverURL, s.settings.token, "server")
	if err != nil {
		return nil, fmt.Errorf("failed to bootstrap cluster data: failed to check if bootstrap data has been initialized: failed to validate token: %w", err)
	}
	warnShortToken(s.settings.token)
	data := bootstrapData{}
	if err := remote.get(ctx, "/v1-k3s/server-bootstrap", &data); err != nil {
		return nil, fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	var theirs criticalConfig
	if err := remote.get(ctx, "/v1-k3s/config", &theirs); err != nil {
		return nil, fmt.Errorf("failed to validate server configuration: %w", err)
	}
	if mismatches := s.settings.critical().mismatches(theirs); len(mismatches) > 0 {
		for _, name := range mismatches {
			parts.LogWarning("critical configuration mismatched: %s", name)
		}
		return nil, errors.New("failed to validate server configuration: critical configuration value mismatch between servers")
	}
	if err := s.setBootstrap(data); err != nil {
		return nil, err
	}
	serverPassword, agentPassword := parsePasswords(data[passwordFile])
	return remote, writeTokenFiles(s.settings.serverDir(), data["tls/server-ca.crt"], serverPassword, agentPassword)
}

// reconcileBootstrap checks the token against the data in the datastore,
// which may be newer than the disk's.
func (s *server) reconcileBootstrap(ctx context.Context) error {
	given, err := s.tokenPassword()
	if err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	data, err := s.database.loadBootstrap(ctx, given.password)
	if err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: failed to reconcile with local datastore: %w", err)
	}
	if data == nil { // the first start ended before the data was stored
		data = s.bootstrap()
	}
	// A password that the configuration changes is written to the disk, and is then newer than what is
	// stored (k3s: pkg/daemons/control/deps, genUsers; pkg/cluster/bootstrap.go).
	agentPassword, err := s.agentPassword(given.password)
	if err != nil {
		return err
	}
	if string(data[passwordFile]) != string(formatPasswords(given.password, agentPassword)) {
		parts.Fatal("%s newer than datastore and could cause a cluster outage. Remove the file(s) from disk and restart to be recreated from datastore.",
			s.settings.serverDir(passwordFile))
	}
	if err := s.adoptStored(given, data); err != nil {
		return fmt.Errorf("failed to bootstrap cluster data: %w", err)
	}
	return nil
}

// adoptStored takes the datastore's shared data into use.
func (s *server) adoptStored(given token, data bootstrapData) error {
	if err := given.checkCA(data["tls/server-ca.crt"]); err != nil {
		return err
	}
	_, agentPassword := parsePasswords(data[passwordFile])
	if err := s.setBootstrap(data); err != nil {
		return err
	}
	return writeTokenFiles(s.settings.serverDir(), data["tls/server-ca.crt"], given.password, agentPassword)
}

// shareBootstrap stores the shared data where it is missing or changed.
func (s *server) shareBootstrap(ctx context.Context) error {
	data := s.bootstrap()
	password, _ := parsePasswords(data[passwordFile])
	stored, err := s.database.loadBootstrap(ctx, password)
	if err != nil {
		return err
	}
	if stored != nil && string(stored[passwordFile]) == string(data[passwordFile]) {
		return nil
	}
	return s.database.storeBootstrap(ctx, data, password)
}
