#include "render/frame_name.h"

#include <inttypes.h>

struct pp_str pp_frame_basename(struct pp_str path)
{
    size_t start = path.n;

    while (start > 0 && path.p[start - 1] != '/')
        start--;
    return start == path.n ? path : (struct pp_str){path.p + start, path.n - start};
}

struct pp_str pp_frame_function_name(const struct pp_tables *tables, int32_t function)
{
    const struct pp_function *f = &tables->functions.v[function];

    if (f->name)
        return tables->strings.v[f->name];
    if (f->system_name)
        return tables->strings.v[f->system_name];
    if (f->filename)
        return tables->strings.v[f->filename];
    return PP_STR("[unknown]");
}

/* Where the address lies in its file; runtime addresses move from run to run, these do not. */
static uint64_t file_offset(const struct pp_mapping *mapping, uint64_t address)
{
    if (address < mapping->memory_start || (mapping->memory_limit && address > mapping->memory_limit))
        return address;
    return address - mapping->memory_start + mapping->file_offset;
}

bool pp_frame_address_name(const struct pp_tables *tables, const struct pp_location *location, struct pp_buf *buf)
{
    const struct pp_mapping *mapping = &tables->mappings.v[location->mapping];
    struct pp_str module = pp_frame_basename(tables->strings.v[mapping->filename]);

    if (location->address == 0 && location->mapping == 0)
        return pp_buf_add_c(buf, "[unknown]");
    if (module.n == 0)
        return pp_buf_printf(buf, "0x%" PRIx64, location->address);
    pp_buf_add_str(buf, module);
    return pp_buf_printf(buf, "+0x%" PRIx64, file_offset(mapping, location->address));
}
