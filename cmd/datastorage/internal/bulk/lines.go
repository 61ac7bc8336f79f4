package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the maximum size of one record in bytes. The service takes at most 384 KiB of text per record, and JSON escapes make a
// character up to six bytes long.
const maxLine = 3_000_000

// line is one line of the input that is not blank.
type line struct {
	// number counts from 1.
	number int64
	// text has no line break; nil if it was longer than maxLine.
	text []byte
	// size is the number of bytes read for it, including blank lines before it.
	size int64
}

// lineReader reads an input line by line, holding one line at a time.
type lineReader struct {
	reader *bufio.Reader
	number int64
}

func newLineReader(input io.Reader) *lineReader {
	return &lineReader{reader: bufio.NewReaderSize(input, 64<<10)}
}

// nextNonBlankLine returns the next line that is not blank, or io.EOF.
func (l *lineReader) nextNonBlankLine() (line, error) {
	var size int64
	for {
		text, read, err := l.readLine()
		size += read
		if err != nil && (!errors.Is(err, io.EOF) || read == 0) {
			return line{}, err
		}
		l.number++
		if l.number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if text == nil || len(bytes.TrimSpace(text)) > 0 {
			return line{number: l.number, text: text, size: size}, nil
		}
	}
}

// readLine reads up to the next line break and discards a line longer than maxLine.
func (l *lineReader) readLine() (text []byte, size int64, err error) {
	text = []byte{}
	for {
		part, err := l.reader.ReadSlice('\n')
		size += int64(len(part))
		if size > maxLine {
			text = nil
		} else {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(text, []byte("\n")), size, err
		}
	}
}
