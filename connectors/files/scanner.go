package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// bufferSize is the window through which a file is read, in bytes. It grows only for longer lines.
const bufferSize = 64 << 10

type tokenKind uint8

const (
	tokenRecord  tokenKind = iota // data is a record without its line end
	tokenReject                   // data is input that is no record; err says why
	tokenStarved                  // this Poll has read enough
	tokenEnd                      // the split has ended
	tokenFailed                   // nothing more can be read; data is what the last line had
)

// errShorter says that a file ends before the position from which it is to be read on.
var errShorter = errors.New("it ends before the position that the checkpoint has of it; input must not change while a job reads it")

// token is one step of a scanner. data is valid until the next one.
type token struct {
	kind      tokenKind
	data      []byte
	off, line int64
	err       error
}

// scanner cuts a file into records. What it returns does not depend on how many bytes a Read or a Poll gives it.
type scanner struct {
	in     io.Reader
	buf    []byte
	r, w   int
	eof    bool
	failed error // of in; what was read before it comes first
	pos    int64 // offset of buf[r]
	end    int64 // lines that begin at or behind it are not ours
	line   int64 // number of the line at pos; 0 for not known
	skip   bool  // pos is within a line that is not to be read
	drop   int64 // bytes of in before pos that are still to be thrown away
	limit  int   // of a record, in bytes
	budget int   // bytes that may still be read
	frame  framer
}

// framer finds the end of the record at the front of window, which has at most scanner.limit+2 bytes. final says that
// nothing follows the window; then the record ends with it at the latest.
type framer interface {
	frame(window []byte, final bool) (f framed)
}

// framed is the front of a window, cut off.
type framed struct {
	more   bool // the record goes on behind the window
	size   int  // bytes with the line end
	data   int  // bytes without it
	lines  int  // line ends
	reason string
}

func newScanner(in io.Reader, o options, csv bool, buf []byte) *scanner {
	if buf == nil {
		buf = make([]byte, bufferSize)
	}
	s := &scanner{in: in, buf: buf, end: unlimited, line: 1, limit: o.maxLine, frame: lineFramer{}}
	if csv {
		s.frame = csvFramer{comma: o.separator()}
	}
	return s
}

// next returns the next token.
func (s *scanner) next() token {
	for {
		if s.pos >= s.end || s.skip && s.pos+1 >= s.end {
			return token{kind: tokenEnd}
		}
		if s.drop == 0 {
			if s.skip {
				if s.skipLine(); !s.skip {
					continue // the next line may be another split's
				}
			} else if s.w > s.r {
				if t, ok := s.cut(); ok {
					return t
				}
			}
		}
		switch {
		case s.failed != nil:
			return token{kind: tokenFailed, data: s.buf[s.r:s.w], off: s.pos - s.drop + int64(s.w-s.r), line: s.line, err: s.failed}
		case s.eof && s.drop > 0:
			return token{kind: tokenFailed, off: s.pos - s.drop, err: errShorter}
		case s.eof:
			return token{kind: tokenEnd}
		case s.budget <= 0:
			return token{kind: tokenStarved}
		}
		s.fill()
	}
}

// cut takes one record off the window.
func (s *scanner) cut() (token, bool) {
	window := s.buf[s.r:min(s.w, s.r+s.limit+2)]
	f := s.frame.frame(window, s.eof && s.w-s.r < s.limit+2)
	t := token{data: window[:f.data], off: s.pos, line: s.line}
	switch {
	case f.more && len(window) < s.limit+2:
		return t, false
	case f.more:
		t.kind, t.data, t.err = tokenReject, window, fmt.Errorf("longer than %d bytes", s.limit)
		if i := bytes.IndexByte(window, '\n'); i >= 0 {
			// A quote that was not closed, most likely: go on with the next line, not behind all that it swallowed.
			t.data, t.err = window[:i], fmt.Errorf("a quoted field that is not closed within %d bytes", s.limit)
			s.advance(i+1, 1)
			return t, true
		}
		s.advance(len(window), 0)
		s.skip = true
		return t, true
	case f.data > s.limit:
		t.kind, t.err = tokenReject, fmt.Errorf("longer than %d bytes", s.limit)
	case f.reason != "":
		t.kind, t.err = tokenReject, errors.New(f.reason)
	}
	s.advance(f.size, f.lines)
	return t, true
}

func (s *scanner) advance(n, lines int) {
	s.r += n
	s.pos += int64(n)
	if s.line > 0 {
		s.line += int64(lines)
	}
}

// skipLine goes behind the next line end in the window, or to the window's end.
func (s *scanner) skipLine() {
	i := bytes.IndexByte(s.buf[s.r:s.w], '\n')
	if i < 0 {
		s.advance(s.w-s.r, 0)
		return
	}
	s.advance(i+1, 1)
	s.skip = false
}

// fill reads more into the window.
func (s *scanner) fill() {
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
	if s.w == len(s.buf) {
		if s.r > 0 {
			s.w = copy(s.buf, s.buf[s.r:s.w])
			s.r = 0
		} else {
			grown := make([]byte, 2*len(s.buf))
			copy(grown, s.buf[:s.w])
			s.buf = grown
		}
	}
	room := s.buf[s.w:]
	if s.drop > 0 {
		room = room[:min(int64(len(room)), s.drop)]
	}
	n, err := s.in.Read(room)
	s.budget -= n
	if s.drop > 0 {
		s.drop -= int64(n)
	} else {
		s.w += n
	}
	switch {
	case err == io.EOF:
		s.eof = true
	case err != nil:
		s.failed = err
	}
}

// lineFramer cuts at '\n', and takes a '\r' before it away.
type lineFramer struct{}

func (lineFramer) frame(window []byte, final bool) framed {
	i := bytes.IndexByte(window, '\n')
	switch {
	case i >= 0:
		return framed{size: i + 1, data: withoutCR(window, i), lines: 1}
	case final:
		return framed{size: len(window), data: withoutCR(window, len(window))}
	}
	return framed{more: true}
}

// withoutCR is n, or one less if window[:n] ends in '\r'.
func withoutCR(window []byte, n int) int {
	if n > 0 && window[n-1] == '\r' {
		return n - 1
	}
	return n
}

var bom = []byte("\xef\xbb\xbf")

// withoutBOM takes the mark away with which some programs begin UTF-8 files.
func withoutBOM(t token) []byte {
	if t.off == 0 {
		return bytes.TrimPrefix(t.data, bom)
	}
	return t.data
}
