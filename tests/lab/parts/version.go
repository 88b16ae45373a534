package parts

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
	_ "unsafe" // for the names of Kubernetes' own version

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/version"
)

// trailerMark begins the last line of a copy of this program that calls itself
// by another version: "standin v1.36.2+k3s1", or "standin v1.36.4+k3s1 broken"
// for one that does not run.
const trailerMark = "\nstandin "

const trailerLength = 256

//go:linkname kubernetesVersion k8s.io/component-base/version.gitVersion
var kubernetesVersion string

//go:linkname kubernetesMinor k8s.io/component-base/version.gitMinor
var kubernetesMinor string

var broken bool

// TakeVersion is the version in this program's last line, or else the built
// one. Kubernetes then tells of the first form of it, and its API is that of
// its minor.
func TakeVersion(built string, kubernetes func(string) string) string {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return built
	}
	defer file.Close()
	information, err := file.Stat()
	if err != nil {
		return built
	}
	end := make([]byte, trailerLength)
	if _, err := file.ReadAt(end, information.Size()-trailerLength); err != nil {
		return built
	}
	var taken string
	if taken, broken = versionInTrailer(end); taken == "" {
		return built
	}
	setKubernetesVersion(kubernetes(taken))
	return taken
}

func versionInTrailer(end []byte) (taken string, broken bool) {
	at := bytes.LastIndex(end, []byte(trailerMark))
	if at < 0 {
		return "", false
	}
	words := strings.Fields(string(end[at+len(trailerMark):]))
	if len(words) == 0 {
		return "", false
	}
	return words[0], len(words) > 1 && words[1] == "broken"
}

// setKubernetesVersion does what the linker does where a version is built. The
// effective version was made from the linked one before main begins.
func setKubernetesVersion(text string) {
	parsed, err := utilversion.ParseSemantic(text)
	if err != nil {
		Fatal("Error: the version %s in this program's last line: %v", text, err)
	}
	kubernetesVersion, kubernetesMinor = text, strconv.Itoa(int(parsed.Minor()))
	if err := version.SetDynamicVersion(text); err != nil {
		Fatal("Error: %v", err)
	}
	effective, isMutable := compatibility.DefaultComponentGlobalsRegistry.EffectiveVersionFor(
		basecompatibility.DefaultKubeComponent).(basecompatibility.MutableEffectiveVersion)
	if isMutable {
		effective.SetEmulationVersion(utilversion.MajorMinor(parsed.Major(), parsed.Minor()))
		effective.SetMinCompatibilityVersion(utilversion.MajorMinor(parsed.Major(), parsed.Minor()-1))
	}
}

// EndIfBroken ends a program that is a broken release some seconds after its
// start, before it touches anything.
func EndIfBroken() {
	if !broken {
		return
	}
	time.Sleep(3 * time.Second)
	Fatal("Error: this release is broken: it ends before it serves")
}
