package filekind

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"path"
	"strings"
)

// encoded recognises what is no UTF-8 text.
func encoded(head []byte) File {
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case begins("\x1f\x8b"):
		return ofGzip(head)
	case begins("\x28\xb5\x2f\xfd"):
		return File{Compressed, "compressed with zstd", "a recording (.tar.zst) is an INPUT of vicinity replay; decompress anything else first: unzstd FILE"}
	case begins("BZh"):
		return File{Compressed, "compressed with bzip2", "decompress it first: bunzip2 FILE"}
	case begins("\xfd7zXZ\x00"):
		return File{Compressed, "compressed with xz", "decompress it first: unxz FILE"}
	case begins("PK\x03\x04"):
		return File{Archive, "a ZIP archive or a spreadsheet", "unpack it first, or save the sheet as CSV in UTF-8"}
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return ofTar(head, "-xf")
	case isUTF16(head):
		return File{UTF16, `is UTF-16 (PowerShell's > and "Unicode text" of a spreadsheet write it), want UTF-8`, "convert it: iconv -f UTF-16 -t UTF-8 FILE > utf8-file"}
	}
	return File{}
}

// isUTF16 looks for a byte order mark, or for the zero bytes that ASCII text has in
// UTF-16.
func isUTF16(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return true
	}
	return len(head) >= 4 && (head[0] == 0) == (head[2] == 0) && (head[1] == 0) == (head[3] == 0) && (head[0] == 0) != (head[1] == 0)
}

// ofGzip looks whether there is a tar archive within.
func ofGzip(head []byte) File {
	plain := File{Compressed, "compressed with gzip", "decompress it first: gunzip FILE"}
	in, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return plain
	}
	content := make([]byte, HeadBytes)
	n := 0
	for n < len(content) && err == nil { // the head may end in the middle
		var more int
		more, err = in.Read(content[n:])
		n += more
	}
	if content = content[:n]; len(content) <= 262 || string(content[257:262]) != "ustar" {
		return plain
	}
	return ofTar(content, "-xzf")
}

// ofTar looks whether the first entries are those of a recording.
func ofTar(content []byte, flag string) File {
	format, entries := ".tar", tar.NewReader(bytes.NewReader(content))
	if flag == "-xzf" {
		format = ".tar.gz"
	}
	for {
		h, err := entries.Next()
		if err != nil {
			return File{Archive, "a " + format + " archive", "unpack it and give a file or a directory of it: mkdir unpacked && tar " + flag + " FILE -C unpacked"}
		}
		name := path.Base(h.Name)
		if name == "manifest.json" || strings.HasPrefix(name, "objects-") || strings.HasPrefix(name, "edges-") {
			return File{
				Archive, "a recording packed as " + format,
				"unpack it and replay the directory: mkdir recording && tar " + flag + " FILE -C recording && vicinity replay recording",
			}
		}
	}
}
