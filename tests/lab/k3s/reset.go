package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/embed"

	"towline.lab/parts"
)

const (
	resetDone = "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. " +
		"Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes"
	resetBefore = "Managed etcd cluster membership was previously reset, please remove the cluster-reset flag and start k3s normally. " +
		"If you need to perform another cluster reset, you must first manually delete the file at %s"
)

func (s *settings) resetFlagFile() string { return s.serverDir("db", "reset-flag") }

// checkReset refuses what k3s refuses before it starts (k3s: pkg/cli/server/server.go).
func (s *settings) checkReset() error {
	restore := s.options.text("cluster-reset-restore-path")
	if !s.options.truth("cluster-reset") {
		if restore != "" {
			return errors.New("invalid flag use; --cluster-reset required with --cluster-reset-restore-path")
		}
		return nil
	}
	if s.serverURL != "" {
		return errors.New("cannot perform cluster-reset while server URL is set - remove server from configuration before resetting")
	}
	if restore != "" && s.options.text("token") == "" {
		if _, err := os.Stat(s.serverDir("token")); errors.Is(err, os.ErrNotExist) {
			return errors.New(s.serverDir("token") + " does not exist, please pass --token to complete the restoration")
		}
	}
	return nil
}

// reset is `k3s server --cluster-reset`: this server becomes the only member
// of etcd, with its own data or a snapshot's, and ends (k3s: pkg/etcd/etcd.go,
// Reset and Restore; pkg/cluster/managed.go).
func (s *server) reset(ctx context.Context) error {
	if err := s.prepareReset(); err != nil {
		return fmt.Errorf("preparing server: failed to bootstrap cluster data: %w", err)
	}
	if err := s.issueCertificates(); err != nil {
		return err
	}
	isNew, err := s.resetData()
	if err != nil {
		return fmt.Errorf("starting kubernetes: failed to start cluster: start managed database: %w", err)
	}
	if err := s.runReset(ctx, isNew); err != nil {
		return err
	}
	given, err := s.tokenPassword()
	if err != nil {
		return err
	}
	data, err := s.database.loadBootstrap(ctx, given.password)
	if err == nil && data == nil { // as with the default datastore, beside which there is an empty etcd now
		parts.Fatal("no bootstrap data found in datastore - check server token value and verify datastore integrity")
	}
	if err != nil {
		parts.LogError("Shutdown request received: %q", "failed to save bootstrap data: "+err.Error())
		parts.Fatal("context canceled")
	}
	copied := fmt.Sprintf("%s-%d", s.settings.serverDir("tls"), time.Now().Unix())
	parts.LogInfo("Cluster reset: backing up certificates directory to %s", copied)
	if err := copyTree(s.settings.serverDir("tls"), copied); err != nil {
		return err
	}
	parts.LogWarning("Updating bootstrap data on disk from datastore")
	given.caHash = "" // the token may be of the cluster that was
	if err := s.adoptStored(given, data); err != nil {
		return err
	}
	if err := s.issueCertificates(); err != nil {
		return err
	}
	parts.LogError("Shutdown request received: %q", resetDone)
	s.shutdown()
	return nil
}

// prepareReset takes the shared data from the disk; on a new machine it makes
// one that only serves until the snapshot's has been read.
func (s *server) prepareReset() error {
	for _, folder := range []string{"db", "tls", "cred", "manifests", "static"} {
		if err := os.MkdirAll(s.settings.serverDir(folder), 0o700); err != nil {
			return err
		}
	}
	data, err := readBootstrapData(s.settings.serverDir())
	if err != nil {
		given, err := s.tokenPassword()
		if err != nil {
			return err
		}
		if data, err = newBootstrapData(s.settings.serverDir(), given.password, given.password); err != nil {
			return err
		}
	}
	return s.setBootstrap(data)
}

