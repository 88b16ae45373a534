package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/snapshot"
	"go.uber.org/zap"

	"towline.lab/parts"
)

const compressedExtension = ".zip"

var errNoEtcd = errors.New("etcd datastore disabled")

// snapshotList is a list of ETCDSnapshotFile, in the order of k3s's fields.
type snapshotList struct {
	Kind       string         `json:"kind"`
	APIVersion string         `json:"apiVersion"`
	Metadata   struct{}       `json:"metadata"`
	Items      []snapshotFile `json:"items"`
}

type snapshotFile struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Spec struct {
		SnapshotName string `json:"snapshotName"`
		NodeName     string `json:"nodeName"`
		Location     string `json:"location,omitempty"`
	} `json:"spec"`
	Status struct {
		Size         string    `json:"size"`
		CreationTime time.Time `json:"creationTime"`
		ReadyToUse   bool      `json:"readyToUse"`
	} `json:"status"`
}

// snapshots serves what `k3s etcd-snapshot` asks for (k3s: pkg/etcd/snapshot_handler.go).
type snapshots struct {
	server *server
	saving sync.Mutex
}

func (s *snapshots) serve(w http.ResponseWriter, r *http.Request) {
	if !s.server.hasEtcd() {
		http.Error(w, errNoEtcd.Error(), http.StatusBadRequest)
		return
	}
	var request snapshotRequest
	var answer any
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&request)
	if err == nil && request.S3 {
		http.Error(w, "failed to initialize S3 client: S3 is not in the stand-in", http.StatusBadRequest)
		return
	}
	if err == nil && !s.server.supervisor.ready.Load() {
		err = errors.New("runtime core not ready")
	}
	if err == nil {
		switch request.Operation {
		case "list":
			answer, err = s.list(request)
		case "save":
			answer, err = s.save(r.Context(), request)
		case "prune":
			if answer, err = s.prune(request); err == nil {
				s.reconcile(r.Context(), request)
			}
		case "delete":
			if answer, err = s.delete(request); err == nil {
				s.reconcile(r.Context(), request)
			}
		default:
			err = errors.New("invalid snapshot operation")
		}
	}
	if err != nil {
		// What went wrong stands in the journal only.
		id := rand.IntN(99999)
		parts.LogError("etcd-snapshot error ID %05d: %v", id, err)
		http.Error(w, fmt.Sprintf("Internal error occurred: etcd-snapshot error ID %05d", id), http.StatusInternalServerError)
		return
	}
	s.server.supervisor.json(w, answer)
}

func (s *snapshots) defaultFolder() string { return s.server.settings.serverDir("db", "snapshots") }

// folder is where the snapshots lie; only k3s's own is made.
func (s *snapshots) folder(request snapshotRequest) (string, error) {
	folder := s.defaultFolder()
	if request.Dir != nil && *request.Dir != "" && *request.Dir != folder {
		folder = *request.Dir
	} else if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	information, err := os.Stat(folder)
	if err == nil && !information.IsDir() {
		err = fmt.Errorf("%s is not a directory", folder)
	}
	if err != nil {
		return "", fmt.Errorf("failed to get etcd-snapshot-dir: %w", err)
	}
	return folder, nil
}

// retention is how many to keep: the server's own, unless asked for another.
func (s *snapshots) retention(request snapshotRequest) int {
	if request.Retention != nil {
		return *request.Retention
	}
	if kept, err := strconv.Atoi(s.server.settings.options.text("etcd-snapshot-retention")); err == nil {
		return kept
	}
	return 5
}

// save takes a snapshot. Where that fails, nothing is created and no error told.
func (s *snapshots) save(ctx context.Context, request snapshotRequest) (*snapshotResult, error) {
	if !s.saving.TryLock() {
		return nil, errors.New("snapshot save already in progress")
	}
	defer s.saving.Unlock()
	if votes, _ := s.server.database.votes(); !votes {
		parts.LogWarning("Unable to take snapshot: not supported for learner")
		return nil, nil
	}
	folder, err := s.folder(request)
	if err != nil {
		return nil, err
	}
	config, err := s.server.database.clientTLS()
	if err != nil {
		return nil, err
	}
	base := "on-demand"
	if len(request.Name) > 0 {
		base = request.Name[0]
	}
	now := time.Now().Round(time.Second)
	name := fmt.Sprintf("%s-%s-%d", base, s.server.settings.nodeName, now.Unix())
	path := filepath.Join(folder, name)
	parts.LogInfo("Saving etcd snapshot to %s", path)
	_, err = snapshot.SaveWithVersion(ctx, zap.NewNop(), clientv3.Config{Endpoints: []string{"https://127.0.0.1:2379"}, TLS: config,
		DialTimeout: 5 * time.Second, Logger: zap.NewNop()}, path)
	if err != nil {
		parts.LogError("Failed to take etcd snapshot: %v", err)
		if err := s.createObject(ctx, s.file(name, now), "", err); err != nil {
			return nil, fmt.Errorf("failed to sync ETCDSnapshotFile: %w", err)
		}
		s.reconcile(ctx, request)
		return &snapshotResult{}, nil
	}
	compress := s.server.settings.options.truth("etcd-snapshot-compress")
	if request.Compress != nil {
		compress = *request.Compress
	}
	if compress {
		err := compressSnapshot(path, now)
		_ = os.Remove(path)
		if err != nil {
			return nil, fmt.Errorf("failed to compress snapshot: %w", err)
		}
		name += compressedExtension
	}
	saved := s.file(name, now)
	saved.Spec.Location, saved.Status.ReadyToUse = "file://"+filepath.Join(folder, name), true
	if information, err := os.Stat(filepath.Join(folder, name)); err == nil {
		saved.Status.Size = strconv.FormatInt(information.Size(), 10)
	}
	password, _ := parsePasswords(s.server.bootstrap()[passwordFile])
	if err := s.createObject(ctx, saved, hashOfToken(password), nil); err != nil {
		parts.LogWarning("Failed to sync ETCDSnapshotFile: %v", err)
	}
	s.reconcile(ctx, request)
	return &snapshotResult{Created: []string{name}}, nil
}

