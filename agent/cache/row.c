/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry's row on disk: numbers, texts, fields, then SHA-256 over its key and all of that. Of this machine alone:
 * byte order and sizes are the compiler's, and a row of another version is foreign. What it says is believed only when
 * the digest fits, and even then nothing beyond its bytes is read. Called by keep.c.
 */
#include "cache/keep.h"

/* Raise the number when a row changes its form, or what may be in it. */
static const char magic[8] = "tgcache2"; /* 1 had the provider's request ids */

struct head {
    char magic[sizeof magic];
    uint32_t bucket_count, ttl_s; /* bucket_count: of struct usage */
    unsigned char boot[ROW_BOOT_BYTES], body_digest[DIGEST_BYTES];
    int64_t made_ns, made_wall_ns, charge_nano;
    uint64_t stored_bytes, body_bytes, frame_count;
    uint32_t field_count, is_stream;
    uint64_t usage[BUCKET_COUNT];
};

static bool write_text(struct buffer *bytes, struct slice text)
{
    uint32_t length = (uint32_t)text.length;
    return text.length <= ROW_BYTES_MAX && buffer_append(bytes, (struct slice){(const char *)&length, sizeof length}) &&
           buffer_append(bytes, text) &&
           buffer_append(bytes, (struct slice){"", 1}); /* ends with a NUL, so that it can be used where it is */
}

static void make_digest(const struct cache_key *key, struct slice row, unsigned char ret_digest[DIGEST_BYTES])
{
    unsigned char both[2 * DIGEST_BYTES];
    memcpy(both, key->bytes, DIGEST_BYTES);
    digest_sha256(row, both + DIGEST_BYTES);
    digest_sha256((struct slice){(const char *)both, sizeof both}, ret_digest);
}

static struct head make_head(const struct row *row)
{
    const struct cache_answer *answer = &row->answer;
    struct head head;
    memset(&head, 0, sizeof head); /* padding, too */
    memcpy(head.magic, magic, sizeof magic);
    head.bucket_count = BUCKET_COUNT;
    head.ttl_s = row->ttl_s;
    memcpy(head.boot, row->boot, sizeof head.boot);
    memcpy(head.body_digest, row->body_digest, sizeof head.body_digest);
    head.made_ns = row->made_ns;
    head.made_wall_ns = answer->made_wall_ns;
    head.charge_nano = answer->made.charge.nano;
    head.stored_bytes = row->stored_bytes;
    head.body_bytes = answer->body.length;
    head.frame_count = answer->frame_count;
    head.field_count = (uint32_t)answer->field_count;
    head.is_stream = answer->is_stream;
    memcpy(head.usage, answer->made.usage.of, sizeof head.usage);
    return head;
}

bool row_write(const struct cache_key *key, const struct row *row, struct buffer *bytes)
{
    const struct cache_made *made = &row->answer.made;
    const char *texts[] = {row->group, row->model, made->model, made->target, made->id};
    struct head head = make_head(row);
    unsigned char digest[DIGEST_BYTES];
    buffer_reset(bytes, ROW_BYTES_MAX);
    if (row->answer.field_count > ROW_FIELDS_MAX ||
        !buffer_append(bytes, (struct slice){(const char *)&head, sizeof head}))
        return false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!write_text(bytes, slice_of(texts[i] ? texts[i] : "")))
            return false;
    for (size_t i = 0; i < row->answer.field_count; i++)
        if (!write_text(bytes, row->answer.fields[i].name) || !write_text(bytes, row->answer.fields[i].value))
            return false;
    make_digest(key, buffer_contents(bytes), digest);
    return buffer_append(bytes, (struct slice){(const char *)digest, sizeof digest});
}

static bool read_text(struct slice *rest, struct slice *ret_text)
{
    uint32_t length;
    if (rest->length < sizeof length)
        return false;
    memcpy(&length, rest->data, sizeof length);
    *rest = slice_from(*rest, sizeof length);
    if (length >= rest->length || rest->data[length] != '\0' || memchr(rest->data, '\0', length))
        return false;
    *ret_text = (struct slice){rest->data, length};
    *rest = slice_from(*rest, length + 1);
    return true;
}

static bool read_texts(struct slice rest, const struct head *head, struct http_field fields[ROW_FIELDS_MAX],
                       struct row *row)
{
    const char **texts[] = {&row->group, &row->model, &row->answer.made.model, &row->answer.made.target,
                            &row->answer.made.id};
    struct slice text;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!read_text(&rest, &text))
            return false;
        *texts[i] = text.data;
    }
    for (size_t i = 0; i < head->field_count; i++)
        if (!read_text(&rest, &fields[i].name) || !read_text(&rest, &fields[i].value))
            return false;
    row->answer.fields = fields;
    row->answer.field_count = head->field_count;
    return rest.length == 0;
}

static bool is_possible(const struct head *head)
{
    return head->field_count <= ROW_FIELDS_MAX && head->body_bytes <= CACHE_ENTRY_BYTES_MAX &&
           head->frame_count <= CACHE_FRAMES_MAX && head->stored_bytes <= 2 * (uint64_t)CACHE_ENTRY_BYTES_MAX;
}

enum row_state row_read(const struct cache_key *key, struct slice bytes, struct http_field fields[ROW_FIELDS_MAX],
                        struct row *ret_row)
{
    struct head head;
    unsigned char digest[DIGEST_BYTES];
    if (bytes.length < sizeof head + sizeof digest)
        return ROW_CORRUPT;
    struct slice row = {bytes.data, bytes.length - sizeof digest};
    make_digest(key, row, digest);
    if (memcmp(bytes.data + row.length, digest, sizeof digest) != 0)
        return ROW_CORRUPT;
    memcpy(&head, row.data, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.bucket_count != BUCKET_COUNT)
        return ROW_FOREIGN;
    *ret_row = (struct row){.made_ns = head.made_ns, .ttl_s = head.ttl_s, .stored_bytes = head.stored_bytes};
    memcpy(ret_row->boot, head.boot, sizeof head.boot);
    memcpy(ret_row->body_digest, head.body_digest, sizeof head.body_digest);
    ret_row->answer = (struct cache_answer){.is_stream = head.is_stream != 0,
                                            .body = {NULL, head.body_bytes},
                                            .frame_count = head.frame_count,
                                            .made = {.charge = {head.charge_nano}},
                                            .made_wall_ns = head.made_wall_ns};
    memcpy(ret_row->answer.made.usage.of, head.usage, sizeof head.usage);
    return is_possible(&head) && read_texts(slice_from(row, sizeof head), &head, fields, ret_row) ? ROW_FINE
                                                                                                  : ROW_CORRUPT;
}
