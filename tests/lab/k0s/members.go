package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"towline.lab/parts"
)

// The labels by which controllers agree on who leaves.
const (
	leaseLabel           = "k0s.k0sproject.io/controller-lease"
	shutdownOnLeaveLabel = "k0s.k0sproject.io/shutdown-on-leave"
	shutdownLabel        = "k0s.k0sproject.io/shutdown"
)

var membersResource = schema.GroupVersionResource{Group: "etcd.k0sproject.io", Version: "v1beta1", Resource: "etcdmembers"}

// election holds one lease, again and again. Yielding it lets another one take it.
type election struct {
	leads  atomic.Bool
	mutex  sync.Mutex
	cancel context.CancelFunc
	pause  time.Duration
}

func (e *election) yield() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.pause = 30 * time.Second
	e.cancel()
}

func (c *controller) elect(ctx context.Context, name string) *election {
	held := &election{}
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name},
		Client:    c.admin.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: c.vars.InvocationID},
	}
	c.elections.Add(1)
	go func() {
		defer c.elections.Done()
		for ctx.Err() == nil {
			own, cancel := context.WithCancel(ctx)
			held.mutex.Lock()
			held.cancel = cancel
			held.mutex.Unlock()
			elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
				Lock: lock, LeaseDuration: time.Minute, RenewDeadline: 15 * time.Second, RetryPeriod: 5 * time.Second, ReleaseOnCancel: true,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(context.Context) { held.leads.Store(true) },
					OnStoppedLeading: func() { held.leads.Store(false) },
				},
			})
			if err != nil {
				parts.LogError("Failed to make an election for %s: %v", name, err)
				cancel()
				return
			}
			elector.Run(own)
			cancel()
			held.mutex.Lock()
			pause := held.pause
			held.pause = 0
			held.mutex.Unlock()
			parts.Pause(ctx, pause)
		}
	}()
	return held
}

// startLeases holds the lease that shows this controller to the others, and stands for the leader's.
func (c *controller) startLeases(ctx context.Context) {
	ctx, c.cancelLeases = context.WithCancel(ctx)
	c.elect(ctx, "k0s-ctrl-"+c.nodeName)
	c.leader = c.elect(ctx, "k0s-endpoint-reconciler")
}

func isValid(lease *coordinationv1.Lease) bool {
	if lease.Spec.LeaseDurationSeconds == nil || lease.Spec.RenewTime == nil {
		return false
	}
	return lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second).After(time.Now())
}

func (c *controller) activeControllers(ctx context.Context) int {
	leases, err := c.admin.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0
	}
	count := 0
	for index := range leases.Items {
		lease := &leases.Items[index]
		holder := lease.Spec.HolderIdentity
		if strings.HasPrefix(lease.Name, "k0s-ctrl-") && holder != nil && *holder != "" && isValid(lease) {
			count++
		}
	}
	return count
}

func setJoined(member *unstructured.Unstructured, status, message string) {
	conditions, _, _ := unstructured.NestedSlice(member.Object, "status", "conditions")
	changed := metav1.Now().UTC().Format(time.RFC3339)
	for _, one := range conditions {
		if condition, isMap := one.(map[string]any); isMap && condition["status"] == status {
			changed = fmt.Sprint(condition["lastTransitionTime"])
		}
	}
	_ = unstructured.SetNestedSlice(member.Object, []any{map[string]any{
		"type": "Joined", "status": status, "message": message, "lastTransitionTime": changed}}, "status", "conditions")
}

func joinedStatus(member *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(member.Object, "status", "conditions")
	for _, one := range conditions {
		if condition, isMap := one.(map[string]any); isMap && condition["type"] == "Joined" {
			return fmt.Sprint(condition["status"])
		}
	}
	return ""
}

