package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"towline.lab/parts"
)

const roleLabel = "node.k0sproject.io/role"

// kinds are the custom resources that others look at. Their schemas are open here.
var kinds = []struct {
	plural, kind, group, version string
	columns                      [][2]string
}{
	{"etcdmembers", "EtcdMember", "etcd.k0sproject.io", "v1beta1", [][2]string{
		{"Peer Address", ".status.peerAddress"}, {"Member ID", ".status.memberID"},
		{"Joined", `.status.conditions[?(@.type=="Joined")].status`}, {"Reconcile Status", ".status.reconcileStatus"}}},
	{"controlnodes", "ControlNode", "autopilot.k0sproject.io", "v1beta2", nil},
	{"plans", "Plan", "autopilot.k0sproject.io", "v1beta2", nil},
}

func ensureKinds(ctx context.Context, client apiextensions.Interface) error {
	open := true
	for _, kind := range kinds {
		var columns []apiextensionsv1.CustomResourceColumnDefinition
		for _, column := range kind.columns {
			columns = append(columns, apiextensionsv1.CustomResourceColumnDefinition{Name: column[0], Type: "string", JSONPath: column[1]})
		}
		definition := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: kind.plural + "." + kind.group},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: kind.group, Scope: apiextensionsv1.ClusterScoped,
				Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: kind.plural, Singular: strings.ToLower(kind.kind), Kind: kind.kind, ListKind: kind.kind + "List"},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: kind.version, Served: true, Storage: true, AdditionalPrinterColumns: columns,
					Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", XPreserveUnknownFields: &open}},
				}},
			},
		}
		if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(ctx, definition, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// startCluster starts what controllers do together. It may be done twice.
func (c *controller) startCluster(ctx context.Context) error {
	access, err := clientcmd.BuildConfigFromFlags("", c.vars.AdminKubeConfigPath)
	if err != nil {
		return err
	}
	access.QPS, access.Burst = 50, 400
	extensions, err := apiextensions.NewForConfig(access)
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(access)
	if err != nil {
		return err
	}
	if err := c.patiently(ctx, "custom resources", func() error { return ensureKinds(ctx, extensions) }); err != nil {
		return err
	}
	if err := c.patiently(ctx, "RBAC", func() error { return c.ensureAccess(ctx) }); err != nil {
		return err
	}
	c.plane.RunControllers()
	if c.config.Spec.Storage.Type == "etcd" {
		members := objects.Resource(membersResource)
		if err := c.patiently(ctx, "EtcdMember object", func() error { return c.registerMember(ctx, members) }); err != nil {
			return fmt.Errorf("failed to create EtcdMember object for this controller: %w", err)
		}
		go c.watchMembers(ctx, members)
	}
	go c.keepObjects(ctx, objects)
	go c.runStacks(ctx, objects)
	return nil
}

// patiently tries for two minutes: just after a start etcd may not answer yet.
func (c *controller) patiently(ctx context.Context, what string, action func() error) error {
	end := time.Now().Add(gateTime())
	for {
		err := action()
		if err == nil || time.Now().After(end) || !parts.Pause(ctx, 200*time.Millisecond) {
			return err
		}
		parts.LogDebug("retrying %s: %v", what, err)
	}
}

func (c *controller) ensureAccess(ctx context.Context) error {
	for name, binding := range map[string]struct{ role, group string }{
		"kubelet-bootstrap":                     {"system:node-bootstrapper", "system:bootstrappers"},
		"node-autoapprove-bootstrap":            {"system:certificates.k8s.io:certificatesigningrequests:nodeclient", "system:bootstrappers"},
		"node-autoapprove-certificate-rotation": {"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "system:nodes"},
	} {
		_, err := c.admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: binding.role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: binding.group}},
		}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	meta := metav1.ObjectMeta{Name: "system:bootstrappers:worker-config-" + minorVersion, Namespace: metav1.NamespaceSystem}
	_, err := c.admin.RbacV1().Roles(metav1.NamespaceSystem).Create(ctx, &rbacv1.Role{ObjectMeta: meta,
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "watch"}}}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = c.admin.RbacV1().RoleBindings(metav1.NamespaceSystem).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:bootstrappers"},
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:nodes"}}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// keepObjects keeps what the leader writes for workers, the object of this
// controller, and the roles of nodes.
func (c *controller) keepObjects(ctx context.Context, objects dynamic.Interface) {
	registered, labelled := false, time.Now()
	for {
		if !registered {
			registered = c.ensureControlNode(ctx, objects) == nil
		}
		if c.leader.leads.Load() {
			if err := c.writeProfiles(ctx); err != nil {
				parts.LogWarning("Failed to write the worker configuration: %v", err)
			}
		}
		if !c.flags.disabled("node-role") && time.Since(labelled) >= patient(time.Minute) {
			labelled = time.Now()
			c.labelNodes(ctx)
		}
		if !parts.Pause(ctx, 2*time.Second) {
			return
		}
	}
}