// resetData puts the data in place, and says whether etcd is to begin a new
// cluster with it. It leaves the flag that refuses a second reset of the same data.
func (s *server) resetData() (isNew bool, err error) {
	flag, path := s.settings.resetFlagFile(), s.settings.options.text("cluster-reset-restore-path")
	if path == "" {
		if _, err := os.Stat(flag); err == nil {
			return false, fmt.Errorf(resetBefore, flag)
		}
		isNew = !s.database.hasData()
	} else {
		if err := s.restore(path); err != nil {
			return false, err
		}
		isNew = true
	}
	if err := os.Remove(filepath.Join(s.database.folder(), "name")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if s.database.name, err = s.database.memberName(); err != nil {
		return false, err
	}
	return isNew, os.WriteFile(flag, nil, 0o600)
}

func (s *server) restore(path string) error {
	information, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("etcd: snapshot path does not exist: %s", path)
	}
	if information.IsDir() {
		return fmt.Errorf("etcd: snapshot path must be a file, not a directory: %s", path)
	}
	if strings.HasSuffix(path, compressedExtension) {
		// k3s looks for the path below its folder of snapshots (k3s#14526).
		parts.LogInfo("Decompressing etcd snapshot file: %s", path)
		_, err := os.Open(filepath.Join(s.settings.serverDir("db", "snapshots"), path))
		if err == nil {
			err = errors.New("a compressed snapshot is not in the stand-in")
		}
		return err
	}
	folder := s.database.folder()
	old := fmt.Sprintf("%s-old-%d", folder, time.Now().Unix())
	if err := os.Rename(folder, old); err == nil {
		parts.LogInfo("Pre-restore etcd database moved to %s", old)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	database := filepath.Join(folder, "member", "snap", "db")
	err = copySnapshot(path, database)
	if err == nil {
		err = forgetMembers(database)
	}
	if err != nil {
		_ = os.RemoveAll(folder) // so that the next start finds no data at all, as k3s's
	}
	return err
}

// copySnapshot copies a snapshot without the hash at its end, and checks it.
func copySnapshot(path, database string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	information, err := from.Stat()
	if err != nil {
		return err
	}
	// A database consists of whole pages.
	if information.Size()%512 != sha256.Size {
		return errors.New("snapshot missing hash but --skip-hash-check=false")
	}
	if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
		return err
	}
	to, err := os.OpenFile(database, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(to, sum), from, information.Size()-sha256.Size); err != nil {
		return err
	}
	expected, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if found := sum.Sum(nil); string(found) != string(expected) {
		return fmt.Errorf("expected sha256 %v, got %v", expected, found)
	}
	return to.Sync()
}

// forgetMembers lets another cluster begin with this data: without members,
// and without the place in the log that it has seen.
func forgetMembers(file string) error {
	database, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer database.Close()
	return database.Update(func(transaction *bolt.Tx) error {
		for _, name := range []string{"members", "members_removed", "cluster"} {
			if err := transaction.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bolt.ErrBucketNotFound) {
				return err
			}
			if _, err := transaction.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		meta, err := transaction.CreateBucketIfNotExists([]byte("meta"))
		if err != nil {
			return err
		}
		for _, key := range []string{"consistent_index", "term", "confState"} {
			if err := meta.Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// endReset forgets this node's password at the first start after a reset: a
// snapshot may have brought an older one back. The others keep theirs.
func (c *nodeController) endReset(ctx context.Context) {
	flag := c.server.settings.resetFlagFile()
	if _, err := os.Stat(flag); err != nil {
		return
	}
	c.deleted(ctx, c.server.settings.nodeName)
	if err := os.Remove(flag); err != nil {
		parts.LogError("Failed to delete etcd cluster-reset file: %v", err)
	}
}

// runReset runs etcd as a cluster of one.
func (s *server) runReset(ctx context.Context, isNew bool) error {
	d := s.database
	config := d.baseConfig()
	config.InitialCluster = d.name + "=" + config.AdvertisePeerUrls[0].String()
	parts.LogInfo("Starting etcd for new cluster, cluster-reset=true")
	if isNew {
		config.InitialClusterToken = d.name // or it would be the old cluster for its peers
		config.SnapshotCount = 1            // who joins later must get all data, of which the log knows nothing
	} else {
		config.ClusterState, config.ForceNewCluster = embed.ClusterStateFlagExisting, true
	}
	if err := d.run(config); err != nil {
		return err
	}
	if !isNew {
		if err := d.finishMigration(ctx); err != nil {
			return err
		}
	}
	if err := d.waitUsable(ctx); err != nil {
		return err
	}
	for range 3 { // so that etcd takes a snapshot of its log
		if err := d.put(ctx, "k3s/apiaddresses", ""); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies a folder with the modes of its files.
func copyTree(from, to string) error { return exec.Command("cp", "-a", from, to).Run() }
