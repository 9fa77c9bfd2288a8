package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

func (e *expander) resource(l *leaves, rp *profilespb.ResourceProfiles) error {
	r := rp.GetResource()
	if r == nil {
		r = &resourcepb.Resource{}
	}
	attributes, err := e.keyValues(r.GetAttributes())
	if err != nil {
		return err
	}
	l.attributes("resource.", attributes)
	l.number("resource.dropped_attributes_count", int64(r.GetDroppedAttributesCount()))
	for _, ref := range r.GetEntityRefs() {
		l.add("resource.entity_ref", fmt.Sprintf("%q %q ids %q descriptions %q", ref.GetSchemaUrl(), ref.GetType(), ref.GetIdKeys(), ref.GetDescriptionKeys()))
	}
	l.text("resource.schema_url", rp.GetSchemaUrl())
	e.unknown(l, "resource.", r)
	e.unknown(l, "resource_profiles.", rp)
	return nil
}

func (e *expander) scope(l *leaves, sp *profilespb.ScopeProfiles) error {
	s := sp.GetScope()
	if s == nil {
		s = &commonpb.InstrumentationScope{}
	}
	l.text("scope.name", s.GetName())
	l.text("scope.version", s.GetVersion())
	attributes, err := e.keyValues(s.GetAttributes())
	if err != nil {
		return err
	}
	l.attributes("scope.", attributes)
	l.number("scope.dropped_attributes_count", int64(s.GetDroppedAttributesCount()))
	l.text("scope.schema_url", sp.GetSchemaUrl())
	e.unknown(l, "scope.", s)
	e.unknown(l, "scope_profiles.", sp)
	return nil
}

// profile expands everything of a profile but its samples.
func (e *expander) profile(l *leaves, p *profilespb.Profile) error {
	if err := e.texts(l, "profile.", map[string]int32{
		"sample_type.type": p.GetSampleType().GetTypeStrindex(), "sample_type.unit": p.GetSampleType().GetUnitStrindex(),
		"period_type.type": p.GetPeriodType().GetTypeStrindex(), "period_type.unit": p.GetPeriodType().GetUnitStrindex(),
	}, "sample_type.type", "sample_type.unit", "period_type.type", "period_type.unit"); err != nil {
		return err
	}
	l.number("profile.period", p.GetPeriod())
	l.number("profile.time_unix_nano", int64(p.GetTimeUnixNano()))
	l.number("profile.duration_nano", int64(p.GetDurationNano()))
	l.bytes("profile.profile_id", p.GetProfileId())
	l.number("profile.dropped_attributes_count", int64(p.GetDroppedAttributesCount()))
	attributes, err := e.indexed(p.GetAttributeIndices())
	if err != nil {
		return err
	}
	l.attributes("profile.", attributes)
	e.unknown(l, "profile.", p)
	return nil
}

// payload identifies the original payload. It is kept apart from the header: a profile that is split carries it in one part only.
func payload(p *profilespb.Profile) string {
	if len(p.GetOriginalPayload()) == 0 && p.GetOriginalPayloadFormat() == "" {
		return ""
	}
	sum := sha256.Sum256(p.GetOriginalPayload())
	return p.GetOriginalPayloadFormat() + " " + hex.EncodeToString(sum[:])
}
