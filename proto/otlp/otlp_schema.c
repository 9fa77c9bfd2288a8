#include "proto/otlp/otlp_schema.h"

#define ROWS(rows) .fields = rows, .fields_n = sizeof(rows) / sizeof((rows)[0])
#define MESSAGE(field_name, field_number, type_of, ...)                                            \
    {.name = field_name, .number = field_number, .type = PP_OTLP_MESSAGE, .message = &type_of, __VA_ARGS__}
#define SCALAR(field_name, field_number, scalar_type, ...)                                         \
    {.name = field_name, .number = field_number, .type = scalar_type, __VA_ARGS__}

static const struct pp_otlp_message any_value;

static const struct pp_otlp_field key_value_fields[] = {
    SCALAR("key", 1, PP_OTLP_STRING),
    MESSAGE("value", 2, any_value, .always = true),
    SCALAR("keyStrindex", 3, PP_OTLP_INT32),
};
static const struct pp_otlp_message key_value = {ROWS(key_value_fields)};

static const struct pp_otlp_field array_fields[] = {MESSAGE("values", 1, any_value, .repeated = true)};
static const struct pp_otlp_message array_value = {ROWS(array_fields)};

static const struct pp_otlp_field kvlist_fields[] = {MESSAGE("values", 1, key_value, .repeated = true)};
static const struct pp_otlp_message kvlist_value = {ROWS(kvlist_fields)};

static const struct pp_otlp_field any_value_fields[] = {
    SCALAR("stringValue", 1, PP_OTLP_STRING, .oneof = true),
    SCALAR("boolValue", 2, PP_OTLP_BOOL, .oneof = true),
    SCALAR("intValue", 3, PP_OTLP_INT64, .oneof = true),
    SCALAR("doubleValue", 4, PP_OTLP_DOUBLE, .oneof = true),
    MESSAGE("arrayValue", 5, array_value),
    MESSAGE("kvlistValue", 6, kvlist_value),
    SCALAR("bytesValue", 7, PP_OTLP_BYTES, .oneof = true),
    SCALAR("stringValueStrindex", 8, PP_OTLP_INT32, .oneof = true),
};
static const struct pp_otlp_message any_value = {ROWS(any_value_fields)};

static const struct pp_otlp_field entity_ref_fields[] = {
    SCALAR("schemaUrl", 1, PP_OTLP_STRING),
    SCALAR("type", 2, PP_OTLP_STRING),
    SCALAR("idKeys", 3, PP_OTLP_STRING, .repeated = true),
    SCALAR("descriptionKeys", 4, PP_OTLP_STRING, .repeated = true),
};
static const struct pp_otlp_message entity_ref = {ROWS(entity_ref_fields)};

static const struct pp_otlp_field resource_fields[] = {
    MESSAGE("attributes", 1, key_value, .repeated = true),
    SCALAR("droppedAttributesCount", 2, PP_OTLP_UINT32),
    MESSAGE("entityRefs", 3, entity_ref, .repeated = true),
};
static const struct pp_otlp_message resource = {ROWS(resource_fields)};

static const struct pp_otlp_field scope_fields[] = {
    SCALAR("name", 1, PP_OTLP_STRING),
    SCALAR("version", 2, PP_OTLP_STRING),
    MESSAGE("attributes", 3, key_value, .repeated = true),
    SCALAR("droppedAttributesCount", 4, PP_OTLP_UINT32),
};
static const struct pp_otlp_message scope = {ROWS(scope_fields)};

static const struct pp_otlp_field value_type_fields[] = {
    SCALAR("typeStrindex", 1, PP_OTLP_INT32),
    SCALAR("unitStrindex", 2, PP_OTLP_INT32),
};
static const struct pp_otlp_message value_type = {ROWS(value_type_fields)};

static const struct pp_otlp_field sample_fields[] = {
    SCALAR("stackIndex", 1, PP_OTLP_INT32),
    SCALAR("attributeIndices", 2, PP_OTLP_INT32, .repeated = true),
    SCALAR("linkIndex", 3, PP_OTLP_INT32),
    SCALAR("values", 4, PP_OTLP_INT64, .repeated = true),
    SCALAR("timestampsUnixNano", 5, PP_OTLP_FIXED64, .repeated = true),
};
static const struct pp_otlp_message sample = {ROWS(sample_fields)};

static const struct pp_otlp_field profile_fields[] = {
    MESSAGE("sampleType", 1, value_type, .always = true),
    MESSAGE("samples", 2, sample, .repeated = true),
    SCALAR("timeUnixNano", 3, PP_OTLP_FIXED64),
    SCALAR("durationNano", 4, PP_OTLP_UINT64),
    MESSAGE("periodType", 5, value_type, .always = true),
    SCALAR("period", 6, PP_OTLP_INT64),
    SCALAR("profileId", 7, PP_OTLP_ID),
    SCALAR("droppedAttributesCount", 8, PP_OTLP_UINT32),
    SCALAR("originalPayloadFormat", 9, PP_OTLP_STRING),
    SCALAR("originalPayload", 10, PP_OTLP_BYTES),
    SCALAR("attributeIndices", 11, PP_OTLP_INT32, .repeated = true),
};
static const struct pp_otlp_message profile = {ROWS(profile_fields), .large = true};