var controlNodes = schema.GroupVersionResource{Group: "autopilot.k0sproject.io", Version: "v1beta2", Resource: "controlnodes"}

func (c *controller) ensureControlNode(ctx context.Context, objects dynamic.Interface) error {
	if c.flags.disabled("autopilot") {
		return nil
	}
	nodes := objects.Resource(controlNodes)
	node, err := nodes.Get(ctx, c.nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		node = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autopilot.k0sproject.io/v1beta2", "kind": "ControlNode"}}
		node.SetName(c.nodeName)
		node.SetLabels(map[string]string{corev1.LabelHostname: c.nodeName, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH})
		mode := "controller"
		if c.flags.works() {
			mode = "controller+worker"
		}
		node.SetAnnotations(map[string]string{"autopilot.k0sproject.io/mode": mode})
		node, err = nodes.Create(ctx, node, metav1.CreateOptions{})
	}
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedSlice(node.Object, []any{
		map[string]any{"type": "InternalIP", "address": c.config.Spec.API.Address},
		map[string]any{"type": "Hostname", "address": hostname()},
	}, "status", "addresses")
	_ = unstructured.SetNestedField(node.Object, Version, "status", "k0sVersion")
	_, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

// writeProfiles writes what workers read: one ConfigMap per profile.
func (c *controller) writeProfiles(ctx context.Context) error {
	slice, err := c.admin.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return err
	}
	var servers []string
	for _, endpoint := range slice.Endpoints {
		for _, address := range endpoint.Addresses {
			servers = append(servers, fmt.Sprintf("%s:%d", address, c.config.Spec.API.Port))
		}
	}
	profiles := map[string]map[string]any{"default": {}}
	for _, profile := range c.config.Spec.WorkerProfiles {
		profiles[profile.Name] = profile.Values
	}
	for name, values := range profiles {
		kubelet := map[string]any{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
			"clusterDNS": []string{parts.AddressInNetwork(c.config.Spec.Network.ServiceCIDR, 10)}, "clusterDomain": c.config.Spec.Network.ClusterDomain,
			"serverTLSBootstrap": true, "rotateCertificates": true, "failSwapOn": false}
		for key, value := range values {
			kubelet[key] = value
		}
		data := map[string]string{}
		for key, value := range map[string]any{
			"apiServerAddresses": servers, "kubeletConfiguration": kubelet, "nodeLocalLoadBalancing": c.config.Spec.Network.NodeLocalLoadBalancing,
			"konnectivity": map[string]any{"enabled": !c.flags.single, "agentPort": c.config.Spec.Konnectivity.AgentPort},
		} {
			content, err := json.Marshal(value)
			if err != nil {
				return err
			}
			data[key] = string(content)
		}
		if err := c.writeProfile(ctx, name, data); err != nil {
			return err
		}
	}
	return nil
}

func profileName(name string) string { return "worker-config-" + name + "-" + minorVersion }

func (c *controller) writeProfile(ctx context.Context, name string, data map[string]string) error {
	stored := c.admin.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	present, err := stored.Get(ctx, profileName(name), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = stored.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: profileName(name),
			Labels: map[string]string{"k0s.k0sproject.io/stack": "worker-config", "k0s.k0sproject.io/worker-profile": name}}, Data: data}, metav1.CreateOptions{})
		return err
	}
	if err != nil || fmt.Sprint(present.Data) == fmt.Sprint(data) {
		return err
	}
	present.Data = data
	_, err = stored.Update(ctx, present, metav1.UpdateOptions{})
	return err
}

// labelNodes gives a node the role that its worker asked for, where it has none.
func (c *controller) labelNodes(ctx context.Context) {
	nodes, err := c.admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, node := range nodes.Items {
		role, hasRole := node.Labels[roleLabel], false
		for label := range node.Labels {
			hasRole = hasRole || strings.HasPrefix(label, "node-role.kubernetes.io/")
		}
		if role == "" || hasRole {
			continue
		}
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{path.Join("node-role.kubernetes.io", role): "true"}}})
		_, _ = c.admin.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
}
