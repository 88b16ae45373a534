package parts

import "testing"

func TestVersionInTrailer(t *testing.T) {
	for end, wanted := range map[string]struct {
		version string
		broken  bool
	}{
		"\x00code":                              {},
		"\x00\nstandin ":                        {},
		"\x00\nstandin v1.36.2+k3s1\n":          {version: "v1.36.2+k3s1"},
		"\x00\nstandin v1.36.4+k3s1 broken\n":   {version: "v1.36.4+k3s1", broken: true},
		"\nstandin v1.0.0\n\nstandin v1.35.8\n": {version: "v1.35.8"},
	} {
		if version, broken := versionInTrailer([]byte(end)); version != wanted.version || broken != wanted.broken {
			t.Errorf("%q: %q %v", end, version, broken)
		}
	}
}
