package main

import (
	"context"
	"strings"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type grpcSender struct {
	conn   *grpc.ClientConn
	method string
	header metadata.MD
	opts   []grpc.CallOption
}

func newGRPCSender(o sendOptions) (sender, error) {
	creds := insecure.NewCredentials()
	config, err := o.tls.client()
	if err != nil {
		return nil, err
	}
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	target := o.endpoint
	if !strings.Contains(target, ":///") && !strings.HasPrefix(target, "unix:") {
		target = "passthrough:///" + target
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds), grpc.WithNoProxy(), grpc.WithDisableRetry(), grpc.WithStatsHandler(clientStats{}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallSendMsgSize(maxMessage), grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, err
	}
	s := &grpcSender{conn: conn, method: exportMethod, header: metadata.MD{}}
	if o.path != "" {
		s.method = o.path
	}
	if o.encoding != "none" {
		s.opts = append(s.opts, grpc.UseCompressor(o.encoding))
	}
	for _, h := range o.headers {
		s.header.Append(h[0], h[1])
	}
	return s, nil
}

func (s *grpcSender) close() { _ = s.conn.Close() }

// answered notes whether the peer itself ended the call: only then is a status its answer. One that grpc-go made up for a broken
// connection leaves open whether the message was taken.
type answered struct{ byPeer bool }

type answeredKey struct{}

type clientStats struct{}

func (clientStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (clientStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (clientStats) HandleConn(context.Context, stats.ConnStats)                       {}

func (clientStats) HandleRPC(ctx context.Context, event stats.RPCStats) {
	_, trailer := event.(*stats.InTrailer)
	if a, ok := ctx.Value(answeredKey{}).(*answered); ok && trailer {
		a.byPeer = true
	}
}

func (s *grpcSender) send(ctx context.Context, body []byte) answer {
	var reply []byte
	var end answered
	ctx = context.WithValue(metadata.NewOutgoingContext(ctx, s.header), answeredKey{}, &end)
	err := s.conn.Invoke(ctx, s.method, &body, &reply, s.opts...)
	if err != nil {
		return grpcRefusal(err, end.byPeer)
	}
	return withPartialSuccess(answer{status: "ok"}, reply)
}

func grpcRefusal(err error, byPeer bool) answer {
	st := status.Convert(err)
	a := answer{status: st.Code().String(), detail: st.Message()}
	if !byPeer {
		a.status, a.detail = "no answer", st.Code().String()+": "+st.Message()
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			a.retry, a.hasRetry = info.GetRetryDelay().AsDuration(), true
		}
	}
	return a
}

// withPartialSuccess reads the response body; one that is no ExportProfilesServiceResponse is an answer of its own.
func withPartialSuccess(a answer, reply []byte) answer {
	var response collectorpb.ExportProfilesServiceResponse
	if err := proto.Unmarshal(reply, &response); err != nil {
		return answer{status: "unreadable response", detail: err.Error()}
	}
	if p := response.GetPartialSuccess(); p.GetRejectedProfiles() != 0 || p.GetErrorMessage() != "" {
		a.hasDetail, a.rejected, a.partial = true, p.GetRejectedProfiles(), p.GetErrorMessage()
	}
	return a
}
