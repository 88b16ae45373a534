// Package english lets kubectl speak as it was written: reading its translations is a fifth of a start.
package english

import "k8s.io/kubectl/pkg/util/i18n"

func init() { i18n.LoadTranslationsFunc = func() error { return nil } }
