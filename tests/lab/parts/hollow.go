package parts

import (
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	containertest "k8s.io/kubernetes/pkg/kubelet/container/testing"
	probetest "k8s.io/kubernetes/pkg/kubelet/prober/testing"
	kubeletutil "k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/csi"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/fc"
	"k8s.io/kubernetes/pkg/volume/git_repo"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/iscsi"
	"k8s.io/kubernetes/pkg/volume/local"
	"k8s.io/kubernetes/pkg/volume/nfs"
	"k8s.io/kubernetes/pkg/volume/projected"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"
)

// hollowConfiguration and hollowDependencies are what k8s.io/kubernetes/pkg/kubemark makes of a kubelet. The package
// itself brings in the images of Kubernetes' tests, whose reading is a fifth of every start of this program.
func hollowConfiguration() (*kubeletoptions.KubeletFlags, *kubeletconfig.KubeletConfiguration, error) {
	flags := kubeletoptions.NewKubeletFlags()
	flags.MinimumGCAge = metav1.Duration{Duration: time.Minute}
	flags.MaxContainerCount, flags.MaxPerPodContainerCount = 100, 2
	config, err := kubeletoptions.NewKubeletConfiguration()
	if err != nil {
		return nil, nil, err
	}
	config.ImageServiceEndpoint = "unix:///run/containerd/containerd.sock"
	config.EnableServer, config.Address, config.Port, config.ReadOnlyPort = true, "0.0.0.0", 10250, 0
	config.FileCheckFrequency.Duration, config.HTTPCheckFrequency.Duration = 20*time.Second, 20*time.Second
	config.NodeStatusUpdateFrequency.Duration, config.NodeStatusReportFrequency.Duration = 10*time.Second, 5*time.Minute
	config.SyncFrequency.Duration = 10 * time.Second
	config.EvictionPressureTransitionPeriod.Duration = 5 * time.Minute
	config.EvictionHard = nil // pods without containers use no disk
	config.MaxPods, config.PodsPerCore = 110, 0
	config.ImageGCHighThresholdPercent, config.ImageGCLowThresholdPercent = 90, 80
	config.VolumeStatsAggPeriod.Duration = time.Minute
	config.CgroupRoot, config.KubeletCgroups, config.SystemCgroups, config.CgroupsPerQOS = "", "/kubelet", "", false
	config.CPUCFSQuota = true
	config.EnableControllerAttachDetach, config.EnableDebuggingHandlers = false, true
	config.HairpinMode = kubeletconfig.HairpinVeth
	config.MaxOpenFiles = 1000000
	config.RegistryBurst, config.RegistryPullQPS, config.SerializeImagePulls = 10, 5, true
	config.ResolverConfig = ""
	config.ProtectKernelDefaults = false
	config.RegisterNode = true
	config.LocalStorageCapacityIsolation = true
	return flags, config, nil
}

// hollowDependencies lacks the container runtime and the serving certificate.
func hollowDependencies(client, heartbeatClient kubernetes.Interface) *kubelet.Dependencies {
	plugins := []volume.VolumePlugin{}
	for _, probed := range [][]volume.VolumePlugin{
		emptydir.ProbeVolumePlugins(), git_repo.ProbeVolumePlugins(), hostpath.FakeProbeVolumePlugins(volume.VolumeConfig{}),
		nfs.ProbeVolumePlugins(volume.VolumeConfig{}), secret.ProbeVolumePlugins(), iscsi.ProbeVolumePlugins(), downwardapi.ProbeVolumePlugins(),
		fc.ProbeVolumePlugins(), configmap.ProbeVolumePlugins(), projected.ProbeVolumePlugins(), local.ProbeVolumePlugins(),
		csi.ProbeVolumePlugins(),
	} {
		plugins = append(plugins, probed...)
	}
	return &kubelet.Dependencies{
		KubeClient:                client,
		HeartbeatClient:           heartbeatClient,
		ProbeManager:              probetest.FakeManager{},
		CAdvisorInterface:         &machine{},
		OSInterface:               &containertest.FakeOS{},
		ContainerManager:          cm.NewStubContainerManager(),
		VolumePlugins:             plugins,
		OOMAdjuster:               oom.NewFakeOOMAdjuster(),
		Mounter:                   &mount.FakeMounter{},
		Subpather:                 &subpath.FakeSubpath{},
		HostUtil:                  hostutil.NewFakeHostUtil(nil),
		PodStartupLatencyTracker:  kubeletutil.NewPodStartupLatencyTracker(),
		NodeStartupLatencyTracker: kubeletutil.NewNodeStartupLatencyTracker(),
		TracerProvider:            noop.NewTracerProvider(),
		Recorder:                  &record.FakeRecorder{}, // a real one reads /dev/kmsg
	}
}
