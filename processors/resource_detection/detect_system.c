#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "detector.h"
#include "dns_name.h"

#define VALUE_BYTES_MAX PP_DNS_NAME_BYTES_MAX
#define OS_RELEASE_BYTES_MAX 4096

static const struct pp_field switch_fields[] = {
    PP_ROW_BOOL(struct pp_attribute_switch, enabled, 0, "Whether to add the attribute."),
    PP_ROW_END,
};

static const struct pp_group switch_group = {
    .name = "attribute",
    .size = sizeof(struct pp_attribute_switch),
    .defaults = &(const struct pp_attribute_switch){true},
    .fields = switch_fields,
};

static const struct pp_field system_fields[] = {
    PP_ROW_STRINGS(struct pp_system_detector_config, hostname_sources, PP_FIELD_NONEMPTY,
                   "Where host.name comes from, in this order: dns (full name), os."),
    PP_ROW_MAP(struct pp_system_detector_config, resource_attributes, 0, &switch_group,
               "Attributes to add or leave out; host.name and os.type are on, host.id, host.arch, os.version, os.description off."),
    PP_ROW_END,
};

static bool read_text(const char *path, char *buf, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t n;

    if (!file)
        return false;
    n = fread(buf, 1, size - 1, file);
    fclose(file);
    buf[n] = '\0';
    return n > 0;
}

static bool os_host_name(char *buf)
{
    return gethostname(buf, VALUE_BYTES_MAX - 1) == 0 && buf[0];
}

/* What the attributes are found by. */
struct search {
    const struct pp_system_detector_config *config;
    int64_t timeout_ns;
};

/* The full name that the system's resolver gives for our own. */
static bool dns_host_name(int64_t timeout_ns, char *buf)
{
    char host[VALUE_BYTES_MAX] = "";

    return os_host_name(host) && pp_dns_name(pp_dns_resolve, host, timeout_ns, buf);
}

static bool host_name(const struct search *search, char *buf)
{
    for (size_t i = 0; i < search->config->hostname_sources.n; i++) {
        bool dns = strcmp(search->config->hostname_sources.v[i], "dns") == 0;
        if (dns ? dns_host_name(search->timeout_ns, buf) : os_host_name(buf))
            return true;
    }
    return false;
}

static bool host_id(const struct search *search, char *buf)
{
    (void)search;
    return read_text("/etc/machine-id", buf, VALUE_BYTES_MAX) || read_text("/var/lib/dbus/machine-id", buf, VALUE_BYTES_MAX);
}

/* Values of the semantic conventions for host.arch. */
static bool host_arch(const struct search *search, char *buf)
{
    static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"ppc64le", "ppc64"}};
    struct utsname uts;
    const char *arch = uts.machine;

    (void)search;
    if (uname(&uts) != 0)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(uts.machine, names[i][0]) == 0)
            arch = names[i][1];
    snprintf(buf, VALUE_BYTES_MAX, "%s", arch);
    return true;
}

static bool os_type(const struct search *search, char *buf)
{
    (void)search;
    snprintf(buf, VALUE_BYTES_MAX, "linux");
    return true;
}

/* A value of os-release(5), without its quotes. */
static bool os_release(const char *key, char *buf)
{
    char text[OS_RELEASE_BYTES_MAX], *next = text;
    size_t n = strlen(key);

    if (!read_text("/etc/os-release", text, sizeof(text)))
        return false;
    for (char *line; (line = strsep(&next, "\n"));) {
        if (strncmp(line, key, n) != 0 || line[n] != '=')
            continue;
        line += n + 1;
        line += strspn(line, "\"'");
        snprintf(buf, VALUE_BYTES_MAX, "%.*s", (int)strcspn(line, "\"'"), line);
        return true;
    }
    return false;
}

static bool os_version(const struct search *search, char *buf)
{
    (void)search;
    return os_release("VERSION_ID", buf);
}

static bool os_description(const struct search *search, char *buf)
{
    (void)search;
    return os_release("PRETTY_NAME", buf);
}

static const struct {
    const char *name;
    bool on;
    bool (*find)(const struct search *search, char *buf);
} attributes[] = {
    {"host.name", true, host_name},  {"os.type", true, os_type},        {"host.id", false, host_id},
    {"host.arch", false, host_arch}, {"os.version", false, os_version}, {"os.description", false, os_description},
};

#define ATTRIBUTES_N (sizeof(attributes) / sizeof(attributes[0]))

static bool is_on(const struct pp_system_detector_config *config, size_t attribute)
{
    const struct pp_attribute_switch *switches = config->resource_attributes.v;

    for (size_t i = 0; i < config->resource_attributes.n; i++)
        if (strcmp(config->resource_attributes.keys[i], attributes[attribute].name) == 0)
            return switches[i].enabled;
    return attributes[attribute].on;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < ATTRIBUTES_N; i++)
        if (strcmp(name, attributes[i].name) == 0)
            return true;
    return false;
}

static void system_validate(const void *config_, struct pp_check *check)
{
    const struct pp_system_detector_config *config = config_;

    for (size_t i = 0; i < config->hostname_sources.n; i++) {
        const char *source = config->hostname_sources.v[i];
        if (strcmp(source, "dns") != 0 && strcmp(source, "os") != 0)
            pp_check_error(check, "hostname_sources", "\"%s\" is not one of dns, os", source);
    }
    for (size_t i = 0; i < config->resource_attributes.n; i++)
        if (!is_known(config->resource_attributes.keys[i]))
            pp_check_warn(check, "resource_attributes", "%s is not detected here", config->resource_attributes.keys[i]);
}

const struct pp_group pp_system_detector_group = {
    .name = "system",
    .size = sizeof(struct pp_system_detector_config),
    .fields = system_fields,
    .validate = system_validate,
};

bool pp_detect_system(const struct pp_system_detector_config *config, int64_t timeout_ns, struct pp_detected *detected, struct pp_error *err)
{
    const struct search search = {config, timeout_ns};

    for (size_t i = 0; i < ATTRIBUTES_N; i++) {
        char value[VALUE_BYTES_MAX] = "";

        if (!is_on(config, i))
            continue;
        if (!attributes[i].find(&search, value))
            return pp_error_set(err, PP_ERR_IO, "detector system cannot find %s", attributes[i].name);
        if (!pp_utf8_valid(pp_str_c(value)))
            return pp_error_set(err, PP_ERR_IO, "detector system: %s is not UTF-8", attributes[i].name);
        if (!pp_detected_add(detected, pp_str_c(attributes[i].name), pp_str_trim(pp_str_c(value)), err))
            return false;
    }
    return true;
}
