package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/k3s-io/kine/pkg/tls"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

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
// etcd on a socket, by kine, as k3s does (k3s: pkg/cluster, startStorage).
func (d *database) connect(ctx context.Context) error {
	chosen := d.server.settings.options
	certificates := tls.Config{
		CAFile:   chosen.text("datastore-cafile"),
		CertFile: chosen.text("datastore-certfile"),
		KeyFile:  chosen.text("datastore-keyfile"),
	}
	socket := strings.TrimPrefix(d.kineSocket(), "unix://")
	err := parts.ServeKine(ctx, chosen.text("datastore-endpoint"), certificates, socket)
	if err != nil {
		return err
	}
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
