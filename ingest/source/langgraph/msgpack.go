package langgraph

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// Extension types of LangGraph's serialiser. All but the last two hold
// [module, name, argument(s), method].
const (
	extSingleArgument = 0 // a constructor with one argument: UUID, Decimal, set, enum
	extPositional     = 1 // … with several: path, Send
	extKeywords       = 2 // … with named ones: dataclass
	extMethod         = 3 // a named constructor with one argument: datetime
	extPydanticV1     = 4
	extPydanticV2     = 5
	extArray          = 6 // numpy: [dtype, shape, order, bytes]
)

// maxDepth bounds nesting: extensions nest too.
const maxDepth = 200

// msgpackToJSON turns a stored value into JSON. Python objects become what they
// were made from: a model or message LangChain's constructor form, a dataclass
// its fields, a UUID or a time its text, an array or bytes a hash and a length.
// Nothing named in the data is ever run.
func msgpackToJSON(stored []byte) ([]byte, error) {
	var w bytes.Buffer
	d := transcoder{Decoder: msgpack.NewDecoder(bytes.NewReader(stored))}
	if err := d.value(&w); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("ends in the middle")
		}
		return nil, fmt.Errorf("msgpack: %w", err)
	}
	return w.Bytes(), nil
}

type transcoder struct {
	*msgpack.Decoder
	depth int
	inKey bool
}

func (d *transcoder) value(w *bytes.Buffer) error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	defer func() { d.depth-- }()
	code, err := d.PeekCode()
	if err != nil {
		return err
	}
	switch {
	case msgpcode.IsFixedMap(code), code == msgpcode.Map16, code == msgpcode.Map32:
		return d.object(w)
	case msgpcode.IsFixedArray(code), code == msgpcode.Array16, code == msgpcode.Array32:
		return d.array(w)
	case msgpcode.IsExt(code):
		return d.ext(w)
	case msgpcode.IsString(code):
		text, err := d.bytes()
		if err != nil {
			return err
		}
		w.Write(rawjson.Marshal(string(text)))
		return nil
	case msgpcode.IsBin(code):
		data, err := d.bytes()
		if err != nil {
			return err
		}
		writeBytes(w, data)
		return nil
	case code == msgpcode.Nil:
		w.WriteString("null")
		return d.DecodeNil()
	case code == msgpcode.True, code == msgpcode.False:
		value, err := d.DecodeBool()
		w.WriteString(strconv.FormatBool(value))
		return err
	case code == msgpcode.Float, code == msgpcode.Double:
		number, err := d.DecodeFloat64()
		if text := rawjson.Marshal(number); text != nil {
			w.Write(text)
		} else {
			w.WriteString("null") // NaN and infinity
		}
		return err
	case code == msgpcode.Uint64:
		number, err := d.DecodeUint64()
		w.WriteString(strconv.FormatUint(number, 10))
		return err
	}
	number, err := d.DecodeInt64() // and an error for codes that stand for nothing
	w.WriteString(strconv.FormatInt(number, 10))
	return err
}

// bytes reads a string or bytes. The library's own functions ask for as much
// memory as the length claims.
func (d *transcoder) bytes() ([]byte, error) {
	length, err := d.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	return d.take(length)
}

// take reads the next bytes; what it holds grows with what is there.
func (d *transcoder) take(length int) ([]byte, error) {
	var taken bytes.Buffer
	_, err := io.CopyN(&taken, d.Buffered(), int64(length))
	return taken.Bytes(), err
}

func (d *transcoder) object(w *bytes.Buffer) error {
	n, err := d.DecodeMapLen()
	if err != nil {
		return err
	}
	if d.inKey { // each level would double the quotes of the one inside
		return errors.New("a map inside the key of a map")
	}
	w.WriteByte('{')
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
		}
		var key bytes.Buffer
		d.inKey = true
		if err := d.value(&key); err != nil {
			return err
		}
		d.inKey = false
		if _, ok := rawjson.Text(key.Bytes()); ok {
			w.Write(key.Bytes())
		} else { // Python's dicts have keys of any type
			w.Write(rawjson.Marshal(key.String()))
		}
		w.WriteByte(':')
		if err := d.value(w); err != nil {
			return err
		}
	}
	w.WriteByte('}')
	return nil
}

func (d *transcoder) array(w *bytes.Buffer) error {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return err
	}
	w.WriteByte('[')
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
		}
		if err := d.value(w); err != nil {
			return err
		}
	}
	w.WriteByte(']')
	return nil
}

func (d *transcoder) ext(w *bytes.Buffer) error {
	kind, length, err := d.DecodeExtHeader()
	if err != nil {
		return err
	}
	if length < 0 {
		return errors.New("extension of negative length")
	}
	payload, err := d.take(length)
	if err != nil {
		return err
	}
	if kind == extArray {
		writeBytes(w, payload)
		return nil
	}
	inner := transcoder{msgpack.NewDecoder(bytes.NewReader(payload)), d.depth, d.inKey}
	var text bytes.Buffer
	if err := inner.value(&text); err != nil {
		return err
	}
	parts := rawjson.List(text.Bytes())
	if kind < extSingleArgument || kind > extPydanticV2 || len(parts) < 3 {
		w.Write(text.Bytes()) // a later serialiser's: its content, whatever it is
		return nil
	}
	argument := parts[2]
	switch kind {
	case extPydanticV1, extPydanticV2:
		writeConstructor(w, parts)
	case extKeywords:
		if rawjson.Parse(argument) == nil {
			argument = json.RawMessage("null")
		}
		w.Write(argument)
	case extPositional:
		if list := rawjson.List(argument); len(list) == 1 {
			argument = list[0]
		}
		w.Write(argument)
	default: // extSingleArgument, extMethod
		w.Write(argument)
	}
	return nil
}

// writeConstructor writes a Python object in the form that LangChain's JSON has
// for it: the class's path and its fields.
func writeConstructor(w *bytes.Buffer, parts []json.RawMessage) {
	w.WriteString(`{"lc":1,"type":"constructor","id":[`)
	w.Write(parts[0])
	w.WriteByte(',')
	w.Write(parts[1])
	w.WriteString(`],"kwargs":`)
	w.Write(parts[2])
	w.WriteByte('}')
}

// writeBytes writes bytes as text where they are text, else by reference.
func writeBytes(w *bytes.Buffer, data []byte) {
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		w.Write(rawjson.Marshal(string(data)))
		return
	}
	sum := sha256.Sum256(data)
	fmt.Fprintf(w, `{"length":%d,"sha256":"%s"}`, len(data), hex.EncodeToString(sum[:]))
}
