package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testKey and testPublic sign nothing but the files of these tests.
const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRiObsOY9dlBlIzJ8
fYQlEppaIqPczDjflBeIS3mQ/YmhRANCAASHjZ9szCBlOeGhC7HtINzmSCpmQqyc
XA4oDqpAHjgk70tcJD2zqTu7Usyg23SstVZ4lzoIQ6Iflfn4K/qBk2fU
-----END PRIVATE KEY-----
`

const testPublic = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh42fbMwgZTnhoQux7SDc5kgqZkKs
nFwOKA6qQB44JO9LXCQ9s6k7u1LMoNt0rLVWeJc6CEOiH5X5+Cv6gZNn1A==
-----END PUBLIC KEY-----
`

// commandsOf returns the commands of a section of docs/releasing.md.
func commandsOf(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/releasing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/releasing.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var commands []string
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// TestVerifying types the commands of docs/releasing.md with the files of a release, and
// then with each of them changed.
func TestVerifying(t *testing.T) {
	s := newSource(t)
	key := filepath.Join(t.TempDir(), "key")
	write(t, filepath.Dir(key), "key", testKey)
	_, dir, err := s.release(t, "-key", key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "release.pub", testPublic)
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, filepath.Join(home, "vicinity")); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(home, "vicinity")
	commands := commandsOf(t, "Verifying a release")
	if len(commands) != 3 {
		t.Fatalf("commands %q, want sha256sum, openssl and our own", commands)
	}
	typed := func(line string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Dir = dir
		if strings.HasPrefix(line, "go ") {
			cmd.Dir = "../../.."
		}
		cache, modules := command(t, ".", "go", "env", "GOCACHE"), command(t, ".", "go", "env", "GOMODCACHE")
		cmd.Env = append(os.Environ(), "HOME="+home, "GOCACHE="+cache, "GOMODCACHE="+modules)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for i, want := range []string{base + ".tar.gz: OK", "Verified OK", "verify: 5 files are those that the key has signed"} {
		if _, err := exec.LookPath(strings.Fields(commands[i])[0]); err != nil {
			t.Logf("not tried here: %s", commands[i])
			continue
		}
		if out, err := typed(commands[i]); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: error %v, output:\n%swant %q", commands[i], err, out, want)
		}
	}
	for name, change := range map[string]func(text string) string{
		base + ".tar.gz":          func(text string) string { return text + "x" },
		"SHA256SUMS":              func(text string) string { return strings.Replace(text, "vicinity", "vicinitz", 1) },
		"SHA256SUMS.sig":          func(text string) string { return text[:len(text)-1] },
		"provenance.intoto.jsonl": func(text string) string { return strings.Replace(text, `"payload":"`, `"payload":"e30K`, 1) },
		"release.pub":             func(string) string { return strings.ReplaceAll(testPublic, "PUBLIC KEY", "PRIVATE KEY") },
	} {
		before := files(t, dir)[name]
		write(t, dir, name, change(before))
		if out, err := typed(commands[2]); err == nil {
			t.Errorf("%s has changed, and nobody notices:\n%s", name, out)
		}
		write(t, dir, name, before)
	}
}
