package files

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// csvFramer cuts at the line ends that are not within quotes.
type csvFramer struct{ comma byte }

func (c csvFramer) frame(window []byte, final bool) framed {
	line := bytes.IndexByte(window, '\n')
	front := window
	if line >= 0 {
		front = window[:line]
	}
	if bytes.IndexByte(front, '"') < 0 {
		return lineFramer{}.frame(window, final)
	}
	at, reason := c.fields(window, final)
	switch {
	case reason == openQuote && !final:
		return framed{more: true}
	case reason == openQuote:
		at = 0 // only its first line is lost
	}
	end := bytes.IndexByte(window[at:], '\n')
	if end < 0 {
		if !final {
			return framed{more: true}
		}
		return framed{size: len(window), data: withoutCR(window, len(window)), lines: bytes.Count(window, newline), reason: reason}
	}
	end += at
	return framed{size: end + 1, data: withoutCR(window, end), lines: bytes.Count(window[:end+1], newline), reason: reason}
}

var newline = []byte{'\n'}

// Reasons for which bytes are no CSV record.
const (
	openQuote    = "a quoted field that is never closed"
	strayQuote   = "a quote within a field that does not begin with one"
	behindQuotes = "something other than a separator behind a quoted field"
)

// fields goes over the fields of the record at the front of window. It returns where the last of them may end at the
// earliest, or where the record went wrong: the next line end is the record's.
func (c csvFramer) fields(window []byte, final bool) (at int, reason string) {
	for {
		if at < len(window) && window[at] == '"' {
			n := closingQuote(window[at:])
			if n < 0 {
				return at, openQuote
			}
			at += n
			if at == len(window) {
				if final {
					return at, ""
				}
				return at, openQuote // the next byte may be a quote that belongs to this one
			}
			rest := window[at:]
			switch {
			case rest[0] == c.comma:
				at++
				continue
			case rest[0] == '\n', rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n'):
				return at, ""
			}
			return at, behindQuotes
		}
		n := bytes.IndexByte(window[at:], '\n')
		rest := window[at:]
		if n >= 0 {
			rest = rest[:n]
		}
		comma := bytes.IndexByte(rest, c.comma)
		field := rest
		if comma >= 0 {
			field = rest[:comma]
		}
		if q := bytes.IndexByte(field, '"'); q >= 0 {
			return at + q, strayQuote
		}
		if comma < 0 {
			return at, ""
		}
		at += comma + 1
	}
}

// closingQuote returns where the quoted field at the front of b ends: behind its closing quote; -1 if that is not there.
func closingQuote(b []byte) int {
	at := 1
	for {
		n := bytes.IndexByte(b[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		if at == len(b) || b[at] != '"' {
			return at
		}
		at++
	}
}

// splitFields appends the fields of a record that a csvFramer found to be good. They share one string.
func splitFields(fields []string, data []byte, comma byte) []string {
	record := string(data)
	for at := 0; ; {
		if at < len(data) && data[at] == '"' {
			n := closingQuote(data[at:])
			field := record[at+1 : at+n-1]
			if strings.IndexByte(field, '"') >= 0 {
				field = strings.ReplaceAll(field, `""`, `"`)
			}
			fields = append(fields, field)
			if at += n; at >= len(data) {
				return fields
			}
			at++ // the separator
			continue
		}
		n := bytes.IndexByte(data[at:], comma)
		if n < 0 {
			return append(fields, record[at:])
		}
		fields = append(fields, record[at:at+n])
		at += n + 1
	}
}

// csvRecords makes the format for T.
func csvRecords[T any](o *options) (format[T], error) {
	t := reflect.TypeFor[T]()
	if t == reflect.TypeFor[map[string]string]() {
		return format[T]{csv: true, bind: func(header []byte) (decode[T], error) {
			names := splitFields(nil, header, o.separator())
			if err := checkNames(names); err != nil {
				return nil, err
			}
			return decodeMap[T](names, o.separator()), nil
		}}, nil
	}
	columns, err := columnsOf(t)
	if err != nil {
		return format[T]{}, err
	}
	return format[T]{csv: true, bind: func(header []byte) (decode[T], error) {
		names := splitFields(nil, header, o.separator())
		if err := checkNames(names); err != nil {
			return nil, err
		}
		bound, err := bindColumns(columns, names)
		if err != nil {
			return nil, err
		}
		return decodeStruct[T](names, bound, o.separator()), nil
	}}, nil
}

func checkNames(names []string) error {
	sorted := slices.Sorted(slices.Values(names))
	for i := range sorted[1:] {
		if sorted[i] == sorted[i+1] {
			return fmt.Errorf("column %q is there twice", sorted[i])
		}
	}
	return nil
}

// bindColumns finds each name's column; nil for those that no field takes.
func bindColumns(columns []column, names []string) ([]*column, error) {
	bound := make([]*column, len(names))
	var missing []string
	for i := range columns {
		c := &columns[i]
		at := slices.Index(names, c.name)
		if at < 0 && !c.tagged {
			at = slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, c.name) })
		}
		switch {
		case at >= 0 && bound[at] != nil:
			return nil, fmt.Errorf("column %q is wanted by the fields %q and %q; tag one of them csv:\"name\"", names[at], bound[at].name, c.name)
		case at >= 0:
			bound[at] = c
		case !c.optional:
			missing = append(missing, fmt.Sprintf("%q", c.name))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("there is no column %s, only %.500q; tag the field csv:\"name\" or csv:\"name,optional\"", strings.Join(missing, " and no "), names)
	}
	return bound, nil
}

// decodeStruct makes the decoder of one split: fields is its scratch.
func decodeStruct[T any](names []string, bound []*column, comma byte) decode[T] {
	fields := make([]string, 0, len(names))
	return func(data []byte, v *T) (bool, error) {
		if len(data) == 0 {
			return false, nil
		}
		fields = splitFields(fields[:0], data, comma)
		if len(fields) != len(names) {
			return false, fmt.Errorf("%d columns, and the header has %d", len(fields), len(names))
		}
		record := reflect.ValueOf(v).Elem()
		for i, c := range bound {
			if c == nil || c.optional && fields[i] == "" {
				continue
			}
			if err := c.parse(record.FieldByIndex(c.index), fields[i]); err != nil {
				return false, fmt.Errorf("column %q: %w", names[i], err)
			}
		}
		return true, nil
	}
}

func decodeMap[T any](names []string, comma byte) decode[T] {
	fields := make([]string, 0, len(names))
	return func(data []byte, v *T) (bool, error) {
		if len(data) == 0 {
			return false, nil
		}
		fields = splitFields(fields[:0], data, comma)
		if len(fields) != len(names) {
			return false, fmt.Errorf("%d columns, and the header has %d", len(fields), len(names))
		}
		m := make(map[string]string, len(names))
		for i, name := range names {
			m[name] = fields[i]
		}
		*any(v).(*map[string]string) = m
		return true, nil
	}
}