// registerMember makes the object of this member, or takes the present one over.
func (c *controller) registerMember(ctx context.Context, members dynamic.ResourceInterface) error {
	client, err := c.vars.etcdClient()
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := client.Status(ctx, "https://127.0.0.1:2379")
	if err != nil {
		return err
	}
	labels := map[string]string{leaseLabel: "k0s-ctrl-" + c.nodeName, shutdownOnLeaveLabel: c.vars.InvocationID}
	name := strings.ToLower(c.memberName)
	member, err := members.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		member = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "etcd.k0sproject.io/v1beta1", "kind": "EtcdMember", "spec": map[string]any{"leave": false}}}
		member.SetName(name)
		member.SetLabels(labels)
		member, err = members.Create(ctx, member, metav1.CreateOptions{})
	} else if err == nil {
		member.SetLabels(labels)
		_ = unstructured.SetNestedField(member.Object, false, "spec", "leave")
		member, err = members.Update(ctx, member, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedField(member.Object, c.config.Spec.Storage.Etcd.PeerAddress, "status", "peerAddress")
	_ = unstructured.SetNestedField(member.Object, strconv.FormatUint(status.Header.MemberId, 16), "status", "memberID")
	setJoined(member, "True", "Member joined")
	_, err = members.UpdateStatus(ctx, member, metav1.UpdateOptions{})
	return err
}

// watchMembers is what the leader does for members, and what each one does for
// its own: every 10 s, and at once when an object changed.
func (c *controller) watchMembers(ctx context.Context, members dynamic.ResourceInterface) {
	seen := ""
	last := time.Time{}
	for parts.Pause(ctx, 500*time.Millisecond) {
		if !c.leader.leads.Load() {
			c.leaveWhereMarked(ctx, members)
			seen = ""
			continue
		}
		short, cancel := context.WithTimeout(ctx, time.Minute)
		listed, err := members.List(short, metav1.ListOptions{})
		period := time.Duration(knob("promote-seconds", 10) * float64(time.Second))
		if err == nil && (listed.GetResourceVersion() != seen || time.Since(last) >= period) {
			changed := ""
			for index := range listed.Items {
				changed += listed.Items[index].GetResourceVersion() + " "
			}
			if changed != seen || time.Since(last) >= period {
				seen, last = changed, time.Now()
				c.reconcileMembers(short, members, listed.Items)
			}
		}
		cancel()
	}
}

// leaveWhereMarked sees the leader's request to go.
func (c *controller) leaveWhereMarked(ctx context.Context, members dynamic.ResourceInterface) {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	own, err := members.Get(short, strings.ToLower(c.memberName), metav1.GetOptions{})
	if err != nil || own.GetLabels()[shutdownLabel] != c.vars.InvocationID {
		return
	}
	parts.LogInfo("Etcd member marked for shutdown; stopping components and waiting for external termination")
	c.leave()
}

func (c *controller) reconcileMembers(ctx context.Context, members dynamic.ResourceInterface, objects []unstructured.Unstructured) {
	client, err := c.vars.etcdClient()
	if err != nil {
		return
	}
	defer client.Close()
	listed, err := client.MemberList(ctx)
	if err != nil {
		parts.LogError("Failed to list etcd cluster members: %v", err)
		return
	}
	for index := range objects {
		if err := c.reconcileMember(ctx, client, members, listed.Members, &objects[index]); err != nil {
			parts.LogError("Failed to reconcile EtcdMember %s: %v", objects[index].GetName(), err)
		}
	}
	promoteOne(ctx, client, listed.Members)
}

func (c *controller) reconcileMember(ctx context.Context, client *clientv3.Client, members dynamic.ResourceInterface, present []*etcdserverpb.Member, member *unstructured.Unstructured) error {
	text, _, _ := unstructured.NestedString(member.Object, "status", "memberID")
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return nil // its controller is about to write it
	}
	tell := func(message, result string) error {
		old, _, _ := unstructured.NestedString(member.Object, "status", "message")
		_ = unstructured.SetNestedField(member.Object, message, "status", "message")
		_ = unstructured.SetNestedField(member.Object, result, "status", "reconcileStatus")
		if old == message {
			return nil
		}
		_, err := members.UpdateStatus(ctx, member, metav1.UpdateOptions{})
		return err
	}
	exists := false
	for _, one := range present {
		exists = exists || one.ID == id
	}
	if !exists {
		if joinedStatus(member) == "False" {
			return nil
		}
		setJoined(member, "False", "No such member ID")
		return tell("No such member ID", "Success")
	}
	if leaves, _, _ := unstructured.NestedBool(member.Object, "spec", "leave"); !leaves {
		return nil
	}
	if address, _, _ := unstructured.NestedString(member.Object, "status", "peerAddress"); address == c.config.Spec.Storage.Etcd.PeerAddress {
		if c.activeControllers(ctx) < 2 {
			return tell("The only active controller cannot leave the etcd cluster; either bring another controller online or clear spec.leave", "")
		}
		c.leader.yield()
		return tell("Waiting for another controller to take over", "")
	}
	if invocation := member.GetLabels()[shutdownOnLeaveLabel]; invocation != "" {
		lease, err := c.admin.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, member.GetLabels()[leaseLabel], metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return tell("No k0s controller lease found", "")
		case err != nil:
			return tell("Failed to get k0s controller lease: "+err.Error(), "")
		case isValid(lease):
			if holder := lease.Spec.HolderIdentity; holder == nil || *holder != invocation {
				return tell("Unexpected lease holder", "")
			}
			labels := member.GetLabels()
			if labels[shutdownLabel] == invocation {
				return tell("Member is still active; waiting for it to shutdown", "")
			}
			labels[shutdownLabel] = invocation
			member.SetLabels(labels)
			_, err := members.Update(ctx, member, metav1.UpdateOptions{})
			return err
		case time.Since(lease.Spec.RenewTime.Time) < 5*time.Minute:
			return tell("Member is offline; waiting for it to leave", "")
		}
	}
	if _, err := client.MemberRemove(ctx, id); err != nil {
		return errors.Join(err, tell("Failed to delete member from cluster: "+err.Error(), "Failed"))
	}
	setJoined(member, "False", "Member removed from cluster")
	return tell("Member removed from cluster", "Success")
}

