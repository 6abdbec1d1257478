package files

import "fmt"

// Limits and defaults of reading.
const (
	// DefaultSplitSize is how many bytes of a plain file one split has: some seconds of reading, so that many readers share
	// a large file evenly and little is left to wait for at the end.
	DefaultSplitSize = 64 << 20
	// DefaultMaxLine is the longest line, in bytes, that is read as a record.
	DefaultMaxLine = 1 << 20
	// maxMaxLine bounds what MaxLine may ask for: each open split may hold so many bytes.
	maxMaxLine = 1 << 30
	// maxPollBytes is how many bytes one Poll reads at most: about a millisecond's worth of decoding or two.
	maxPollBytes = 256 << 10
	// maxFiles bounds what one source may find, and so the memory of the master and the size of its checkpoints.
	maxFiles = 1_000_000
	// maxSplits bounds the splits of one source, for the same reason.
	maxSplits = 4_000_000
)

// Option changes how a source reads.
type Option func(*options)

type options struct {
	splitSize int64
	maxLine   int
	watch     bool
	comma     byte
}

// SplitSize sets how many bytes of a plain file one split has; DefaultSplitSize without it.
func SplitSize(bytes int64) Option { return func(o *options) { o.splitSize = bytes } }

// MaxLine sets the longest line (for CSV: the longest record) in bytes; DefaultMaxLine without it. A longer one is
// rejected, and reading goes on behind it.
func MaxLine(bytes int) Option { return func(o *options) { o.maxLine = bytes } }

// Watch makes the source unbounded: it looks for new files for as long as the job runs. A file is taken when two
// discoveries in a row found it with the same size and time of change; a writer that is slower than that should write
// under a hidden name or one ending in ".inprogress", and rename the finished file.
func Watch() Option { return func(o *options) { o.watch = true } }

// Comma sets the byte that separates the fields of a CSV file, for example ';' or '\t'; ',' without it.
func Comma(c byte) Option { return func(o *options) { o.comma = c } }

func (o *options) check(csv bool) error {
	switch {
	case o.splitSize < 1:
		return fmt.Errorf("files: SplitSize(%d) is not positive", o.splitSize)
	case o.maxLine < 1 || o.maxLine > maxMaxLine:
		return fmt.Errorf("files: MaxLine(%d) is not from 1 to %d bytes", o.maxLine, maxMaxLine)
	case o.comma != 0 && !csv:
		return fmt.Errorf("files: Comma(%q) is for CSV files only", o.comma)
	case o.comma == '"' || o.comma == '\n' || o.comma == '\r' || o.comma >= 0x80:
		return fmt.Errorf("files: Comma(%q) cannot separate fields; take another ASCII character", o.comma)
	}
	return nil
}

func (o *options) separator() byte {
	if o.comma == 0 {
		return ','
	}
	return o.comma
}
