package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func testSnapshots(t *testing.T) *snapshots {
	t.Helper()
	return &snapshots{server: &server{settings: &settings{options: options{}, dataDir: t.TempDir(), nodeName: "m1"}}}
}

func TestSnapshotsAreListedPrunedAndDeleted(t *testing.T) {
	s := testSnapshots(t)
	folder, err := s.folder(snapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"t1-m1-100", "t1-m1-300", "t1z-m1-200.zip", "other-m1-50"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.list(snapshotRequest{})
	if err != nil || len(list.Items) != 4 {
		t.Fatalf("%v %v", list, err)
	}
	zip := list.Items[3]
	if zip.Metadata.Name != "local-t1z-m1-200.zip" || zip.Status.CreationTime.Unix() != 200 || zip.Status.Size != "14" {
		t.Errorf("%+v", zip)
	}
	// The name is a prefix: k3s prunes what begins with it.
	one := 1
	pruned, err := s.prune(snapshotRequest{Name: []string{"t1"}, Retention: &one})
	if wanted := []string{"t1z-m1-200.zip", "t1-m1-100"}; err != nil || !reflect.DeepEqual(pruned.Deleted, wanted) {
		t.Errorf("%v %v", pruned, err)
	}
	deleted, err := s.delete(snapshotRequest{Name: []string{"nope", "other-m1-50"}})
	if err != nil || !reflect.DeepEqual(deleted.Deleted, []string{"other-m1-50"}) {
		t.Errorf("%v %v", deleted, err)
	}
	elsewhere := filepath.Join(folder, "none")
	if _, err := s.list(snapshotRequest{Dir: &elsewhere}); err == nil {
		t.Error("a folder that is not there was listed")
	}
}

func TestASnapshotIsCheckedByItsHash(t *testing.T) {
	folder := t.TempDir()
	database := make([]byte, 1024)
	sum := sha256.Sum256(database)
	for content, wanted := range map[string]string{
		string(database) + string(sum[:]):               "",
		string(database):                                "snapshot missing hash but --skip-hash-check=false",
		string(database[1:]) + "x" + string(sum[:]):     "expected sha256",
		string(database[:100]) + string(database[:412]): "snapshot missing hash but --skip-hash-check=false",
	} {
		file := filepath.Join(folder, "snapshot")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := copySnapshot(file, filepath.Join(folder, "db"))
		if wanted == "" && err != nil || wanted != "" && (err == nil || len(err.Error()) < len(wanted) || err.Error()[:len(wanted)] != wanted) {
			t.Errorf("%q: %v", wanted, err)
		}
	}
}

// The names are those that k3s v1.36.3 gave to the same snapshots.
func TestAnObjectIsNamedAfterTheSnapshotsPlace(t *testing.T) {
	s := testSnapshots(t)
	failed := s.file("full-m1-1795967900", time.Unix(1, 0))
	if name := failed.objectName(); name != "local-full-m1-1795967900-ca0df2" {
		t.Error(name)
	}
	saved := s.file("t1-m1-1795967893", time.Unix(1, 0))
	saved.Spec.Location = "file:///var/lib/rancher/k3s/server/db/snapshots/t1-m1-1795967893"
	if name := saved.objectName(); name != "local-t1-m1-1795967893-8f6fde" {
		t.Error(name)
	}
}
