package main

import (
	"io"
	"net"
	"sync"
)

const maxScript = 64 << 10 // bytes of a script that a test may post

func copyLimited(w io.Writer, r io.Reader) (int64, error) {
	return io.Copy(w, io.LimitReader(r, maxScript))
}

// connTable finds a raw connection by its peer's address, so that a handler can cut the one it is answering on.
type connTable struct {
	mu    sync.Mutex
	conns map[string]net.Conn
}

func newConnTable() *connTable { return &connTable{conns: map[string]net.Conn{}} }

func (t *connTable) add(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[c.RemoteAddr().String()] = c
}

func (t *connTable) remove(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c.RemoteAddr().String())
}

// cut closes with a TCP reset: the peer sees ECONNRESET and no orderly end.
func (t *connTable) cut(address string) {
	t.mu.Lock()
	c := t.conns[address]
	t.mu.Unlock()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if c != nil {
		_ = c.Close()
	}
}

type trackedConn struct {
	net.Conn
	table *connTable
	once  sync.Once
}

func (c *trackedConn) Close() error {
	c.once.Do(func() { c.table.remove(c.Conn) })
	return c.Conn.Close()
}

// trackedListener registers what it accepts.
type trackedListener struct {
	net.Listener
	table *connTable
}

func (l trackedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.table.add(c)
	return &trackedConn{Conn: c, table: l.table}, nil
}

// sharedListener lets one server after the other accept from the same socket: a server that goes away closes only its own
// view, so that the port never refuses a connection in between.
type sharedListener struct {
	net.Listener
	conns chan net.Conn
	done  chan struct{}
	once  *sync.Once
}

func shareListener(l net.Listener) *sharedListener {
	s := &sharedListener{Listener: l, conns: make(chan net.Conn), done: make(chan struct{}), once: new(sync.Once)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(s.conns)
				return
			}
			s.conns <- c
		}
	}()
	return s
}

// view is the listener for the next server.
func (s *sharedListener) view() *sharedListener {
	return &sharedListener{Listener: s.Listener, conns: s.conns, done: make(chan struct{}), once: new(sync.Once)}
}

func (s *sharedListener) Accept() (net.Conn, error) {
	select {
	case <-s.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c, ok := <-s.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *sharedListener) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
