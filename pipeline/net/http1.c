#include "net/http1.h"

#include "base/mem.h"

#define CHUNK_SIZE_DIGITS_MAX 15u

/* RFC 9110, 5.6.2 */
static bool is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct pp_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((unsigned char)s.p[i]))
            return false;
    return s.n > 0;
}

size_t pp_http1_head_length(struct pp_str data, size_t *scanned)
{
    size_t i = *scanned;

    /* The end may straddle what was seen before. */
    i = i > 3 ? i - 3 : 0;
    while (i < data.n) {
        const char *lf = memchr(data.p + i, '\n', data.n - i);

        if (!lf)
            break;
        i = (size_t)(lf - data.p) + 1;
        if (i >= 4 && memcmp(lf - 3, "\r\n\r", 3) == 0)
            return i;
    }
    *scanned = data.n;
    return 0;
}

/* Cuts the line at the front of *in, which ends in CRLF without another CR or LF inside; false when it does not. */
static bool cut_line(struct pp_str *in, struct pp_str *ret_line)
{
    const char *lf = memchr(in->p, '\n', in->n);
    size_t n;

    if (!lf)
        return false;
    n = (size_t)(lf - in->p);
    if (n == 0 || in->p[n - 1] != '\r' || memchr(in->p, '\r', n - 1))
        return false;
    *ret_line = (struct pp_str){in->p, n - 1};
    in->p += n + 1;
    in->n -= n + 1;
    return true;
}

static bool cut_word(struct pp_str *in, struct pp_str *ret_word)
{
    const char *space = memchr(in->p, ' ', in->n);

    if (!space)
        return false;
    *ret_word = (struct pp_str){in->p, (size_t)(space - in->p)};
    in->p = space + 1;
    in->n -= ret_word->n + 1;
    return true;
}

static int bad(struct pp_error *err, const char *why)
{
    pp_error_set(err, PP_ERR_INVALID, "%s", why);
    return 400;
}

static bool authority_is_valid(struct pp_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/?#@\\,\"<>", s.p[i]))
            return false;
    return true;
}

/* "http://host:port/path?query" is legal towards any server (RFC 9112, 3.2.2). */
static bool strip_absolute(struct pp_str *target, struct pp_str *ret_authority)
{
    static const struct pp_str schemes[] = {{"http://", 7}, {"https://", 8}};

    for (size_t i = 0; i < 2; i++) {
        struct pp_str s = schemes[i], rest;
        const char *slash;

        if (target->n < s.n || !pp_str_eq_nocase((struct pp_str){target->p, s.n}, s))
            continue;
        rest = (struct pp_str){target->p + s.n, target->n - s.n};
        slash = memchr(rest.p, '/', rest.n);
        *ret_authority = (struct pp_str){rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
        *target = slash ? (struct pp_str){slash, rest.n - ret_authority->n} : PP_STR("/");
        return ret_authority->n > 0 && authority_is_valid(*ret_authority);
    }
    return false;
}

static int parse_target(struct pp_str target, struct pp_http1_head *head, struct pp_error *err)
{
    const char *question;

    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= ' ' || target.p[i] > '~' || target.p[i] == '#')
            return bad(err, "request target has an illegal character");
    if (target.n == 0)
        return bad(err, "request target is empty");
    if (pp_str_eq_c(target, "*")) {
        if (!pp_str_eq_c(head->method, "OPTIONS"))
            return bad(err, "request target \"*\" is for OPTIONS only");
    } else if (target.p[0] != '/' && !strip_absolute(&target, &head->authority)) {
        return bad(err, "request target is neither a path nor an absolute URL");
    }
    question = memchr(target.p, '?', target.n);
    head->path = target;
    if (question) {
        head->path.n = (size_t)(question - target.p);
        head->query = (struct pp_str){question + 1, target.n - head->path.n - 1};
    }
    return 0;
}