static const struct pp_otlp_field scope_profiles_fields[] = {
    MESSAGE("scope", 1, scope, .always = true),
    MESSAGE("profiles", 2, profile, .repeated = true),
    SCALAR("schemaUrl", 3, PP_OTLP_STRING),
};
static const struct pp_otlp_message scope_profiles = {ROWS(scope_profiles_fields), .large = true};

static const struct pp_otlp_field resource_profiles_fields[] = {
    MESSAGE("resource", 1, resource, .always = true),
    MESSAGE("scopeProfiles", 2, scope_profiles, .repeated = true),
    SCALAR("schemaUrl", 3, PP_OTLP_STRING),
};
static const struct pp_otlp_message resource_profiles = {ROWS(resource_profiles_fields), .large = true};

static const struct pp_otlp_field mapping_fields[] = {
    SCALAR("memoryStart", 1, PP_OTLP_UINT64),
    SCALAR("memoryLimit", 2, PP_OTLP_UINT64),
    SCALAR("fileOffset", 3, PP_OTLP_UINT64),
    SCALAR("filenameStrindex", 4, PP_OTLP_INT32),
    SCALAR("attributeIndices", 5, PP_OTLP_INT32, .repeated = true),
};
static const struct pp_otlp_message mapping = {ROWS(mapping_fields)};

static const struct pp_otlp_field line_fields[] = {
    SCALAR("functionIndex", 1, PP_OTLP_INT32),
    SCALAR("line", 2, PP_OTLP_INT64),
    SCALAR("column", 3, PP_OTLP_INT64),
};
static const struct pp_otlp_message line = {ROWS(line_fields)};

static const struct pp_otlp_field location_fields[] = {
    SCALAR("mappingIndex", 1, PP_OTLP_INT32),
    SCALAR("address", 2, PP_OTLP_UINT64),
    MESSAGE("lines", 3, line, .repeated = true),
    SCALAR("attributeIndices", 4, PP_OTLP_INT32, .repeated = true),
};
static const struct pp_otlp_message location = {ROWS(location_fields)};

static const struct pp_otlp_field function_fields[] = {
    SCALAR("nameStrindex", 1, PP_OTLP_INT32),
    SCALAR("systemNameStrindex", 2, PP_OTLP_INT32),
    SCALAR("filenameStrindex", 3, PP_OTLP_INT32),
    SCALAR("startLine", 4, PP_OTLP_INT64),
};
static const struct pp_otlp_message function = {ROWS(function_fields)};

static const struct pp_otlp_field link_fields[] = {
    SCALAR("traceId", 1, PP_OTLP_ID),
    SCALAR("spanId", 2, PP_OTLP_ID),
};
static const struct pp_otlp_message span_link = {ROWS(link_fields)};

static const struct pp_otlp_field attribute_fields[] = {
    SCALAR("keyStrindex", 1, PP_OTLP_INT32),
    MESSAGE("value", 2, any_value, .always = true, .implied = true),
    SCALAR("unitStrindex", 3, PP_OTLP_INT32),
};
static const struct pp_otlp_message attribute = {ROWS(attribute_fields)};

static const struct pp_otlp_field stack_fields[] = {SCALAR("locationIndices", 1, PP_OTLP_INT32, .repeated = true)};
static const struct pp_otlp_message stack = {ROWS(stack_fields)};

static const struct pp_otlp_field dictionary_fields[] = {
    MESSAGE("mappingTable", 1, mapping, .repeated = true),
    MESSAGE("locationTable", 2, location, .repeated = true),
    MESSAGE("functionTable", 3, function, .repeated = true),
    MESSAGE("linkTable", 4, span_link, .repeated = true),
    SCALAR("stringTable", 5, PP_OTLP_STRING, .repeated = true),
    MESSAGE("attributeTable", 6, attribute, .repeated = true),
    MESSAGE("stackTable", 7, stack, .repeated = true),
};
static const struct pp_otlp_message dictionary = {ROWS(dictionary_fields), .large = true};

static const struct pp_otlp_field request_fields[] = {
    MESSAGE("resourceProfiles", 1, resource_profiles, .repeated = true),
    MESSAGE("dictionary", 2, dictionary, .always = true),
};
const struct pp_otlp_message pp_otlp_request = {ROWS(request_fields), .large = true};

/* "stack_index" for "stackIndex". */
static bool is_snake_name(const char *camel, struct pp_str s)
{
    size_t i = 0;

    for (; *camel; camel++) {
        char c = *camel;

        if (c >= 'A' && c <= 'Z') {
            if (i == s.n || s.p[i++] != '_')
                return false;
            c = (char)(c - 'A' + 'a');
        }
        if (i == s.n || s.p[i++] != c)
            return false;
    }
    return i == s.n;
}

const struct pp_otlp_field *pp_otlp_field_named(const struct pp_otlp_message *message, struct pp_str name)
{
    for (unsigned i = 0; i < message->fields_n; i++)
        if (pp_str_eq_c(name, message->fields[i].name))
            return &message->fields[i];
    for (unsigned i = 0; i < message->fields_n; i++)
        if (is_snake_name(message->fields[i].name, name))
            return &message->fields[i];
    return NULL;
}
