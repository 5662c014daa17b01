package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/decodeerror"
	"github.com/vicinity-sched/vicinity/internal/filekind"
)

const (
	// maxObjects bounds how many objects are held; the largest clusters that
	// Kubernetes is tested with have 150,000 pods.
	maxObjects = 2_000_000
	// maxObject bounds one object in a file. An API server takes about 1.5 MiB
	// (the limit of etcd); indented for people that is a few times more.
	maxObject = 8 << 20
	// maxYAML bounds one YAML document. YAML is held as a whole, many times its
	// size; JSON is not.
	maxYAML = 32 << 20
)

// collector takes the objects of a file one by one.
type collector struct {
	*Decoder
	file    string
	objects Objects
	held    int
}

// add takes an object. raw may be written over afterwards.
func (c *collector) add(h header, raw []byte) error {
	object, err := c.decode(h, raw)
	if err != nil || object == nil {
		return err
	}
	if c.held++; c.held > maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	c.objects.Add(object)
	return nil
}

// ReadObjects reads the output of kubectl get -A -o json or -o yaml: Lists and
// single objects, one after the other. file is the name for errors, which say
// the line. Of JSON it holds no more than one object at a time besides what it
// returns. Objects that a replay ignores are counted in the warnings, except for those of
// kinds that recordings have.
func ReadObjects(r io.Reader, file string) (*Objects, []Warning, error) {
	c := &collector{Decoder: NewDecoder(), file: file}
	in := bufio.NewReaderSize(r, filekind.HeadBytes)
	first, line, err := begin(in, file)
	switch {
	case err != nil:
		return nil, nil, err
	case first == '{':
		err = c.stream(in, line)
	case first == '[':
		err = fmt.Errorf("%s:%d: an array; must be a List, as kubectl get -A -o json writes it", file, line)
	default:
		err = c.yaml(in, line)
	}
	if err != nil {
		return nil, nil, err
	}
	return &c.objects, c.Warnings(), nil
}

// begin refuses what is no file of objects, skips space at the beginning, and returns
// what comes then.
func begin(in *bufio.Reader, file string) (first byte, line int, err error) {
	head, err := in.Peek(filekind.HeadBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, fmt.Errorf("%s: %w", file, err)
	}
	if err := filekind.Of(head).Refuse(file, "a list of Kubernetes objects as kubectl get -A -o json prints it", filekind.KubernetesObjects); err != nil {
		return 0, 0, err
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // they have been peeked at
	}
	for line = 1; ; {
		b, err := in.ReadByte()
		if err != nil {
			return 0, line, fmt.Errorf("%s: %w", file, err)
		}
		switch b {
		case '\n':
			line++
		case ' ', '\t', '\r':
		default:
			return b, line, in.UnreadByte()
		}
	}
}

// yaml reads documents that stand between lines of three dashes.
func (c *collector) yaml(in io.Reader, line int) error {
	bounded := &documentLimit{reader: in}
	documents := utilyaml.NewYAMLReader(bufio.NewReaderSize(bounded, 4<<10))
	read := false
	for {
		document, err := documents.Read()
		switch {
		case errors.Is(err, io.EOF) && !read:
			return fmt.Errorf("%s: no Kubernetes object in it", c.file)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: in the document that begins at line %d: %w", c.file, line, decodeerror.Plain(err))
		}
		bounded.read = 0
		// The line of dashes that begins a document is part of it, the one that ends it is not.
		begins := line
		if bytes.HasPrefix(document, []byte("---")) {
			begins++
		}
		found, err := c.yamlDocument(document, begins)
		if err != nil {
			return err
		}
		read = read || found
		line += bytes.Count(document, []byte("\n")) + 1
	}
}

// documentLimit bounds what is read between two documents.
type documentLimit struct {
	reader io.Reader
	read   int
}

// Read implements io.Reader.
func (l *documentLimit) Read(p []byte) (int, error) {
	if l.read > maxYAML {
		return 0, fmt.Errorf("a YAML document of more than %d MiB; write JSON, which is read bit by bit", maxYAML>>20)
	}
	n, err := l.reader.Read(p)
	l.read += n
	return n, err
}

// yamlDocument reads one document; found is false when it has nothing but
// comments. Errors have the line at which it begins.
func (c *collector) yamlDocument(document []byte, begins int) (found bool, err error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return false, fmt.Errorf("%s: in the document that begins at line %d: %w", c.file, begins, decodeerror.Plain(err))
	}
	if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return false, nil
	}
	return true, c.stream(bytes.NewReader(text), begins)
}
