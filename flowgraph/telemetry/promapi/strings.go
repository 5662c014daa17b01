package promapi

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// string takes a string and appends it to dst, decoded. Of one that is longer
// than limit bytes it appends no more than limit and reports that it is cut.
// Like encoding/json it replaces what is not UTF-8, and halves of surrogate
// pairs, by U+FFFD.
func (l *lexer) string(dst []byte, limit int) (_ []byte, cut bool, _ error) {
	if err := l.expect('"'); err != nil {
		return nil, false, err
	}
	if n := plainPrefix(l.buf[l.pos:l.end]); l.pos+n < l.end && l.buf[l.pos+n] == '"' {
		cut = n > limit
		dst = append(dst, l.buf[l.pos:l.pos+min(n, limit)]...)
		l.pos += n + 1
		return dst, cut, nil
	}
	s := text{bytes: dst, start: len(dst), limit: limit}
	for {
		c, err := l.raw()
		if err != nil {
			return nil, false, err
		}
		switch {
		case c == '"':
			l.pos++
			s.finish()
			return s.bytes, s.cut, nil
		case c == '\\':
			l.pos++
			if err := l.escape(&s); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, l.unexpected("a string without control characters")
		default:
			n := max(1, plainPrefix(l.buf[l.pos:l.end])) // at least c, which need not be ASCII
			s.append(l.buf[l.pos : l.pos+n])
			l.pos += n
		}
	}
}

// plainPrefix returns how many bytes of b come before the first that a string
// cannot hold as it is, or that is not ASCII. It looks at eight bytes at a time:
// for each of its bytes, a term has the highest bit set when it is such a byte.
// A borrow can set bits above the first one only, which is the one that counts.
func plainPrefix(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		special := ((w - ones*' ') | (quote-ones)&^quote | (slash-ones)&^slash | w) & high
		if special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for ; n < len(b); n++ {
		if c := b[n]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return n
}

// escape takes what follows a backslash.
func (l *lexer) escape(s *text) error {
	c, err := l.raw()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		l.pos++
		unit, err := l.hex4()
		if err != nil {
			return err
		}
		s.appendUnit(unit)
		return nil
	default:
		return l.unexpected("an escape")
	}
	l.pos++
	s.append([]byte{c})
	return nil
}

// hex4 takes four hexadecimal digits.
func (l *lexer) hex4() (rune, error) {
	var unit rune
	for range 4 {
		c, err := l.raw()
		if err != nil {
			return 0, err
		}
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, l.unexpected("a hexadecimal digit")
		}
		unit = unit<<4 | rune(c)
		l.pos++
	}
	return unit, nil
}

// text is a string that is being put together: bytes[start:].
type text struct {
	bytes    []byte
	start    int
	limit    int
	cut      bool
	notASCII bool
	high     rune // the first half of a surrogate pair, 0 for none
}

func (s *text) append(b []byte) {
	s.flush()
	s.put(b)
}

// appendUnit appends a unit of UTF-16, of which two may make one rune.
func (s *text) appendUnit(unit rune) {
	if s.high != 0 {
		if r := utf16.DecodeRune(s.high, unit); r != utf8.RuneError {
			s.high = 0
			s.putRune(r)
			return
		}
	}
	s.flush()
	if utf16.IsSurrogate(unit) { // also when it can only be the second half: no pair begins with it
		s.high = unit
		return
	}
	s.putRune(unit)
}

// flush replaces the first half of a pair that has no second one.
func (s *text) flush() {
	if s.high != 0 {
		s.high = 0
		s.putRune(utf8.RuneError)
	}
}

func (s *text) putRune(r rune) {
	var b [utf8.UTFMax]byte
	s.put(b[:utf8.EncodeRune(b[:], r)])
}

func (s *text) put(b []byte) {
	s.notASCII = s.notASCII || b[0] >= utf8.RuneSelf
	if left := s.limit - (len(s.bytes) - s.start); len(b) > left {
		s.cut = true
		b = b[:left]
	}
	s.bytes = append(s.bytes, b...)
}

// finish replaces what is not UTF-8. It comes last because a rune may be spread
// over two reads.
func (s *text) finish() {
	s.flush()
	if !s.notASCII || utf8.Valid(s.bytes[s.start:]) {
		return
	}
	valid := []byte(string([]rune(string(s.bytes[s.start:]))))
	s.bytes = s.bytes[:s.start]
	s.put(valid)
}
