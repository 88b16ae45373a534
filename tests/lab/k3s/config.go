package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"

	"towline.lab/parts"
)

const defaultConfigFile = "/etc/rancher/k3s/config.yaml"

// options holds what the user asked for, by flag name: one value for strings
// and booleans, any number for lists.
type options map[string][]string

func (o options) text(name string) string {
	values := o[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func (o options) truth(name string) bool {
	value, _ := strconv.ParseBool(o.text(name))
	return value
}

// list splits comma lists, as k3s does for addresses, names and components.
func (o options) list(name string) []string {
	var result []string
	for _, value := range o[name] {
		for _, part := range strings.Split(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				result = append(result, part)
			}
		}
	}
	return result
}

// usageError is an unknown or malformed flag: k3s prints its usage before the fatal line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// parseArguments reads a command line in the manner of Go's flag package,
// which words its errors.
func parseArguments(flags []flagDefinition, arguments []string) (options, error) {
	parsed, _, err := parseArgumentsAndNames(flags, arguments)
	return parsed, err
}

// parseArgumentsAndNames tells what stands behind the flags, too.
func parseArgumentsAndNames(flags []flagDefinition, arguments []string) (options, []string, error) {
	parsed := options{}
	for len(arguments) > 0 {
		argument := arguments[0]
		if len(argument) < 2 || argument[0] != '-' {
			break // what follows is no flag, whatever it looks like
		}
		arguments = arguments[1:]
		if argument == "--" {
			break
		}
		name := strings.TrimPrefix(strings.TrimPrefix(argument, "-"), "-")
		name, value, hasValue := strings.Cut(name, "=")
		flag, known := findFlag(flags, name)
		if !known {
			return nil, nil, usageError{"flag provided but not defined: -" + name}
		}
		if flag.kind == boolFlag {
			if !hasValue {
				value = "true"
			}
			if _, err := strconv.ParseBool(value); err != nil {
				return nil, nil, usageError{fmt.Sprintf("invalid boolean value %q for -%s: parse error", value, name)}
			}
		} else if !hasValue {
			if len(arguments) == 0 {
				return nil, nil, usageError{"flag needs an argument: -" + name}
			}
			value, arguments = arguments[0], arguments[1:]
		}
		if flag.kind == listFlag {
			parsed[flag.name] = append(parsed[flag.name], value)
		} else {
			parsed[flag.name] = []string{value}
		}
	}
	return parsed, arguments, nil
}

// readConfigFiles reads FILE and then FILE.d/*.yaml and *.yml in alphabetical
// order. A later file wins; a key with a plus at its end adds to the list.
func readConfigFiles(file string, required bool) (options, error) {
	merged := options{}
	files, err := configFiles(file, required)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := mergeConfig(merged, content); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

func configFiles(file string, required bool) ([]string, error) {
	var files []string
	if _, err := os.Stat(file); err == nil {
		files = append(files, file)
	} else if !errors.Is(err, fs.ErrNotExist) || required {
		return nil, err
	}
	entries, err := os.ReadDir(file + ".d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var extra []string
	for _, entry := range entries {
		if suffix := filepath.Ext(entry.Name()); suffix == ".yaml" || suffix == ".yml" {
			extra = append(extra, filepath.Join(file+".d", entry.Name()))
		}
	}
	sort.Strings(extra)
	return append(files, extra...), nil
}

func mergeConfig(merged options, content []byte) error {
	var document yaml.MapSlice
	if err := yaml.Unmarshal(content, &document); err != nil {
		return err
	}
	for _, item := range document {
		name := fmt.Sprint(item.Key)
		values, err := configValues(item.Value)
		if err != nil {
			return err
		}
		if base, appends := strings.CutSuffix(name, "+"); appends {
			merged[base] = append(merged[base], values...)
		} else {
			merged[name] = values
		}
	}
	return nil
}

func configValues(value any) ([]string, error) {
	switch typed := value.(type) {
	case nil:
		return nil, nil
	case []any:
		var values []string
		for _, element := range typed {
			values = append(values, scalarText(element))
		}
		return values, nil
	case yaml.MapSlice:
		return nil, fmt.Errorf("invalid value %v in configuration: a map is not supported", typed)
	default:
		return []string{scalarText(value)}, nil
	}
}

func scalarText(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// loadOptions combines environment, configuration files and command line; the
// later of these three wins, and lists of the last two are joined.
func loadOptions(command string, arguments []string) (options, error) {
	chosen, _, err := loadOptionsAndNames(command, arguments)
	return chosen, err
}

func loadOptionsAndNames(command string, arguments []string) (options, []string, error) {
	flags := flagsOf(command)
	fromCommandLine, names, err := parseArgumentsAndNames(flags, arguments)
	if err != nil {
		return nil, nil, err
	}
	result := options{}
	for _, flag := range flags {
		if flag.env == "" {
			continue
		}
		if value := os.Getenv(flag.env); value != "" {
			result[flag.name] = []string{value}
		}
	}
	file, required := defaultConfigFile, false
	if named := fromCommandLine.text("config"); named != "" {
		file, required = named, true
	} else if named := result.text("config"); named != "" {
		file, required = named, true
	}
	fromFiles, err := readConfigFiles(file, required)
	if err != nil {
		return nil, nil, err
	}
	if command != "agent" {
		dropUnknown(flags, fromFiles)
	}
	checked, err := parseArguments(flags, configArguments(fromFiles))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range checked {
		result[name] = values
	}
	for name, values := range fromCommandLine {
		// The files become arguments before the others, so a list becomes longer.
		if flag, _ := findFlag(flags, name); flag.kind == listFlag {
			values = append(append([]string(nil), checked[name]...), values...)
		}
		result[name] = values
	}
	return result, names, nil
}

// dropUnknown takes away what a server does not know, with a warning each; an
// agent refuses it (k3s: pkg/configfilearg/parser.go, ValidFlags).
func dropUnknown(flags []flagDefinition, configured options) {
	for name := range configured {
		if _, known := findFlag(flags, name); !known {
			parts.LogWarning("Unknown flag --%s found in config.yaml, skipping\n", name)
			delete(configured, name)
		}
	}
}

// configArguments is the configuration as arguments: k3s puts it before the
// ones of the command line, so an unknown key is an unknown flag.
func configArguments(configured options) []string {
	var names []string
	for name := range configured {
		names = append(names, name)
	}
	sort.Strings(names)
	var arguments []string
	for _, name := range names {
		for _, value := range configured[name] {
			arguments = append(arguments, "--"+name+"="+value)
		}
	}
	return arguments
}
