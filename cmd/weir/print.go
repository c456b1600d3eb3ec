package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth is how wide a table may get: it fits a terminal and a README.
const maxWidth = 100

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// column is a column of a printed table; numbers stand to the right.
type column struct {
	name  string
	right bool
}

// printTable prints rows under a header. Cells that would make the table wider
// than maxWidth are cut in the widest left-aligned column.
func printTable(w io.Writer, columns []column, rows [][]string) {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.name)
	}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(cell)))
		}
	}
	shrink(columns, widths)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
	}
	printRow(w, columns, widths, line)
	for _, row := range rows {
		printRow(w, columns, widths, row)
	}
}

func shrink(columns []column, widths []int) {
	const least = 8
	total := 2 * (len(widths) - 1)
	for _, width := range widths {
		total += width
	}
	for total > maxWidth {
		widest := -1
		for i, width := range widths {
			if !columns[i].right && width > least && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
		total--
	}
}

func printRow(w io.Writer, columns []column, widths []int, cells []string) {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		text := fit(printable(cell), widths[i])
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
		if columns[i].right {
			line.WriteString(pad + text)
		} else {
			line.WriteString(text + pad)
		}
	}
	fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
}

func fit(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	runes := []rune(text)
	return string(runes[:width-1]) + "…"
}

// printable keeps what came from a log from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '�'
		}
		return r
	}, text)
}

// count prints a whole number with thousands apart: 12,345.
func count[T int | int64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// bytesText prints a size: 1.2 MB.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}
