package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Version is what this program calls itself; it is the version string of the
// k3s release it stands in for, or the one in this program's last line. The
// build sets the same string as k8s.io/component-base/version.gitVersion, so
// that nodes report it.
var Version = "v1.36.3+k3s1"

// Commit stands where k3s prints the commit of its build.
var Commit = "standin0"

func printVersion() {
	fmt.Printf("%s version %s (%s)\n", filepath.Base(os.Args[0]), Version, Commit)
	fmt.Printf("go version %s\n", runtime.Version())
}
