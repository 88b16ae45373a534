package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"towline.lab/parts"
)

const (
	snapshotNode      = "etcd.k3s.cattle.io/snapshot-storage-node"
	snapshotTokenHash = "etcd.k3s.cattle.io/snapshot-token-hash"
	snapshotCRD       = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "etcdsnapshotfiles.k3s.cattle.io"},
		"spec": {"group": "k3s.cattle.io", "scope": "Cluster", "names": {"kind": "ETCDSnapshotFile", "plural": "etcdsnapshotfiles", "singular": "etcdsnapshotfile"},
		"versions": [{"name": "v1", "served": true, "storage": true,
		"schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`
)

var snapshotResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "etcdsnapshotfiles"}

// objectName differs from the name in a list by a few digits of its place.
func (f snapshotFile) objectName() string {
	sum := sha256.Sum256([]byte(f.Spec.NodeName + f.Spec.Location))
	return f.Metadata.Name + "-" + hex.EncodeToString(sum[:])[:6]
}

// hashOfToken tells which token a snapshot needs: the hash of its password, cut.
func hashOfToken(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])[:12]
}

func (s *snapshots) createObject(ctx context.Context, file snapshotFile, tokenHash string, failure error) error {
	file.Metadata.Name = file.objectName()
	if tokenHash != "" {
		file.Metadata.Annotations = map[string]string{snapshotTokenHash: tokenHash}
	}
	content, err := json.Marshal(file)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(content); err != nil {
		return err
	}
	if failure != nil {
		_ = unstructured.SetNestedField(object.Object, failure.Error(), "status", "error", "message")
		_ = unstructured.SetNestedField(object.Object, file.Status.CreationTime.Format(time.RFC3339), "status", "error", "time")
	}
	_, err = s.server.nodes.dynamic.Resource(snapshotResource).Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reconcile makes this node's objects those of the folder that was asked about,
// and of it alone, as k3s does (k3s: pkg/etcd/snapshot.go, reconcileSnapshotData).
// Those of failures stay.
func (s *snapshots) reconcile(ctx context.Context, request snapshotRequest) {
	parts.LogInfo("Reconciling ETCDSnapshotFile resources")
	err := s.tryReconcile(ctx, request)
	for tries := 0; apierrors.IsNotFound(err) && tries < 10 && parts.Pause(ctx, time.Second); tries++ {
		err = s.tryReconcile(ctx, request) // the kind may be new
	}
	if err != nil {
		parts.LogWarning("Failed to sync ETCDSnapshotFile: %v", err)
		return
	}
	parts.LogInfo("Reconciliation of ETCDSnapshotFile resources complete")
}

func (s *snapshots) tryReconcile(ctx context.Context, request snapshotRequest) error {
	list, err := s.list(request)
	if err != nil {
		return err
	}
	client := s.server.nodes.dynamic.Resource(snapshotResource)
	present, err := client.List(ctx, metav1.ListOptions{LabelSelector: snapshotNode + "=" + s.server.settings.nodeName})
	if err != nil {
		return err
	}
	for _, object := range present.Items {
		_, failed, _ := unstructured.NestedMap(object.Object, "status", "error")
		if failed || slices.ContainsFunc(list.Items, func(file snapshotFile) bool { return file.objectName() == object.GetName() }) {
			continue
		}
		if err := client.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	for _, file := range list.Items {
		if !slices.ContainsFunc(present.Items, func(object unstructured.Unstructured) bool { return object.GetName() == file.objectName() }) {
			if err := s.createObject(ctx, file, "", nil); err != nil {
				return err
			}
		}
	}
	return nil
}
