package parts

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// The log has the text form of logrus without colours, since that is what the
// journals of k3s and k0s hold and what a provisioner reads its failures from:
// time="2026-01-02T03:04:05Z" level=info msg="..."

var (
	logMutex sync.Mutex
	// Debug says whether debug lines are written.
	Debug bool
	// Quiet says that only warnings and what is worse are written.
	Quiet bool
	// TimeFormat is how a line tells its time.
	TimeFormat = time.RFC3339
)

func logLine(level, format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	line := fmt.Sprintf("time=%q level=%s msg=%s\n", time.Now().UTC().Format(TimeFormat), level, quoteLogValue(message))
	logMutex.Lock()
	defer logMutex.Unlock()
	_, _ = os.Stderr.WriteString(line)
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

// LogInfo writes a line of level info.
func LogInfo(format string, arguments ...any) {
	if Quiet {
		return
	}
	logLine("info", format, arguments...)
}

// LogWarning writes a line of level warning.
func LogWarning(format string, arguments ...any) { logLine("warning", format, arguments...) }

// LogError writes a line of level error.
func LogError(format string, arguments ...any) { logLine("error", format, arguments...) }

// LogDebug writes a line of level debug where those are wanted.
func LogDebug(format string, arguments ...any) {
	if Debug {
		logLine("debug", format, arguments...)
	}
}

// Fatal writes the last line and ends the process with status 1, as logrus.Fatal does.
func Fatal(format string, arguments ...any) {
	logLine("fatal", format, arguments...)
	os.Exit(1)
}

// LogComponent passes a line of a component on, as k0s does: whatever its own level is, it is info here.
func LogComponent(component, text string) {
	LogFields("info", text, "component="+component+" stream=stderr")
}

// LogFields writes a line with more fields behind its message, in their own form.
func LogFields(level, text, fields string) {
	line := fmt.Sprintf("time=%q level=%s msg=%s %s\n", time.Now().UTC().Format(TimeFormat), level, quoteLogValue(text), fields)
	logMutex.Lock()
	defer logMutex.Unlock()
	_, _ = os.Stderr.WriteString(line)
}
