package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
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
	in := bufio.NewReaderSize(r, 64<<10)
	first, line, err := begin(in)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, fmt.Errorf("%s: the file is empty", file)
	case err != nil:
		return nil, nil, fmt.Errorf("%s:%d: %w", file, line, err)
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

// begin skips space at the beginning of a file, and returns what comes then.
func begin(in *bufio.Reader) (first byte, line int, err error) {
	line = 1
	head, _ := in.Peek(4) // fewer are no error yet
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return 0, line, errors.New("the file is compressed; decompress it first")
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return 0, line, errors.New("the file is UTF-16 (PowerShell's > writes it); must be UTF-8")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3) // they have been peeked at
	}
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, line, err
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
func (c *collector) yaml(in *bufio.Reader, line int) error {
	var document []byte
	begins, read := line, false
	for {
		text, err := in.ReadSlice('\n')
		end := errors.Is(err, io.EOF)
		if err != nil && !end && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("%s:%d: %w", c.file, line, err)
		}
		separator := bytes.HasPrefix(text, []byte("---")) && (len(document) == 0 || document[len(document)-1] == '\n')
		if !separator {
			document = append(document, text...)
		}
		if len(document) > maxYAML {
			return fmt.Errorf("%s:%d: a YAML document of more than %d MiB; write JSON, which is read bit by bit", c.file, begins, maxYAML>>20)
		}
		if separator || end {
			found, err := c.yamlDocument(document, begins)
			if err != nil {
				return err
			}
			read = read || found
			document, begins = document[:0], line+1
		}
		if end {
			break
		}
		if bytes.HasSuffix(text, []byte("\n")) {
			line++
		}
	}
	if !read {
		return fmt.Errorf("%s: no Kubernetes object in it", c.file)
	}
	return nil
}

// yamlDocument reads one document; found is false when it has nothing but
// comments. Errors have the line at which it begins.
func (c *collector) yamlDocument(document []byte, begins int) (found bool, err error) {
	if len(bytes.TrimSpace(document)) == 0 {
		return false, nil
	}
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return false, fmt.Errorf("%s: in the document that begins at line %d: %w", c.file, begins, err)
	}
	if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return false, nil
	}
	return true, c.stream(bytes.NewReader(text), begins)
}
