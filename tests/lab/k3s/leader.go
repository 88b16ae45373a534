package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"

	"towline.lab/parts"
)

// The times of wrangler's elections (rancher/wrangler, pkg/leader).
const (
	leaseDuration = 45 * time.Second
	renewDeadline = 30 * time.Second
	retryPeriod   = 2 * time.Second
)

const finalizerPrefix = "wrangler.cattle.io/"

// lead runs a controller while this server holds the lease of that name in
// kube-system. A server that stops does not give its leases back: k3s ends
// before it could. One that loses a lease ends. With sqlite k3s holds no
// elections.
func (c *nodeController) lead(ctx context.Context, name string, controller func(context.Context)) {
	if c.server.sqlite {
		controller(ctx)
		return
	}
	identity, err := os.Hostname()
	if err != nil {
		parts.Fatal("Failed to start leader election for %s", name)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, metav1.NamespaceSystem, name,
		c.client.CoreV1(), c.client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		parts.Fatal("error creating leader lock for %s: %v", name, err)
	}
	// It never sees its context end: it lasts as long as the process.
	leaderelection.RunOrDie(context.WithoutCancel(ctx), leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				parts.LogInfo("Leading %s", name)
				go controller(ctx)
			},
			OnStoppedLeading: func() {
				if !c.server.stopping.Load() {
					parts.Fatal("leaderelection lost for %s", name)
				}
			},
		},
	})
}

// finalize puts a finalizer on all nodes, and takes it from a node that is
// being deleted when what has to be done for it is done (wrangler's OnRemove).
func (c *nodeController) finalize(ctx context.Context, name string, removed func(context.Context, *corev1.Node) error) {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	factory := informers.NewSharedInformerFactory(c.client, 0)
	nodes := factory.Core().V1().Nodes()
	add := func(object any) {
		if node, isNode := object.(*corev1.Node); isNode {
			queue.Add(node.Name)
		}
	}
	_, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, object any) { add(object) },
	})
	if err != nil {
		parts.LogWarning("Failed to watch nodes: %v", err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		key, ended := queue.Get()
		if ended {
			return
		}
		node, err := nodes.Lister().Get(key)
		if err == nil {
			err = c.finalizeNode(ctx, finalizerPrefix+name, node, removed)
		}
		if err == nil || apierrors.IsNotFound(err) {
			queue.Forget(key)
		} else {
			if !apierrors.IsConflict(err) {
				parts.LogError("error syncing '%s': handler %s: %v, requeuing", key, name, err)
			}
			queue.AddRateLimited(key)
		}
		queue.Done(key)
	}
}

func (c *nodeController) finalizeNode(ctx context.Context, finalizer string, node *corev1.Node, removed func(context.Context, *corev1.Node) error) error {
	has := slices.Contains(node.Finalizers, finalizer)
	if (node.DeletionTimestamp == nil) == has {
		return nil
	}
	changed := node.DeepCopy()
	if has {
		if err := removed(ctx, node); err != nil {
			return err
		}
		changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(one string) bool { return one == finalizer })
	} else {
		changed.Finalizers = append(changed.Finalizers, finalizer)
	}
	_, err := c.client.CoreV1().Nodes().Update(ctx, changed, metav1.UpdateOptions{})
	return err
}

// removeMember removes the etcd member of a node that is being deleted (k3s:
// pkg/etcd, onRemove).
func (c *nodeController) removeMember(ctx context.Context, node *corev1.Node) error {
	if _, isMember := node.Labels[etcdRole]; !isMember {
		return nil
	}
	name, address := node.Annotations[etcdNodeName], node.Annotations[etcdNodeAddress]
	if name == "" {
		return fmt.Errorf("node name annotation for node %s not found", node.Name)
	}
	if address == "" {
		return fmt.Errorf("node address annotation for node %s not found", node.Name)
	}
	parts.LogInfo("Removing etcd member from cluster due to node delete")
	return c.server.database.removePeer(ctx, name, address)
}

// nothingToRemove is the finalizer of k3s's controller for CoreDNS's hosts,
// which are not in the stand-in.
func nothingToRemove(context.Context, *corev1.Node) error { return nil }

// runElected runs what k3s runs on one server at a time.
func (c *nodeController) runElected(ctx context.Context) {
	go c.lead(ctx, "k3s", func(ctx context.Context) { c.finalize(ctx, "node", nothingToRemove) })
	if c.server.hasEtcd() {
		go c.lead(ctx, "k3s-etcd", func(ctx context.Context) { c.finalize(ctx, "managed-etcd-controller", c.removeMember) })
	}
}
