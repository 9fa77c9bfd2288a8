module github.com/open-telemetry/opentelemetry-collector-contrib/extension/internal/basicauth

go 1.26.0

require (
	go.opentelemetry.io/collector/client v1.68.0
	google.golang.org/grpc v1.83.2
)
