package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// wireFacts are known to gRPC's stats hook alone: the encoding on the wire and the compressed size.
type wireFacts struct {
	encoding string
	bytes    int
}

type wireFactsKey struct{}

type wireStats struct{}

func (wireStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, wireFactsKey{}, &wireFacts{})
}

func (wireStats) HandleRPC(ctx context.Context, event stats.RPCStats) {
	facts, ok := ctx.Value(wireFactsKey{}).(*wireFacts)
	if !ok {
		return
	}
	switch e := event.(type) {
	case *stats.InHeader:
		facts.encoding = e.Compression
	case *stats.InPayload:
		facts.bytes = e.CompressedLength
	}
}

func (wireStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (wireStats) HandleConn(context.Context, stats.ConnStats)                       {}

// grpcServer can be replaced while its port stays open, which is how a GOAWAY is scripted.
type grpcServer struct {
	sink   *sink
	shared *sharedListener
	opts   []grpc.ServerOption

	mu      sync.Mutex
	current *grpc.Server
}

func (s *sink) serveGRPC(listener net.Listener, t *tlsFlags) error {
	config, err := t.server()
	if err != nil {
		return err
	}
	g := &grpcServer{sink: s, shared: shareListener(trackedListener{listener, s.connections})}
	g.opts = []grpc.ServerOption{grpc.ForceServerCodecV2(rawCodec{}), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.StatsHandler(wireStats{}), grpc.UnknownServiceHandler(g.handle)}
	if config != nil {
		g.opts = append(g.opts, grpc.Creds(credentials.NewTLS(config)))
	}
	g.start()
	return nil
}

func (g *grpcServer) start() {
	server := grpc.NewServer(g.opts...)
	g.mu.Lock()
	g.current = server
	g.mu.Unlock()
	view := g.shared.view()
	go func() {
		if err := server.Serve(view); err != nil && !errors.Is(err, net.ErrClosed) {
			fmt.Fprintln(os.Stderr, "otlptool: grpc:", err)
		}
	}()
}

// goAway lets the running requests end, tells the connections to go and serves new ones from a new server.
func (g *grpcServer) goAway() {
	g.mu.Lock()
	old := g.current
	g.mu.Unlock()
	g.start()
	go old.GracefulStop()
}

func (g *grpcServer) handle(_ any, stream grpc.ServerStream) error {
	ctx := stream.Context()
	method, _ := grpc.Method(ctx)
	if method != exportMethod {
		return status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	var body []byte
	if err := stream.RecvMsg(&body); err != nil {
		return err
	}
	headers, _ := metadata.FromIncomingContext(ctx)
	one := g.sink.script.next()
	r := received{Transport: "grpc", Path: method, Headers: headers, Answer: one.name}
	if facts, ok := ctx.Value(wireFactsKey{}).(*wireFacts); ok {
		r.Encoding, r.WireBytes = facts.encoding, facts.bytes
	}
	if err := g.sink.record(r, body, "pb", one.success()); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return g.answer(stream, one)
}

func (g *grpcServer) answer(stream grpc.ServerStream, one step) error {
	ctx := stream.Context()
	select {
	case <-time.After(one.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch one.name {
	case "never":
		<-ctx.Done()
		return ctx.Err()
	case "reset":
		if p, ok := peer.FromContext(ctx); ok {
			g.sink.connections.cut(p.Addr.String())
		}
		return ctx.Err()
	case "goaway":
		g.goAway()
	}
	if one.http != 0 {
		return status.Errorf(codes.Internal, "script: %s is no answer over gRPC", one.name)
	}
	if one.code != codes.OK {
		return one.status().Err()
	}
	reply, err := one.reply()
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return stream.SendMsg(&reply)
}

// reply is the protobuf body of a success.
func (s step) reply() ([]byte, error) {
	switch s.name {
	case "garbage":
		return []byte{0xff, 0xff, 0xff, 0xff}, nil
	case "partial":
		return proto.Marshal(&collectorpb.ExportProfilesServiceResponse{
			PartialSuccess: &collectorpb.ExportProfilesPartialSuccess{RejectedProfiles: s.rejected, ErrorMessage: s.message}})
	case "big":
		response := &collectorpb.ExportProfilesServiceResponse{PartialSuccess: &collectorpb.ExportProfilesPartialSuccess{ErrorMessage: string(make([]byte, s.bytes))}}
		return proto.Marshal(response)
	}
	return proto.Marshal(&collectorpb.ExportProfilesServiceResponse{})
}
