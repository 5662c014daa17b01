package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testBuild() Build {
	return Build{
		Version: "v0.1.0", Commit: strings.Repeat("ab", 20), Go: "go1.26.8", Epoch: 1764536160,
		GoSums:    []Subject{{"go.sum", strings.Repeat("12", 32)}},
		Platforms: []string{"linux/amd64", "darwin/arm64"}, Programs: []string{"vicinity"},
	}
}

func testSubjects() []Subject {
	return []Subject{{"vicinity-v0.1.0-linux-amd64.tar.gz", strings.Repeat("34", 32)}, {"an/image:v0.1.0", strings.Repeat("56", 32)}}
}

// pems returns a private and its public key in PEM.
func pems(t *testing.T, private crypto.Signer) (key, public []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed25519Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestStatement(t *testing.T) {
	text, err := Statement(testBuild(), testSubjects())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Type          string `json:"_type"`
		PredicateType string
		Predicate     struct {
			BuildDefinition struct {
				BuildType            string
				ExternalParameters   map[string]any
				ResolvedDependencies []struct {
					Name, URI string
					Digest    map[string]string
				}
			}
			RunDetails struct{ Builder struct{ ID string } }
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "https://in-toto.io/Statement/v1" || got.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("types %s and %s", got.Type, got.PredicateType)
	}
	definition := got.Predicate.BuildDefinition
	wantParameters := map[string]any{
		"source": "https://github.com/vicinity-sched/vicinity", "target": "release", "VERSION": "v0.1.0", "SOURCE_DATE_EPOCH": 1764536160.0,
		"PLATFORMS": []any{"linux/amd64", "darwin/arm64"}, "PROGRAMS": []any{"vicinity"},
	}
	if diff := cmp.Diff(wantParameters, definition.ExternalParameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	dependencies := definition.ResolvedDependencies
	if len(dependencies) != 3 || dependencies[0].Digest["gitCommit"] != testBuild().Commit || dependencies[1].Name != "go1.26.8" ||
		!strings.HasSuffix(dependencies[2].URI, "#go.sum") || dependencies[2].Digest["sha256"] != testBuild().GoSums[0].SHA256 {
		t.Errorf("dependencies %+v", dependencies)
	}
	if !strings.Contains(got.Predicate.RunDetails.Builder.ID, "docs/releasing.md#") {
		t.Errorf("builder %+v", got.Predicate.RunDetails)
	}
	subjects, err := Subjects(text)
	if diff := cmp.Diff(testSubjects(), subjects); err != nil || diff != "" {
		t.Errorf("error %v, subjects (-want +got):\n%s", err, diff)
	}
}

func TestStatementRefuses(t *testing.T) {
	build := testBuild()
	build.Commit = "df95cf0"
	if _, err := Statement(build, testSubjects()); err == nil || !strings.Contains(err.Error(), "gitCommit") {
		t.Errorf("a short commit: error = %v", err)
	}
	if _, err := Statement(testBuild(), nil); err == nil {
		t.Error("a statement of nothing")
	}
}

func TestSignatures(t *testing.T) {
	cases := map[string]crypto.Signer{"ECDSA": ecdsaKey(t, elliptic.P256()), "Ed25519": ed25519Key(t)}
	for name, private := range cases {
		t.Run(name, func(t *testing.T) {
			keyText, publicText := pems(t, private)
			key, err := ParseKey(keyText)
			if err != nil {
				t.Fatal(err)
			}
			public, err := ParsePublic(publicText)
			if err != nil {
				t.Fatal(err)
			}
			_, strange := pems(t, ed25519Key(t))
			other, err := ParsePublic(strange)
			if err != nil {
				t.Fatal(err)
			}
			text, err := Statement(testBuild(), testSubjects())
			if err != nil {
				t.Fatal(err)
			}
			line, err := Envelope(t.Context(), key, text)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Envelope(t.Context(), key, text)
			if err != nil || !bytes.Equal(line, again) {
				t.Errorf("error %v; two signatures differ:\n%s%s", err, line, again)
			}
			if got, err := Open(t.Context(), public, line); err != nil || !bytes.Equal(got, text) {
				t.Errorf("error %v, statement:\n%s", err, got)
			}
			if _, err := Open(t.Context(), other, line); err == nil {
				t.Error("another key has signed it too")
			}
			forged := bytes.Replace(line, []byte(`"payload":"`), []byte(`"payload":"e30`), 1)
			if _, err := Open(t.Context(), public, forged); err == nil {
				t.Error("another statement is signed too")
			}
			signature, err := key.Sign(t.Context(), text)
			if err != nil || Check(public, text, signature) != nil || Check(public, append(text, '\n'), signature) == nil {
				t.Errorf("error %v, or the signature is not of the text", err)
			}
		})
	}
}

func TestParseKeyRefuses(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaText, rsaPublic := pems(t, rsaKey)
	p384, _ := pems(t, ecdsaKey(t, elliptic.P384()))
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	cases := map[string]struct {
		text []byte
		want string
	}{
		"nothing":     {nil, "openssl genpkey"},
		"RSA":         {rsaText, "want ECDSA on P-256, or Ed25519"},
		"P-384":       {p384, "a key on P-384"},
		"encrypted":   {encrypted, "that is not encrypted"},
		"public only": {rsaPublic, `a PEM block "PUBLIC KEY"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseKey(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := ParsePublic(rsaText); err == nil {
		t.Error("a private key is a public one")
	}
}
