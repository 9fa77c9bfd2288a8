/* Detectors: each finds out attributes of the resource that the daemon runs on, once, when the processor starts. */
#ifndef PP_RESOURCE_DETECTION_DETECTOR_H
#define PP_RESOURCE_DETECTION_DETECTOR_H

#include "base/arena.h"
#include "base/error.h"
#include "config/rows.h"

#define PP_DETECTED_ATTRIBUTES_MAX 128u

/* Attributes in the order found; a key that is there already is kept, so that the detector listed first wins. */
struct pp_detected {
    struct pp_arena arena;
    struct {
        struct pp_str key, value; /* both in the arena */
    } v[PP_DETECTED_ATTRIBUTES_MAX];
    size_t n;
};

/* Copies; false when memory is out or there are too many. */
bool pp_detected_add(struct pp_detected *detected, struct pp_str key, struct pp_str value, struct pp_error *err);
void pp_detected_done(struct pp_detected *detected);

/* `list` as OTEL_RESOURCE_ATTRIBUTES has it: key=value, separated by commas, percent-encoded. */
bool pp_detect_env(const char *list, struct pp_detected *detected, struct pp_error *err);

struct pp_attribute_switch {
    bool enabled;
};

struct pp_system_detector_config {
    struct pp_string_list hostname_sources;  /* "dns", "os" in order of trust */
    struct pp_group_map resource_attributes; /* name -> struct pp_attribute_switch; what is not listed has its default */
};

extern const struct pp_group pp_system_detector_group;
/* host.name and os.type; on request host.id, host.arch, os.version, os.description. Waits for the resolver at most `timeout_ns` (0: no limit). */
bool pp_detect_system(const struct pp_system_detector_config *config, int64_t timeout_ns, struct pp_detected *detected, struct pp_error *err);

#endif
