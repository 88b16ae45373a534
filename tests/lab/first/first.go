// Package first does what has to be done before other packages begin. Of those that could begin next Go takes the first
// by the alphabet: so this module is one of its own, and its name stands before k8s.io.
package first

import "runtime/debug"

// Every command of kubectl is a start of this program: it ends before memory matters (see TidyMemory for services).
func init() { debug.SetGCPercent(400) }
