package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// formatVersion begins everything of this package that a checkpoint keeps.
const formatVersion = 1

// maxName bounds the strings in it, in bytes: no path of any system is longer.
const maxName = 1 << 16

// unlimited is the end of a split that ends with its file.
const unlimited = math.MaxInt64

// splitState says where a split is and how far it was read.
type splitState struct {
	path string
	size int64 // of the file when it was found; what was added since is not read
	end  int64 // lines that begin at or behind it are another split's
	pos  int64 // in the uncompressed bytes
	line int64 // number of the line at pos; 0 for not known
	skip bool  // pos is within a line that is not to be read
}

func (s splitState) encode() []byte {
	b := appendString([]byte{formatVersion}, s.path)
	for _, n := range []int64{s.size, s.end, s.pos, s.line} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return appendBool(b, s.skip)
}

func decodeSplit(b []byte) (splitState, error) {
	d := decoder{b: b}
	d.version()
	s := splitState{path: d.string(), size: d.int64(), end: d.int64(), pos: d.int64(), line: d.int64(), skip: d.bool()}
	if err := d.finish(); err != nil {
		return splitState{}, err
	}
	if s.path == "" || !isGzip(s.path) && (s.end > s.size || s.pos > s.size) {
		return splitState{}, errNotOurs
	}
	return s, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

var errNotOurs = errors.New("these bytes were not written by this connector: the checkpoint is damaged or of another step")

// decoder reads what the append functions wrote. After a fault err is set and everything reads as zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	d.b = nil
	if d.err == nil {
		d.err = errNotOurs
	}
}

func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != formatVersion {
		d.fail()
		d.err = fmt.Errorf("format %d is not known, only %d: it was written by another release", v, formatVersion)
	}
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bool() bool {
	c := d.byte()
	if c > 1 {
		d.fail()
	}
	return c == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int64() int64 {
	v := d.uvarint()
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return int64(v)
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > maxName || n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) finish() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}
