package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// payloadType is that of statements of in-toto in an envelope.
const payloadType = "application/vnd.in-toto+json"

// Key signs. Its signatures of the same bytes are always the same.
type Key struct{ private crypto.Signer }

// ParseKey reads a private key in PEM: ECDSA on P-256, or Ed25519, as PKCS #8 or SEC 1.
func ParseKey(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM in it; make a key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.key")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a PEM block %q; want a PRIVATE KEY that is not encrypted", block.Type)
	}
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T; want ECDSA on P-256, or Ed25519", parsed)
	}
	return &Key{private}, checkPublic(private.Public())
}

// ParsePublic reads a public key in PEM.
func ParsePublic(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("no public key in PEM; make it from the private one with: openssl pkey -in release.key -pubout")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return public, checkPublic(public)
}

func checkPublic(public crypto.PublicKey) error {
	switch key := public.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return fmt.Errorf("a key on %s; want ECDSA on P-256, or Ed25519", key.Curve.Params().Name)
		}
		return nil
	}
	return fmt.Errorf("a key of type %T; want ECDSA on P-256, or Ed25519", public)
}

// Public returns the public key.
func (k *Key) Public() crypto.PublicKey { return k.private.Public() }

// Sign returns a signature of bytes, as openssl verifies it.
func (k *Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		return k.private.Sign(nil, data, crypto.Hash(0))
	}
	digest := sha256.Sum256(data)
	return k.private.Sign(nil, digest[:], crypto.SHA256) // without randomness: RFC 6979
}

// KeyID is a hint which key it was.
func (k *Key) KeyID() (string, error) { return dsse.SHA256KeyID(k.Public()) }

// Check reports a signature that is not that of data.
func Check(public crypto.PublicKey, data, signature []byte) error {
	ok := false
	switch key := public.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, data, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(data)
		ok = ecdsa.VerifyASN1(key, digest[:], signature)
	}
	if !ok {
		return errors.New("the signature is not by this key, or not of this content")
	}
	return nil
}

// Envelope signs a statement and returns the envelope as a line of JSON.
func Envelope(ctx context.Context, key *Key, text []byte) ([]byte, error) {
	signer, err := dsse.NewEnvelopeSigner(key)
	if err != nil {
		return nil, err
	}
	envelope, err := signer.SignPayload(ctx, payloadType, text)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(envelope)
	return append(line, '\n'), err
}

// Open returns the statement in an envelope that the key has signed.
func Open(ctx context.Context, public crypto.PublicKey, line []byte) ([]byte, error) {
	envelope := &dsse.Envelope{}
	if err := json.Unmarshal(line, envelope); err != nil {
		return nil, fmt.Errorf("reading the envelope: %w", err)
	}
	if envelope.PayloadType != payloadType {
		return nil, fmt.Errorf("an envelope of %q; want %s", envelope.PayloadType, payloadType)
	}
	verifier, err := dsse.NewEnvelopeVerifier(publicKey{public})
	if err != nil {
		return nil, err
	}
	if _, err := verifier.Verify(ctx, envelope); err != nil {
		return nil, fmt.Errorf("the envelope is not signed by this key: %w", err)
	}
	return envelope.DecodeB64Payload()
}

// publicKey verifies signatures for package dsse.
type publicKey struct{ key crypto.PublicKey }

func (p publicKey) Verify(_ context.Context, data, signature []byte) error {
	return Check(p.key, data, signature)
}
func (p publicKey) KeyID() (string, error)   { return dsse.SHA256KeyID(p.key) }
func (p publicKey) Public() crypto.PublicKey { return p.key }
