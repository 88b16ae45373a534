package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/mysql" // the two drivers that the stand-in has
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	kine "github.com/k3s-io/kine/pkg/server"
	"github.com/k3s-io/kine/pkg/tls"
	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"towline.lab/parts"
)

const (
	bootstrapLook  = 5 * time.Second // k3s: storageBootstrap
	bootstrapLooks = 5               // k3s: maxBootstrapWaitAttempts
)

func (d *database) kineSocket() string {
	return "unix://" + d.server.settings.serverDir("kine.sock")
}

// connect opens the database that datastore-endpoint names and serves it as an
// etcd on a socket, by kine, as k3s does (k3s: pkg/cluster, startStorage). The
// endpoint is in no message: it holds the password.
func (d *database) connect(ctx context.Context) error {
	chosen := d.server.settings.options
	_, backend, err := drivers.New(context.WithoutCancel(ctx), &sync.WaitGroup{}, &drivers.Config{
		Endpoint: chosen.text("datastore-endpoint"),
		BackendTLSConfig: tls.Config{
			CAFile:   chosen.text("datastore-cafile"),
			CertFile: chosen.text("datastore-certfile"),
			KeyFile:  chosen.text("datastore-keyfile"),
		},
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 20, MaxIdleTime: 2 * time.Minute},
		CompactTimeout:       5 * time.Second, CompactMinRetain: 1000, CompactBatchSize: 1000, PollBatchSize: 500,
	})
	if err != nil {
		return fmt.Errorf("creating storage endpoint: failed to create driver for configured endpoint: %w", err)
	}
	if err := backend.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("creating storage endpoint: starting kine backend: %w", err)
	}
	file := strings.TrimPrefix(d.kineSocket(), "unix://")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", file)
	if err != nil {
		return err
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	service := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	kine.New(backend, "unix", 5*time.Second, version.Version).Register(service)
	go func() { _ = service.Serve(listener) }()
	parts.LogInfo("Kine available at %s", d.kineSocket())
	d.client, err = clientv3.New(clientv3.Config{Endpoints: []string{d.kineSocket()}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	return err
}

// bootstrapExternal brings the shared data from a datastore outside the
// cluster. The first server that finds none there locks its key, with nothing
// in it, and makes the data; the others wait for it (k3s: pkg/cluster,
// storageBootstrap).
func (s *server) bootstrapExternal(ctx context.Context) error {
	if err := s.database.connect(ctx); err != nil {
		return err
	}
	given, err := s.tokenPassword()
	if err != nil {
		return err
	}
	for look := 1; ; look++ {
		data, lock, err := s.database.tryBootstrap(ctx, given.password)
		switch {
		case err != nil:
			return err
		case data != nil:
			return s.adoptStored(given, data)
		case lock == 0:
			parts.LogInfo("Bootstrap key locked for initial create")
			if data, err := readBootstrapData(s.settings.serverDir()); err == nil {
				return s.adoptStored(given, data)
			}
			return s.createCluster()
		case look%bootstrapLooks == 0:
			parts.LogInfo("Bootstrap key lock timed out - deleting lock and retrying")
			_, err := s.database.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(bootstrapKey), "=", lock)).
				Then(clientv3.OpDelete(bootstrapKey)).Else(clientv3.OpGet(bootstrapKey)).Commit()
			if err != nil {
				return err
			}
		default:
			parts.LogInfo("Bootstrap key is locked - waiting for data to be populated by another server")
		}
		if !parts.Pause(ctx, bootstrapLook) {
			return ctx.Err()
		}
	}
}

// tryBootstrap is one look at the shared data: it is there, or another server
// holds the lock of this revision, or now this one holds it.
func (d *database) tryBootstrap(ctx context.Context, password string) (data bootstrapData, lock int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	locked, err := d.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(bootstrapKey), "=", 0)).
		Then(clientv3.OpPut(bootstrapKey, "")).Else(clientv3.OpGet(bootstrapKey)).Commit()
	if err != nil || locked.Succeeded {
		return nil, 0, err
	}
	present := locked.Responses[0].GetResponseRange().Kvs
	if len(present) == 0 {
		return nil, 0, errors.New("no bootstrap data found in datastore")
	}
	if len(present[0].Value) == 0 {
		return nil, present[0].ModRevision, nil
	}
	data, err = decryptBootstrapData(present[0].Value, password)
	return data, 0, err
}
