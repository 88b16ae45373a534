package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"towline.lab/parts"
)

const (
	addonOwner = "objectset.rio.cattle.io/owner-name"
	addonKinds = "addon.k3s.cattle.io/gvks"
)

var (
	addonResource = schema.GroupVersionResource{Group: "k3s.cattle.io", Version: "v1", Resource: "addons"}
	addonCRD      = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "addons.k3s.cattle.io"},
		"spec": {"group": "k3s.cattle.io", "scope": "Namespaced", "names": {"kind": "Addon", "plural": "addons", "singular": "addon"},
		"versions": [{"name": "v1", "served": true, "storage": true,
		"schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`
)

// addons applies what is in server/manifests, as k3s's pkg/deploy does: every 15 s,
// each file that has changed, and all of them at the start.
type addons struct {
	nodes    *nodeController
	client   dynamic.Interface
	mapper   *restmapper.DeferredDiscoveryRESTMapper
	modified map[string]time.Time
}

func (c *nodeController) runAddons(ctx context.Context, client dynamic.Interface) {
	a := &addons{nodes: c, client: client, modified: map[string]time.Time{},
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.client.Discovery()))}
	createCRD(ctx, client, addonCRD)
	createCRD(ctx, client, snapshotCRD)
	if c.server.hasEtcd() {
		folder := c.server.settings.options.text("etcd-snapshot-dir")
		go (&snapshots{server: c.server}).reconcile(ctx, snapshotRequest{Dir: &folder})
	}
	for force := true; ; {
		if err := a.look(ctx, force); err != nil {
			parts.LogWarning("Failed to process config: %v", err)
		} else {
			force = false
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(15 * time.Second):
		}
	}
}

// createCRD teaches the API server a kind, once it takes it.
func createCRD(ctx context.Context, client dynamic.Interface, content string) {
	crd := &unstructured.Unstructured{}
	if err := crd.UnmarshalJSON([]byte(content)); err != nil {
		parts.Fatal("%v", err)
	}
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for ctx.Err() == nil {
		_, err := client.Resource(crds).Create(ctx, crd, metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return
		}
		time.Sleep(time.Second)
	}
}

func (a *addons) look(ctx context.Context, force bool) error {
	a.mapper.Reset()
	base := a.nodes.server.settings.serverDir("manifests")
	var paths []string
	skips := map[string]bool{}
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
			skips[filepath.Base(path)] = true
		}
		return err
	})
	slices.Sort(paths)
	failed := []error{err}
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasPrefix(name, ".") || skips[name+".skip"] || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			continue
		}
		info, err := os.Stat(path)
		if err != nil || !force && info.ModTime().Equal(a.modified[path]) {
			continue
		}
		if err := a.deploy(ctx, path, !force); err != nil {
			failed = append(failed, fmt.Errorf("failed to process %s: %w", path, err))
		} else {
			a.modified[path] = info.ModTime()
		}
	}
	return errors.Join(failed...)
}

func (a *addons) deploy(ctx context.Context, path string, compare bool) error {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	all := a.client.Resource(addonResource).Namespace(metav1.NamespaceSystem)
	addon, err := all.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		addon = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "k3s.cattle.io/v1", "kind": "Addon",
			"metadata": map[string]any{"name": name, "namespace": metav1.NamespaceSystem}, "spec": map[string]any{"source": path}}}
		addon, err = all.Create(ctx, addon, metav1.CreateOptions{})
	}
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	checksum := hex.EncodeToString(sum[:])
	if known, _, _ := unstructured.NestedString(addon.Object, "spec", "checksum"); compare && known == checksum {
		return nil
	}
	var kinds []string
	wanted := map[types.UID]bool{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(content)), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			a.warn(ctx, addon, "ParseManifestFailed", fmt.Sprintf("Parse manifest at %q failed: %v", path, err))
			return err
		}
		if len(object.Object) == 0 {
			continue
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[addonOwner] = name
		object.SetLabels(labels)
		applied, err := a.apply(ctx, object)
		if err != nil {
			a.warn(ctx, addon, "ApplyManifestFailed", fmt.Sprintf("Applying manifest at %q failed: failed to create %s/%s for  kube-system/%s: %v",
				path, object.GetNamespace(), object.GetName(), name, err))
			return err
		}
		wanted[applied.GetUID()] = true
		kinds = append(kinds, object.GroupVersionKind().GroupVersion().String()+" "+object.GetKind())
	}
	for _, kind := range append(strings.Split(addon.GetAnnotations()[addonKinds], ";"), kinds...) {
		a.prune(ctx, name, kind, wanted)
	}
	addon.SetAnnotations(map[string]string{addonKinds: strings.Join(kinds, ";")})
	addon.Object["spec"] = map[string]any{"source": path, "checksum": checksum}
	_, err = all.Update(ctx, addon, metav1.UpdateOptions{})
	return err
}

func (a *addons) apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	kind := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	var resource dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == "namespace" {
		namespace := object.GetNamespace()
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		resource = a.client.Resource(mapping.Resource).Namespace(namespace)
	}
	force := true
	return resource.Patch(ctx, object.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "deploy", Force: &force})
}

// prune deletes what an AddOn owns of a kind and its file does not have.
func (a *addons) prune(ctx context.Context, name, kind string, wanted map[types.UID]bool) {
	version, kind, _ := strings.Cut(kind, " ")
	group, err := schema.ParseGroupVersion(version)
	if err != nil || kind == "" {
		return
	}
	mapping, err := a.mapper.RESTMapping(group.WithKind(kind).GroupKind(), group.Version)
	if err != nil {
		return
	}
	owned, err := a.client.Resource(mapping.Resource).List(ctx, metav1.ListOptions{LabelSelector: addonOwner + "=" + name})
	if err != nil {
		return
	}
	for _, object := range owned.Items {
		if !wanted[object.GetUID()] {
			var resource dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
			if object.GetNamespace() != "" {
				resource = a.client.Resource(mapping.Resource).Namespace(object.GetNamespace())
			}
			_ = resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{})
		}
	}
}

func (a *addons) warn(ctx context.Context, addon *unstructured.Unstructured, reason, message string) {
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: addon.GetName() + ".", Namespace: metav1.NamespaceSystem},
		InvolvedObject: corev1.ObjectReference{APIVersion: "k3s.cattle.io/v1", Kind: "Addon", Namespace: metav1.NamespaceSystem,
			Name: addon.GetName(), UID: addon.GetUID()},
		Type: corev1.EventTypeWarning, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "deploy"},
	}
	_, _ = a.nodes.client.CoreV1().Events(metav1.NamespaceSystem).Create(ctx, event, metav1.CreateOptions{})
}
