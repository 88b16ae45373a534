package main

import (
	"fmt"
	"runtime"
)

// Version is what this program calls itself; it is the version string of the
// k3s release it stands in for. The build sets the same string as
// k8s.io/component-base/version.gitVersion, so that nodes report it.
var Version = "v1.36.3+k3s1"

// Commit stands where k3s prints the commit of its build.
var Commit = "standin0"

func printVersion() {
	fmt.Printf("k3s version %s (%s)\n", Version, Commit)
	fmt.Printf("go version %s\n", runtime.Version())
}
