/* What a server may answer to the otlp_http exporter over plain HTTP/1.1: the status and the body do not depend on how the bytes are cut, and
 * nothing is longer than its limit. */
#include <stdlib.h>
#include <string.h>

#include "h1_answer.h"

#define PIECE_BYTES 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static enum pp_h1_event feed(struct pp_h1_answer *reader, struct pp_str in, size_t piece)
{
    enum pp_h1_event event = PP_H1_MORE;

    while (event == PP_H1_MORE && in.n > 0) {
        struct pp_str part = {in.p, in.n < piece ? in.n : piece};
        char *copy = malloc(part.n); /* of its own size, so that sanitizers see a read behind the end */

        REQUIRE(copy);
        memcpy(copy, part.p, part.n);
        event = pp_h1_answer_take(reader, (struct pp_str){copy, part.n});
        free(copy);
        in.p += part.n;
        in.n -= part.n;
    }
    return event == PP_H1_MORE ? pp_h1_answer_end(reader) : event;
}

static void check(const struct pp_h1_answer *reader, enum pp_h1_event event)
{
    const struct pp_http_answer *answer = &reader->answer;

    REQUIRE(event == PP_H1_DONE || event == PP_H1_BAD);
    REQUIRE(memchr(answer->message, '\0', sizeof(answer->message)) && memchr(answer->redirect, '\0', sizeof(answer->redirect)));
    REQUIRE(answer->body.n <= PP_ANSWER_BYTES_MAX && answer->retry_after_ms >= -1);
    REQUIRE(event == PP_H1_DONE ? answer->status >= 100 : answer->message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, PIECE_BYTES};
    struct pp_str in = {(const char *)data, size};
    struct pp_h1_answer whole, cut;
    enum pp_h1_event event;

    pp_h1_answer_init(&whole);
    pp_h1_answer_init(&cut);
    event = feed(&whole, in, SIZE_MAX);
    check(&whole, event);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        enum pp_h1_event again = feed(&cut, in, pieces[i]);

        check(&cut, again);
        if (event == PP_H1_DONE && again == PP_H1_DONE) {
            REQUIRE(cut.answer.status == whole.answer.status);
            REQUIRE(pp_str_eq(cut.answer.body, whole.answer.body));
        }
        REQUIRE(event != PP_H1_DONE || again == PP_H1_DONE); /* bytes behind the end may spoil it, cuts may not */
        pp_h1_answer_reset(&cut);
    }
    pp_h1_answer_done(&whole);
    pp_h1_answer_done(&cut);
    return 0;
}
