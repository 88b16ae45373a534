package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/mysql" // the two drivers that the stand-ins have
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	kine "github.com/k3s-io/kine/pkg/server"
	"github.com/k3s-io/kine/pkg/tls"
	"go.etcd.io/etcd/api/v3/version"
	"google.golang.org/grpc"
)

// ServeKine opens a database and serves it as an etcd on a socket. The endpoint
// is in no message: it holds the password.
func ServeKine(ctx context.Context, endpoint string, certificates tls.Config, socket string) error {
	_, backend, err := drivers.New(context.WithoutCancel(ctx), &sync.WaitGroup{}, &drivers.Config{
		Endpoint: endpoint, BackendTLSConfig: certificates,
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 20, MaxIdleTime: 2 * time.Minute},
		CompactTimeout:       5 * time.Second, CompactMinRetain: 1000, CompactBatchSize: 1000, PollBatchSize: 500,
	})
	if err != nil {
		return fmt.Errorf("creating storage endpoint: failed to create driver for configured endpoint: %w", err)
	}
	if err := backend.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("creating storage endpoint: starting kine backend: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	service := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	kine.New(backend, "unix", 5*time.Second, version.Version).Register(service)
	go func() { _ = service.Serve(listener) }()
	LogInfo("Kine available at unix://%s", socket)
	return nil
}
