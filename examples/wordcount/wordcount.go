package wordcount

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/connectors/print"
	"github.com/weirstream/weir/stream"
)

// Config is what can be set on the job.
type Config struct {
	Input string    // file, directory or pattern
	Out   io.Writer // gets a line for every word that is read: the word, and how often it was there so far
}

// Word is a word, and how often it was there.
type Word struct {
	Text string
	N    int64
}

// Build makes the job.
func Build(c Config) (*stream.Job, error) {
	if c.Input == "" {
		return nil, errors.New("wordcount: input: the text to read is missing")
	}
	job := stream.NewJob("wordcount")
	lines := stream.From(job, files.Lines(c.Input), stream.NoWatermarks[string](), stream.UID("lines"))
	words := stream.FlatMap(lines, split)
	counts := stream.KeyBy(words, func(w *Word) string { return w.Text }).Reduce(func(sum, w *Word) { sum.N += w.N }, stream.UID("counts"))
	counts.To(print.Sink(c.Out, line), stream.UID("print"))
	return job, nil
}

func split(l *string, out *stream.Collector[Word]) {
	for text := range strings.FieldsFuncSeq(strings.ToLower(*l), separates) {
		out.Emit(Word{text, 1})
	}
}

func separates(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

func line(buf []byte, w *Word, _ stream.Time) []byte { return fmt.Appendf(buf, "%s %d", w.Text, w.N) }
