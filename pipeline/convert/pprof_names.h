/* The attributes by which a pprof survives as OTLP (OpenTelemetry semantic conventions 1.44). */
#ifndef PP_CONVERT_PPROF_NAMES_H
#define PP_CONVERT_PPROF_NAMES_H

#define PP_ATTR_BUILD_ID_GNU "process.executable.build_id.gnu"
#define PP_ATTR_BUILD_ID_GO "process.executable.build_id.go"
#define PP_ATTR_BUILD_ID_HTLHASH "process.executable.build_id.htlhash"
#define PP_ATTR_HAS_FUNCTIONS "pprof.mapping.has_functions"
#define PP_ATTR_HAS_FILENAMES "pprof.mapping.has_filenames"
#define PP_ATTR_HAS_LINE_NUMBERS "pprof.mapping.has_line_numbers"
#define PP_ATTR_HAS_INLINE_FRAMES "pprof.mapping.has_inline_frames"
#define PP_ATTR_IS_FOLDED "pprof.location.is_folded"
#define PP_ATTR_COMMENT "pprof.profile.comment"
#define PP_ATTR_DROP_FRAMES "pprof.profile.drop_frames"
#define PP_ATTR_KEEP_FRAMES "pprof.profile.keep_frames"
#define PP_ATTR_DOC_URL "pprof.profile.doc_url"
#define PP_ATTR_DEFAULT_SAMPLE_TYPE "pprof.scope.default_sample_type"
#define PP_ATTR_SAMPLE_TYPE_ORDER "pprof.scope.sample_type_order"

/* Several numbers under one label key whose units differ: each becomes a list of these two (ours; the conventions have no form for it). */
#define PP_LABEL_NUM "num"
#define PP_LABEL_UNIT "unit"

#endif
