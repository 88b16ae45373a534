package parts

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	cadvisorapiv2 "github.com/google/cadvisor/info/v2"
	"golang.org/x/sys/unix"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
)

// machine tells the hollow kubelet what this machine has, in place of cadvisor.
type machine struct{ cadvisortest.Fake }

func firstLine(file string) string {
	content, _ := os.ReadFile(file)
	line, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSpace(line)
}

func memoryBytes() uint64 {
	fields := strings.Fields(firstLine("/proc/meminfo"))
	if len(fields) < 2 {
		return 1 << 30
	}
	kibibytes, _ := strconv.ParseUint(fields[1], 10, 64)
	return kibibytes << 10
}

// MachineInfo implements cadvisor.Interface.
func (m *machine) MachineInfo() (*cadvisorapi.MachineInfo, error) {
	return &cadvisorapi.MachineInfo{
		NumCores:       runtime.NumCPU(),
		MemoryCapacity: memoryBytes(),
		MachineID:      firstLine("/etc/machine-id"),
		SystemUUID:     firstLine("/etc/machine-id"),
		BootID:         firstLine("/proc/sys/kernel/random/boot_id"),
	}, nil
}

// VersionInfo implements cadvisor.Interface.
func (m *machine) VersionInfo() (*cadvisorapi.VersionInfo, error) {
	var name unix.Utsname
	_ = unix.Uname(&name)
	system := "Linux"
	content, _ := os.ReadFile("/etc/os-release")
	for _, line := range strings.Split(string(content), "\n") {
		if value, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
			system = strings.Trim(value, `"`)
		}
	}
	return &cadvisorapi.VersionInfo{KernelVersion: unix.ByteSliceToString(name.Release[:]), ContainerOsVersion: system}, nil
}

func filesystem() (cadvisorapiv2.FsInfo, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs("/", &stat); err != nil {
		return cadvisorapiv2.FsInfo{}, err
	}
	block := uint64(stat.Bsize)
	free, total := stat.Ffree, stat.Files
	return cadvisorapiv2.FsInfo{
		Device: "/dev/root", Mountpoint: "/", Timestamp: time.Now(),
		Capacity: stat.Blocks * block, Available: stat.Bavail * block, Usage: (stat.Blocks - stat.Bfree) * block,
		Inodes: &total, InodesFree: &free,
	}, nil
}

// ImagesFsInfo implements cadvisor.Interface.
func (m *machine) ImagesFsInfo(context.Context) (cadvisorapiv2.FsInfo, error) { return filesystem() }

// RootFsInfo implements cadvisor.Interface.
func (m *machine) RootFsInfo() (cadvisorapiv2.FsInfo, error) { return filesystem() }

// ContainerFsInfo implements cadvisor.Interface.
func (m *machine) ContainerFsInfo(context.Context) (cadvisorapiv2.FsInfo, error) { return filesystem() }

// GetDirFsInfo implements cadvisor.Interface.
func (m *machine) GetDirFsInfo(string) (cadvisorapiv2.FsInfo, error) { return filesystem() }
