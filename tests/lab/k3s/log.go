package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// The log has the text form of logrus without colours, since that is what the
// journal of a k3s unit holds and what a provisioner reads its failures from:
// time="2026-01-02T03:04:05Z" level=info msg="..."

var (
	logMutex   sync.Mutex
	logDebug   bool
	logOutput  = os.Stderr
	exitStatus = os.Exit
)

func logLine(level, format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	line := fmt.Sprintf("time=%q level=%s msg=%s\n", time.Now().UTC().Format(time.RFC3339), level, quoteLogValue(message))
	logMutex.Lock()
	defer logMutex.Unlock()
	_, _ = logOutput.WriteString(line)
}

// quoteLogValue quotes a value as logrus does: only where a character asks for it.
func quoteLogValue(value string) string {
	plain := value != ""
	for _, character := range value {
		switch {
		case character >= 'a' && character <= 'z', character >= 'A' && character <= 'Z', character >= '0' && character <= '9':
		case strings.ContainsRune("-._/@^+", character):
		default:
			plain = false
		}
	}
	if plain {
		return value
	}
	return fmt.Sprintf("%q", value)
}

func logInfo(format string, arguments ...any)    { logLine("info", format, arguments...) }
func logWarning(format string, arguments ...any) { logLine("warning", format, arguments...) }
func logError(format string, arguments ...any)   { logLine("error", format, arguments...) }

func logDebugf(format string, arguments ...any) {
	if logDebug {
		logLine("debug", format, arguments...)
	}
}

// fatal writes the last line and ends the process with status 1, as logrus.Fatal does.
func fatal(format string, arguments ...any) {
	logLine("fatal", format, arguments...)
	exitStatus(1)
}
