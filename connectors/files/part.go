package files

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// part names one file that a sink makes. owner, subtask and attempt name the only writer there ever is of that name (I4),
// which numbers its parts.
type part struct {
	dir     string
	owner   string
	subtask int
	attempt flow.Attempt
	n       int64
	ext     string
}

// ownerOf names the run and the step, in letters that any file system takes.
func ownerOf(ctx connectors.WriterContext) string {
	var b strings.Builder
	for _, c := range []byte(ctx.Run) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	h := fnv.New32a()
	h.Write([]byte(string(ctx.Job) + "\x00" + ctx.UID))
	return fmt.Sprintf("%s-%08x", b.String(), h.Sum32())
}

func (p part) stem() string {
	return fmt.Sprintf("part-%s-%d-%d-%d.%s", p.owner, p.subtask, p.attempt, p.n, p.ext)
}

// temp is the path while the part is not committed.
func (p part) temp() string { return filepath.Join(p.dir, "."+p.stem()+inProgress) }

// final is the path once it is.
func (p part) final() string { return filepath.Join(p.dir, p.stem()) }

// parseTemp reads the name of a temporary part.
func parseTemp(dir, name string) (part, bool) {
	stem, ok := strings.CutPrefix(name, ".part-")
	if ok {
		stem, ok = strings.CutSuffix(stem, inProgress)
	}
	dot := strings.LastIndexByte(stem, '.')
	if !ok || dot < 0 {
		return part{}, false
	}
	p := part{dir: dir, ext: stem[dot+1:]}
	fields := strings.Split(stem[:dot], "-")
	if len(fields) < 4 {
		return part{}, false
	}
	k := len(fields) - 3
	p.owner = strings.Join(fields[:k], "-")
	var numbers [3]int64
	for i := range numbers {
		n, err := strconv.ParseInt(fields[k+i], 10, 64)
		if err != nil || n < 0 {
			return part{}, false
		}
		numbers[i] = n
	}
	p.subtask, p.attempt, p.n = int(numbers[0]), flow.Attempt(numbers[1]), numbers[2]
	return p, filepath.Base(p.temp()) == name
}

func (p part) encode(b []byte) []byte {
	b = appendString(appendString(appendString(b, p.dir), p.owner), p.ext)
	for _, n := range []int64{int64(p.subtask), int64(p.attempt), p.n} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodePart(d *decoder) part {
	p := part{dir: d.string(), owner: d.string(), ext: d.string(), subtask: int(d.int64()), attempt: flow.Attempt(d.int64()), n: d.int64()}
	// The name of a file that will be linked or removed must be one of ours.
	if q, ok := parseTemp(p.dir, filepath.Base(p.temp())); d.err == nil && (!ok || p != q) {
		d.fail()
	}
	return p
}

// action is what a committable asks for.
type action uint8

const (
	publish action = 1 // give a part its final name
	discard action = 2 // remove a temporary part whose bytes are in another
)

// committable is one thing to be done once a checkpoint is complete.
type committable struct {
	action action
	part   part
	size   int64
}

func (c committable) encode() []byte {
	return binary.AppendUvarint(c.part.encode([]byte{formatVersion, byte(c.action)}), uint64(c.size))
}

func decodeCommittable(b []byte) (committable, error) {
	d := decoder{b: b}
	d.version()
	c := committable{action: action(d.byte()), part: decodePart(&d), size: d.int64()}
	if err := d.finish(); err != nil {
		return committable{}, err
	}
	if c.action != publish && c.action != discard {
		return committable{}, errNotOurs
	}
	return c, nil
}

// writerState is what a writer leaves in a checkpoint.
type writerState struct {
	// part is the open part, or the next one if none is open: of those before it this checkpoint and the ones before have
	// the committables, and those behind it came after the checkpoint.
	part        part
	parallelism int
	open        bool
	size        int64 // bytes of the open part that are durable
	created     flow.Time
	header      string // with which the open part begins
	// old are the parts whose bytes were taken over after a restore, to be discarded.
	old []part
}

func (s writerState) encode() []byte {
	b := s.part.encode([]byte{formatVersion})
	b = binary.AppendUvarint(b, uint64(s.parallelism))
	b = appendBool(b, s.open)
	b = binary.AppendUvarint(b, uint64(s.size))
	b = binary.AppendVarint(b, int64(s.created))
	b = appendString(b, s.header)
	b = binary.AppendUvarint(b, uint64(len(s.old)))
	for _, p := range s.old {
		b = p.encode(b)
	}
	return b
}

func decodeWriterState(b []byte) (writerState, error) {
	d := decoder{b: b}
	d.version()
	s := writerState{part: decodePart(&d), parallelism: int(d.int64()), open: d.bool(), size: d.int64(), created: flow.Time(d.varint()), header: d.string()}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		s.old = append(s.old, decodePart(&d))
	}
	return s, d.finish()
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
