#include "file_path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool pp_file_make_parents(const char *path, mode_t mode, struct pp_error *err)
{
    char folder[PP_FILE_PATH_BYTES_MAX];
    size_t n = strlen(path);

    if (n >= sizeof(folder))
        return pp_error_set(err, PP_ERR_IO, "%.64s...: the path is too long", path);
    memcpy(folder, path, n + 1);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, mode) != 0 && errno != EEXIST)
            return pp_error_set(err, PP_ERR_IO, "cannot make the folder %s: %s", folder, strerror(errno));
        *slash = '/';
    }
    return true;
}

static void add_name(struct pp_buf *buf, struct pp_str name)
{
    if (name.n > PP_FILE_SEGMENT_BYTES_MAX)
        name.n = PP_FILE_SEGMENT_BYTES_MAX;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        pp_buf_add_byte(buf, c < 0x20 || c == 0x7F ? '_' : (char)c);
    }
}

static bool is_dots(struct pp_str name)
{
    return pp_str_eq(name, PP_STR(".")) || pp_str_eq(name, PP_STR(".."));
}

/* The value's names, joined again; never one that names a folder above. */
static void add_value(struct pp_buf *buf, struct pp_str value)
{
    size_t start = buf->len;

    while (value.n > 0) {
        const char *slash = memchr(value.p, '/', value.n);
        struct pp_str name = {value.p, slash ? (size_t)(slash - value.p) : value.n};

        if (name.n > 0 && !is_dots(name)) {
            if (buf->len > start)
                pp_buf_add_byte(buf, '/');
            add_name(buf, name);
        }
        value.n -= name.n + (slash ? 1 : 0);
        value.p += name.n + (slash ? 1 : 0);
    }
    if (buf->len == start)
        pp_buf_add_byte(buf, '_');
}

bool pp_file_group_path(const char *pattern, struct pp_str value, struct pp_buf *buf)
{
    const char *star = strchr(pattern, '*');

    pp_buf_add(buf, pattern, (size_t)(star - pattern));
    /* In "x/.*" a value that begins with '.' must not complete a "..". */
    if (star > pattern && star[-1] == '.' && value.n > 0 && value.p[0] == '.')
        pp_buf_add_byte(buf, '_');
    add_value(buf, value);
    pp_buf_add_c(buf, star + 1);
    pp_buf_add_byte(buf, '\0');
    return !buf->failed && buf->len <= PP_FILE_PATH_BYTES_MAX;
}