static int parse_request_line(struct pp_str line, struct pp_http1_head *head, struct pp_error *err)
{
    struct pp_str target;

    if (!cut_word(&line, &head->method) || !is_token(head->method) || !cut_word(&line, &target))
        return bad(err, "malformed request line");
    if (line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.')
        return bad(err, "malformed HTTP version");
    if (line.p[5] != '1' || (line.p[7] != '0' && line.p[7] != '1')) {
        pp_error_set(err, PP_ERR_UNSUPPORTED, "HTTP version not supported");
        return 505;
    }
    head->version = line.p[7] == '0' ? 10 : 11;
    return parse_target(target, head, err);
}

static bool value_is_valid(struct pp_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if ((c < ' ' && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static struct pp_str trim_blanks(struct pp_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static int parse_header(char *base, struct pp_str line, const char *start, struct pp_http_header *ret, struct pp_error *err)
{
    const char *colon = memchr(line.p, ':', line.n);
    struct pp_str name;

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return bad(err, "folded header lines are not accepted");
    if (!colon)
        return bad(err, "header line without a colon");
    name = (struct pp_str){line.p, (size_t)(colon - line.p)};
    if (!is_token(name))
        return bad(err, "malformed header name");
    for (size_t i = 0; i < name.n; i++) {
        char *c = base + (name.p - start) + i;

        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    ret->name = name;
    ret->value = trim_blanks((struct pp_str){colon + 1, line.n - name.n - 1});
    return value_is_valid(ret->value) ? 0 : bad(err, "header value has a control character");
}

/* Whether the comma-separated list has this token. */
static bool list_has(struct pp_str list, const char *token)
{
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        struct pp_str item = {list.p, comma ? (size_t)(comma - list.p) : list.n};

        if (pp_str_eq_nocase(trim_blanks(item), pp_str_c(token)))
            return true;
        item.n += comma != NULL;
        list.p += item.n;
        list.n -= item.n;
    }
    return false;
}

static int apply_header(const struct pp_http_header *header, struct pp_http1_head *head, bool *has_host, struct pp_error *err)
{
    struct pp_str name = header->name, value = header->value;

    if (pp_str_eq_c(name, "host")) {
        if (*has_host || !authority_is_valid(value))
            return bad(err, "malformed or repeated Host header");
        *has_host = true;
        if (head->authority.n == 0)
            head->authority = value;
    } else if (pp_str_eq_c(name, "content-length")) {
        if (head->has_content_length || !pp_str_to_u64(value, &head->content_length))
            return bad(err, "malformed or repeated Content-Length header");
        head->has_content_length = true;
    } else if (pp_str_eq_c(name, "transfer-encoding")) {
        if (head->chunked || !pp_str_eq_nocase(value, PP_STR("chunked"))) {
            pp_error_set(err, PP_ERR_UNSUPPORTED, "the only transfer encoding accepted is chunked, once");
            return 501;
        }
        head->chunked = true;
    } else if (pp_str_eq_c(name, "connection")) {
        if (list_has(value, "close"))
            head->keep_alive = false;
        else if (head->version == 10 && list_has(value, "keep-alive"))
            head->keep_alive = true;
    } else if (pp_str_eq_c(name, "expect")) {
        head->expect_continue = head->version == 11 && pp_str_eq_nocase(value, PP_STR("100-continue"));
    }
    return 0;
}

static int check_whole(const struct pp_http1_head *head, bool has_host, struct pp_error *err)
{
    if (head->version == 11 && !has_host)
        return bad(err, "no Host header");
    if (head->chunked && head->has_content_length)
        return bad(err, "both Content-Length and Transfer-Encoding");
    if (head->chunked && head->version == 10)
        return bad(err, "Transfer-Encoding in HTTP/1.0");
    return 0;
}

int pp_http1_parse_head(char *text, size_t n, size_t headers_max, struct pp_arena *arena, struct pp_http1_head *ret,
                        struct pp_error *err)
{
    struct pp_http1_head head = {0};
    struct pp_str rest = {text, n}, line;
    bool has_host = false;
    int status;

    if (!cut_line(&rest, &line))
        return bad(err, "malformed request line");
    status = parse_request_line(line, &head, err);
    head.keep_alive = head.version == 11;
    head.headers = status == 0 ? pp_arena_array(arena, headers_max, sizeof(*head.headers)) : NULL;
    if (status == 0 && !head.headers) {
        pp_error_nomem(err);
        return 500;
    }
    while (status == 0) {
        if (!cut_line(&rest, &line))
            return bad(err, "malformed header line");
        if (line.n == 0)
            break;
        if (head.headers_n == headers_max) {
            pp_error_set(err, PP_ERR_LIMIT, "more than %zu headers", headers_max);
            return 431;
        }
        status = parse_header(text, line, text, &head.headers[head.headers_n], err);
        if (status == 0)
            status = apply_header(&head.headers[head.headers_n++], &head, &has_host, err);
    }
    if (status == 0)
        status = check_whole(&head, has_host, err);
    if (status == 0)
        *ret = head;
    return status;
}

enum body_state {
    BODY_LENGTH, /* `left` bytes, then the end */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER,
    TRAILER_LF,
    LAST_LF,
    BODY_END,
};

void pp_http1_body_init(struct pp_http1_body *body, const struct pp_http1_head *head)
{
    *body = (struct pp_http1_body){.state = head->chunked ? CHUNK_SIZE : BODY_LENGTH, .left = head->content_length};
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character behind a chunk size, or one more digit of it. */
static int step_size(struct pp_http1_body *body, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0 && body->digits < CHUNK_SIZE_DIGITS_MAX) {
        body->left = body->left << 4 | (unsigned)digit;
        body->digits++;
        return CHUNK_SIZE;
    }
    if (digit >= 0 || body->digits == 0)
        return -1;
    return c == '\r' ? CHUNK_SIZE_LF : c == ';' || c == ' ' || c == '\t' ? CHUNK_EXTENSION : -1;
}

/* A byte that carries nothing but must be well-formed. */
static int step_noise(struct pp_http1_body *body, char c, int stay, int at_cr)
{
    if (c == '\r')
        return at_cr;
    return ++body->noise > PP_HTTP1_CHUNK_NOISE_MAX || c == '\n' || c == '\0' ? -1 : stay;
}

/* The state after the framing byte `c`; -1 when it may not stand there. */
static int step_framing(struct pp_http1_body *body, char c)
{
    switch (body->state) {
    case CHUNK_SIZE:
        return step_size(body, c);
    case CHUNK_EXTENSION:
        return step_noise(body, c, CHUNK_EXTENSION, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return c != '\n' ? -1 : body->left > 0 ? CHUNK_DATA : TRAILER_START;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : -1;
    case CHUNK_DATA_LF:
        body->digits = 0;
        return c == '\n' ? CHUNK_SIZE : -1;
    case TRAILER_START:
        return step_noise(body, c, TRAILER, LAST_LF);
    case TRAILER:
        return step_noise(body, c, TRAILER, TRAILER_LF);
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -1;
    case LAST_LF:
        return c == '\n' ? BODY_END : -1;
    default:
        return -1;
    }
}

static struct pp_str cut_content(struct pp_http1_body *body, struct pp_str *in)
{
    struct pp_str data = {in->p, in->n < body->left ? in->n : (size_t)body->left};

    in->p += data.n;
    in->n -= data.n;
    body->left -= data.n;
    return data;
}

enum pp_http1_event pp_http1_body_next(struct pp_http1_body *body, struct pp_str *in, struct pp_str *ret_data)
{
    for (;;) {
        int state;

        if (body->state == BODY_LENGTH && body->left == 0)
            body->state = BODY_END;
        if (body->state == BODY_END)
            return PP_HTTP1_END;
        if (in->n == 0)
            return PP_HTTP1_MORE;
        if (body->state == BODY_LENGTH || body->state == CHUNK_DATA) {
            *ret_data = cut_content(body, in);
            if (body->state == CHUNK_DATA && body->left == 0)
                body->state = CHUNK_DATA_CR;
            return PP_HTTP1_DATA;
        }
        state = step_framing(body, in->p[0]);
        if (state < 0)
            return PP_HTTP1_BAD;
        body->state = state;
        in->p++;
        in->n--;
    }
}

const char *pp_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