// file is what is told of a snapshot of that name on this node.
func (s *snapshots) file(name string, created time.Time) snapshotFile {
	file := snapshotFile{Kind: "ETCDSnapshotFile", APIVersion: "k3s.cattle.io/v1"}
	file.Metadata.Name = "local-" + keyCharacters.ReplaceAllString(name, "_")
	file.Metadata.Labels = map[string]string{snapshotNode: s.server.settings.nodeName}
	file.Spec.SnapshotName, file.Spec.NodeName = name, s.server.settings.nodeName
	file.Status.Size, file.Status.CreationTime = "0", created.UTC()
	return file
}

func compressSnapshot(path string, modified time.Time) (err error) {
	parts.LogInfo("Compressing etcd snapshot file: %s", filepath.Base(path))
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+compressedExtension, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(to)
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: filepath.Base(path), Method: zip.Deflate, Modified: modified})
	if err == nil {
		_, err = io.Copy(entry, from)
	}
	err = errors.Join(err, archive.Close(), to.Close())
	if err != nil {
		_ = os.Remove(path + compressedExtension)
	}
	return err
}

var keyCharacters = regexp.MustCompile(`[^-._a-zA-Z0-9]`)

func (s *snapshots) list(request snapshotRequest) (*snapshotList, error) {
	folder, err := s.folder(request)
	if err != nil {
		return nil, err
	}
	list := &snapshotList{Kind: "List", APIVersion: "v1", Items: []snapshotFile{}}
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		information, err := entry.Info()
		if err != nil || entry.IsDir() {
			continue
		}
		file := s.file(entry.Name(), snapshotTime(information))
		file.Spec.Location, file.Status.ReadyToUse = "file://"+filepath.Join(folder, entry.Name()), true
		file.Status.Size = strconv.FormatInt(information.Size(), 10)
		list.Items = append(list.Items, file)
	}
	return list, err
}

// snapshotTime is the number at the name's end, whatever the file's own time is.
func snapshotTime(information os.FileInfo) time.Time {
	base := strings.TrimSuffix(information.Name(), compressedExtension)
	seconds, err := strconv.ParseInt(base[strings.LastIndexByte(base, '-')+1:], 10, 64)
	if err != nil {
		seconds = information.ModTime().Unix()
	}
	return time.Unix(seconds, 0).UTC()
}

// prune removes the oldest of those that begin with the name.
func (s *snapshots) prune(request snapshotRequest) (*snapshotResult, error) {
	list, err := s.list(request)
	if err != nil {
		return nil, err
	}
	folder, _ := s.folder(request)
	kept, prefix := s.retention(request), ""
	if len(request.Name) > 0 {
		prefix = request.Name[0]
	}
	result := &snapshotResult{}
	if kept < 1 {
		return result, nil
	}
	parts.LogInfo("Applying snapshot retention=%d to local snapshots with prefix %s in %s", kept, prefix, folder)
	sort.SliceStable(list.Items, func(i, j int) bool {
		return list.Items[j].Status.CreationTime.Before(list.Items[i].Status.CreationTime)
	})
	for _, file := range list.Items {
		name := file.Spec.SnapshotName
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if kept--; kept >= 0 {
			continue
		}
		parts.LogInfo("Removing local snapshot %s", filepath.Join(folder, name))
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			parts.LogError("Error applying snapshot retention policy: %v", err)
			break
		}
		result.Deleted = append(result.Deleted, name)
	}
	return result, nil
}

func (s *snapshots) delete(request snapshotRequest) (*snapshotResult, error) {
	folder, err := s.folder(request)
	if err != nil {
		return nil, err
	}
	result := &snapshotResult{}
	for _, name := range request.Name {
		err := os.Remove(filepath.Join(folder, name))
		switch {
		case err == nil:
			parts.LogInfo("Snapshot %s deleted locally", name)
			result.Deleted = append(result.Deleted, name)
		case errors.Is(err, os.ErrNotExist):
			parts.LogInfo("Snapshot %s not found locally", name)
		default:
			parts.LogError("Failed to delete local snapshot %s: %v", name, err)
		}
	}
	return result, nil
}
