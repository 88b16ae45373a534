package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"towline.lab/parts"
)

const (
	stackLabel    = "k0s.k0sproject.io/stack"
	stackChecksum = "k0s.k0sproject.io/stack-checksum"
	stackApplied  = "k0s.k0sproject.io/last-applied-configuration"
)

// runStacks applies the folders of <data-dir>/manifests while this controller leads,
// as k0s's pkg/applier does.
func (c *controller) runStacks(ctx context.Context, objects dynamic.Interface) {
	base := filepath.Join(c.vars.DataDir, "manifests")
	if err := os.MkdirAll(base, 0o755); err != nil {
		parts.Fatal("failed to create manifest bundle dir %s: %v", base, err)
	}
	running := map[string]context.CancelFunc{}
	for parts.Pause(ctx, 500*time.Millisecond) {
		if !c.leader.leads.Load() {
			for folder, cancel := range running {
				cancel()
				delete(running, folder)
			}
			continue
		}
		entries, _ := os.ReadDir(base)
		for _, entry := range entries {
			if folder := filepath.Join(base, entry.Name()); entry.IsDir() && running[folder] == nil {
				own, cancel := context.WithCancel(ctx)
				running[folder] = cancel
				parts.LogFields("info", "Running stack", "component=applier-manager stack="+folder)
				go c.runStack(own, objects, folder)
			}
		}
	}
}

// runStack applies a stack a second after its files have changed.
func (c *controller) runStack(ctx context.Context, objects dynamic.Interface, folder string) {
	component := "component=applier-" + filepath.Base(folder)
	seen, applied, changed := "", " ", time.Now()
	for parts.Pause(ctx, 200*time.Millisecond) {
		var state string
		files, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				state += fmt.Sprintf("%s %d %d\n", file, info.ModTime().UnixNano(), info.Size())
			}
		}
		if state != seen {
			seen, changed = state, time.Now()
		}
		if seen == applied || time.Since(changed) < time.Second {
			continue
		}
		applied = seen
		parts.LogFields("info", "Applying manifests", component)
		for attempt := 1; attempt <= 10; attempt++ {
			err := c.applyStack(ctx, objects, folder)
			if err == nil || ctx.Err() != nil {
				break
			}
			said := component + " error=" + strconv.Quote(err.Error())
			parts.LogFields("warning", fmt.Sprintf("Failed to apply manifests in attempt #%d, retrying after backoff", attempt), said)
			if attempt == 10 {
				parts.LogFields("error", "Failed to apply manifests", said)
			} else {
				parts.Pause(ctx, 100*time.Millisecond<<(attempt-1))
			}
		}
	}
}

func (c *controller) applyStack(ctx context.Context, objects dynamic.Interface, folder string) error {
	name := filepath.Base(folder)
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	var all, namespaced []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(content)), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("unable to build resources: error parsing %s: %w", file, err)
			}
			if object.GetKind() == "" {
				continue
			} else if object.GetNamespace() == "" {
				all = append(all, object)
			} else {
				namespaced = append(namespaced, object)
			}
		}
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.admin.Discovery()))
	kept := map[string]bool{}
	var failed []error
	for _, object := range append(all, namespaced...) {
		if err := applyResource(ctx, objects, mapper, name, object); err != nil {
			failed = append(failed, err)
		}
		kept[resourceID(object)] = true
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return c.pruneStack(ctx, objects, name, kept)
}

func resourceID(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s/%s:%s@%s", object.GroupVersionKind().Group, object.GetKind(), object.GetName(), object.GetNamespace())
}

func applyResource(ctx context.Context, objects dynamic.Interface, mapper meta.ResettableRESTMapper, stack string, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		mapper.Reset()
		mapping, err = mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return fmt.Errorf("mapping error: %w", err)
	}
	var resource dynamic.ResourceInterface = objects.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = objects.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	plain, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	sum := md5.Sum(plain)
	checksum := hex.EncodeToString(sum[:])
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[stackLabel] = stack
	annotations[stackChecksum], annotations[stackApplied] = checksum, string(plain)
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
	there, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if _, err := resource.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("cannot create resource %s: %w", object.GetName(), err)
		}
		return nil
	} else if err != nil {
		return fmt.Errorf("unknown api error: %w", err)
	}
	if there.GetAnnotations()[stackChecksum] == checksum {
		return nil
	}
	modified, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	current, err := there.MarshalJSON()
	if err != nil {
		return err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(there.GetAnnotations()[stackApplied]), modified, current)
	if err != nil {
		return fmt.Errorf("can't update resource: failed to create jsonpatch data: %w", err)
	}
	if _, err := resource.Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("can't update resource: failed to patch resource: %w", err)
	}
	return nil
}

// pruneStack deletes what has the stack's label and is in none of its files.
func (c *controller) pruneStack(ctx context.Context, objects dynamic.Interface, stack string, kept map[string]bool) error {
	lists, _ := c.admin.Discovery().ServerPreferredResources()
	foreground := metav1.DeletePropagationForeground
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, kind := range list.APIResources {
			if !slices.Contains(kind.Verbs, "delete") || kind.Kind == "Endpoints" || kind.Kind == "EndpointSlice" {
				continue
			}
			resource := objects.Resource(group.WithResource(kind.Name))
			owned, err := resource.List(ctx, metav1.ListOptions{LabelSelector: stackLabel + "=" + stack})
			if err != nil {
				continue
			}
			for index := range owned.Items {
				object := &owned.Items[index]
				if kept[resourceID(object)] || len(object.GetOwnerReferences()) > 0 {
					continue
				}
				err := resource.Namespace(object.GetNamespace()).Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &foreground})
				if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsGone(err) {
					return fmt.Errorf("deleting resource failed: %w", err)
				}
			}
		}
	}
	return nil
}
