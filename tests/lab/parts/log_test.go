package parts

import "testing"

func TestLogLines(t *testing.T) {
	for value, wanted := range map[string]string{"plain": "plain", "two words": `"two words"`, `say "x"`: `"say \"x\""`, "": `""`} {
		if found := quoteLogValue(value); found != wanted {
			t.Errorf("%s, wanted %s", found, wanted)
		}
	}
}
