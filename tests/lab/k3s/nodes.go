package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"towline.lab/parts"
)

const (
	annotationInternalIP = "k3s.io/internal-ip"
	annotationExternalIP = "k3s.io/external-ip"
	annotationHostname   = "k3s.io/hostname"
	annotationArguments  = "k3s.io/node-args"
	etcdNodeName         = "etcd.k3s.cattle.io/node-name"
	etcdNodeAddress      = "etcd.k3s.cattle.io/node-address"
	uninitializedTaint   = "node.cloudprovider.kubernetes.io/uninitialized"
	etcdRole             = "node-role.kubernetes.io/etcd"
	voterCondition       = "EtcdIsVoter"
)

// nodeController does for nodes what k3s's controllers do. Most of it runs on
// every server, and may be done twice.
type nodeController struct {
	server  *server
	client  *kubernetes.Clientset
	dynamic dynamic.Interface
}

func newNodeController(s *server) (*nodeController, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.settings.serverDir("cred", "supervisor.kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	anything, err := dynamic.NewForConfig(config)
	return &nodeController{server: s, client: client, dynamic: anything}, err
}

func (c *nodeController) waitForAPI(ctx context.Context) error {
	for {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(short)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// apiServers are host:port of all servers, from the endpoints of `kubernetes`.
func (c *nodeController) apiServers(ctx context.Context) ([]string, error) {
	slice, err := c.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	port := c.server.settings.port
	if len(slice.Ports) > 0 && slice.Ports[0].Port != nil {
		port = int(*slice.Ports[0].Port)
	}
	var addresses []string
	for _, endpoint := range slice.Endpoints {
		for _, address := range endpoint.Addresses {
			addresses = append(addresses, net.JoinHostPort(address, strconv.Itoa(port)))
		}
	}
	return addresses, nil
}

func (c *nodeController) run(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(c.client, 0)
	informer := factory.Core().V1().Nodes().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { c.changed(ctx, object) },
		UpdateFunc: func(_, object any) { c.changed(ctx, object) },
		DeleteFunc: func(object any) {
			if tombstone, isTombstone := object.(cache.DeletedFinalStateUnknown); isTombstone {
				object = tombstone.Obj
			}
			if node, isNode := object.(*corev1.Node); isNode {
				go c.deleted(ctx, node.Name)
			}
		},
	})
	if err != nil {
		parts.LogWarning("Failed to watch nodes: %v", err)
	}
	factory.Start(ctx.Done())
	c.runElected(ctx)
	<-ctx.Done()
}

func (c *nodeController) changed(ctx context.Context, object any) {
	node, isNode := object.(*corev1.Node)
	if !isNode {
		return
	}
	if err := c.initialize(ctx, node); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		parts.LogWarning("Failed to initialize node %s: %v", node.Name, err)
	}
	if node.Name == c.server.settings.nodeName {
		if err := c.markServer(ctx, node); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			parts.LogWarning("Failed to label node %s: %v", node.Name, err)
		}
	}
}

// initialize sets the addresses a node told of in its annotations and takes
// the taint away that waits for them (k3s: pkg/cloudprovider).
func (c *nodeController) initialize(ctx context.Context, node *corev1.Node) error {
	internal := node.Annotations[annotationInternalIP]
	if internal == "" || c.server.settings.options.truth("disable-cloud-controller") {
		return nil
	}
	wanted := wantedAddresses(node)
	if fmt.Sprint(wanted) != fmt.Sprint(node.Status.Addresses) {
		changed := node.DeepCopy()
		changed.Status.Addresses = wanted
		if _, err := c.client.CoreV1().Nodes().UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
			return err
		}
		return nil // the update brings the node here again
	}
	var taints []corev1.Taint
	for _, taint := range node.Spec.Taints {
		if taint.Key != uninitializedTaint {
			taints = append(taints, taint)
		}
	}
	if len(taints) == len(node.Spec.Taints) {
		return nil
	}
	changed := node.DeepCopy()
	changed.Spec.Taints = taints
	if changed.Spec.ProviderID == "" {
		changed.Spec.ProviderID = "k3s://" + node.Name
	}
	changed.Labels[corev1.LabelInstanceTypeStable] = "k3s"
	changed.Labels[corev1.LabelInstanceType] = "k3s"
	_, err := c.client.CoreV1().Nodes().Update(ctx, changed, metav1.UpdateOptions{})
	return err
}

func wantedAddresses(node *corev1.Node) []corev1.NodeAddress {
	var addresses []corev1.NodeAddress
	add := func(kind corev1.NodeAddressType, values string) {
		for _, value := range strings.Split(values, ",") {
			if value != "" {
				addresses = append(addresses, corev1.NodeAddress{Type: kind, Address: value})
			}
		}
	}
	add(corev1.NodeInternalIP, node.Annotations[annotationInternalIP])
	add(corev1.NodeExternalIP, node.Annotations[annotationExternalIP])
	add(corev1.NodeHostName, parts.OrDefault(node.Annotations[annotationHostname], node.Name))
	return addresses
}

// markServer puts a server's roles on its node.
func (c *nodeController) markServer(ctx context.Context, node *corev1.Node) error {
	labels := map[string]string{"node-role.kubernetes.io/control-plane": "true"}
	annotations := map[string]string{}
	if c.server.hasEtcd() {
		labels[etcdRole] = "true"
		annotations[etcdNodeName] = c.server.database.name
		annotations[etcdNodeAddress] = c.server.settings.nodeIPs[0]
	}
	missing := false
	for name, value := range labels {
		missing = missing || node.Labels[name] != value
	}
	for name, value := range annotations {
		missing = missing || node.Annotations[name] != value
	}
	if missing {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
		if err != nil {
			return err
		}
		if _, err := c.client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	if !c.server.hasEtcd() {
		return nil
	}
	votes, isMember := c.server.database.votes()
	if !isMember {
		return nil
	}
	return c.setVoter(ctx, node, votes)
}

// setVoter writes the condition EtcdIsVoter in k3s's words.
func (c *nodeController) setVoter(ctx context.Context, node *corev1.Node, voter bool) error {
	condition := corev1.NodeCondition{Type: voterCondition, Status: corev1.ConditionTrue, Reason: "MemberNotLearner",
		Message: "Node is a voting member of the etcd cluster"}
	if !voter {
		condition.Status, condition.Reason = corev1.ConditionFalse, "MemberIsLearner"
		condition.Message = "Node has not been promoted to voting member of the etcd cluster"
	}
	for _, present := range node.Status.Conditions {
		if present.Type == voterCondition && present.Status == condition.Status {
			return nil
		}
	}
	condition.LastTransitionTime, condition.LastHeartbeatTime = metav1.Now(), metav1.Now()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{condition}}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Nodes().PatchStatus(ctx, node.Name, patch)
	return err
}

// learnerSeen marks the node of a learner, where it has one.
func (c *nodeController) learnerSeen(ctx context.Context, memberName string) {
	node, err := c.client.CoreV1().Nodes().Get(ctx, suffixPattern.ReplaceAllString(memberName, ""), metav1.GetOptions{})
	if err == nil {
		_ = c.setVoter(ctx, node, false)
	}
}

// deleted forgets the password of a node.
func (c *nodeController) deleted(ctx context.Context, name string) {
	parts.LogInfo("Node %s was deleted", name)
	err := c.client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, name+".node-password.k3s", metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		parts.LogWarning("Failed to delete the password of node %s: %v", name, err)
	}
}
