package broker

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxFrame is the largest request: a batch, and room for what is around it.
const maxFrame = 4 * MaxBatchBytes

// guarded is a listener whose connections let only frames through that kfake
// can take. kfake trusts its clients: a length of 4 GiB is allocated, and an
// unknown request key is a nil dereference that ends the process.
type guarded struct{ net.Listener }

func (g guarded) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: conn}, nil
}

// guardedConn follows the framing of what is read: a length of four bytes,
// then that many bytes, which begin with the request key.
type guardedConn struct {
	net.Conn
	head [6]byte // length and key of the current frame, as far as they came
	seen int     // bytes of head
	left int     // bytes of the frame after head
}

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if c.seen == len(c.head) {
			skip := min(c.left, len(rest))
			rest, c.left = rest[skip:], c.left-skip
			if c.left == 0 {
				c.seen = 0
			}
			continue
		}
		taken := copy(c.head[c.seen:], rest)
		rest, c.seen = rest[taken:], c.seen+taken
		if c.seen < len(c.head) {
			continue
		}
		size, key := binary.BigEndian.Uint32(c.head[:]), int16(binary.BigEndian.Uint16(c.head[4:]))
		// The shortest header: key, version, correlation id, client id.
		if size < 10 || size > maxFrame || kmsg.RequestForKey(key) == nil {
			return 0, fmt.Errorf("broker: %s: not a Kafka request (length %d, key %d)", c.RemoteAddr(), size, key)
		}
		c.left = int(size) - 2
	}
	return n, err
}
