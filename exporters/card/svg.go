package card

import (
	"fmt"
	"strings"
)

// Colours that are told apart by people who see few of them.
const (
	trainColour      = "#0072b2"
	validationColour = "#e69f00"
	otherColour      = "#999999"
)

// bar is a bar of a chart: parts one after the other.
type bar struct {
	name  string
	parts []barPart
}

type barPart struct {
	n      int64
	colour string
}

func (b bar) sum() (n int64) {
	for _, part := range b.parts {
		n += part.n
	}
	return n
}

// legend is what a colour stands for.
type legend struct{ name, colour string }

var sidesLegend = []legend{{"train", trainColour}, {"validation", validationColour}}

func sideBars(counts []Count) []bar {
	bars := make([]bar, len(counts))
	for i, c := range counts {
		bars[i] = bar{c.Name, []barPart{{c.Train, trainColour}, {c.Validation, validationColour}}}
	}
	return bars
}

// Sizes of a chart in pixels.
const (
	chartWidth = 720
	nameWidth  = 220
	countWidth = 80
	barHeight  = 18
	rowHeight  = 26
	top        = 62
)

// chart draws horizontal bars, each with its name and number, as SVG. All sizes are
// whole numbers, so that it is the same on every machine.
func chart(title string, bars []bar, keys []legend) []byte {
	var most int64 = 1
	for _, b := range bars {
		most = max(most, b.sum())
	}
	height := top + rowHeight*len(bars) + 10
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" font-family="sans-serif" font-size="13">`+"\n", chartWidth, height)
	fmt.Fprintf(&out, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", escape(title), chartWidth, height)
	fmt.Fprintf(&out, `<text x="10" y="24" font-size="16" fill="#111111">%s</text>`+"\n", escape(title))
	x := 10
	for _, key := range keys {
		fmt.Fprintf(&out, `<rect x="%d" y="36" width="12" height="12" fill="%s"/><text x="%d" y="47" fill="#333333">%s</text>`+"\n", x, key.colour, x+18, escape(key.name))
		x += 36 + 8*len([]rune(key.name))
	}
	const room = chartWidth - nameWidth - countWidth
	for i, b := range bars {
		y := top + rowHeight*i
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end" fill="#333333">%s</text>`+"\n", nameWidth-10, y+14, escape(short(b.name, 28)))
		// Ends are rounded, not widths: the parts of a bar meet.
		var before int64
		for _, part := range b.parts {
			from, to := before*room/most, (before+part.n)*room/most
			if part.n > 0 && to == from {
				to++ // what is there is seen
			}
			if to > from {
				fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", nameWidth+int(from), y, to-from, barHeight, part.colour)
			}
			before += part.n
		}
		fmt.Fprintf(&out, `<text x="%d" y="%d" fill="#333333">%s</text>`+"\n", nameWidth+int(b.sum()*room/most)+8, y+14, Number(b.sum()))
	}
	out.WriteString("</svg>\n")
	return []byte(out.String())
}

func short(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes text safe within XML: what no document may hold is left out.
func escape(text string) string {
	return xmlEscapes.Replace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, text))
}