// promoteOne gives a vote to one learner at most.
func promoteOne(ctx context.Context, client *clientv3.Client, members []*etcdserverpb.Member) {
	rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	for _, member := range members {
		if !member.IsLearner || member.Name == "" {
			continue
		}
		_, err := client.MemberPromote(ctx, member.ID)
		switch {
		case err == nil:
			parts.LogInfo("promoted learner to voting member")
		case !errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
			parts.LogWarning("failed to promote learner: %v", err)
		}
		return
	}
}

// etcdCommandAllowed says why `k0s etcd` does not apply.
func etcdCommandAllowed(v *vars) (*clusterConfig, error) {
	config, err := v.nodeConfig()
	if err != nil {
		return nil, err
	}
	if config.Spec.Storage.Type != "etcd" {
		return nil, fmt.Errorf("wrong storage type: %s", config.Spec.Storage.Type)
	}
	return config, nil
}

// listMembers is `k0s etcd member-list`: unstarted members share one empty name.
func listMembers(v *vars) (map[string]string, error) {
	if _, err := etcdCommandAllowed(v); err != nil {
		return nil, err
	}
	client, err := v.etcdClient()
	if err != nil {
		return nil, fmt.Errorf("can't list etcd cluster members: %w", err)
	}
	defer client.Close()
	listed, err := client.MemberList(context.Background())
	if err != nil {
		return nil, fmt.Errorf("can't list etcd cluster members: etcd member list failed: %w", err)
	}
	members := map[string]string{}
	for _, member := range listed.Members {
		members[member.Name] = member.PeerURLs[0]
	}
	return members, nil
}

// removeMember is `k0s etcd leave`.
func removeMember(v *vars, address string) error {
	config, err := etcdCommandAllowed(v)
	if err != nil {
		return err
	}
	if address == "" {
		if address = config.Spec.Storage.Etcd.PeerAddress; address == "" {
			return errors.New("can't leave etcd cluster: this node doesn't have an etcd peer address, check the k0s configuration or use --peer-address")
		}
	}
	peer := (&etcdSpec{PeerAddress: address}).peerURL()
	client, err := v.etcdClient()
	if err != nil {
		return fmt.Errorf("can't connect to the etcd: %w", err)
	}
	defer client.Close()
	ctx := context.Background()
	listed, err := client.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("etcd member list failed: %w", err)
	}
	for _, member := range listed.Members {
		if len(member.PeerURLs) == 0 || member.PeerURLs[0] != peer {
			continue
		}
		if _, err := client.MemberRemove(ctx, member.ID); err != nil {
			parts.LogFields("error", "Failed to delete node from cluster", fmt.Sprintf("peerURL=%q", peer))
			return err
		}
		parts.LogInfo("Successfully deleted")
		return nil
	}
	parts.LogFields("error", "Failed to get peer name", fmt.Sprintf("peerURL=%q", peer))
	return fmt.Errorf("peer not found: %s", peer)
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}
