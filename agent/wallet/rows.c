/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding of the ledger's rows, see rows.h. Pure functions; reading a row never trusts its length or kind.
 */
#include "wallet/rows.h"

#include "base/digest.h"

static unsigned char *write_number(unsigned char *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
    return out + bytes;
}

static uint64_t read_number(const unsigned char **in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | *(*in)++;
    return value;
}

static const unsigned char *bytes_of(struct slice row)
{
    return (const unsigned char *)row.data;
}

struct row_key row_key_of(uint64_t sequence)
{
    struct row_key key;
    write_number(key.bytes, sequence, 8);
    return key;
}

uint64_t row_key_parse(struct slice key)
{
    const unsigned char *in = bytes_of(key);
    return key.length == 8 ? read_number(&in, 8) : 0;
}

struct slice book_key(unsigned char key[5], char what, uint32_t number)
{
    key[0] = (unsigned char)what;
    write_number(key + 1, number, 4);
    return row_slice(key, 5);
}

uint32_t book_key_number(struct slice key)
{
    const unsigned char *in = bytes_of(key) + 1;
    return (uint32_t)read_number(&in, 4);
}

void transfer_format(const struct transfer *transfer, unsigned char row[TRANSFER_ROW_BYTES])
{
    bool is_pending = transfer->kind == TRANSFER_PENDING, is_linked = is_pending && transfer_is_linked(transfer);
    uint64_t shared = is_linked    ? (uint64_t)transfer->limit
                      : is_pending ? (uint64_t)transfer->floor
                                   : transfer->related;
    row[0] = (unsigned char)transfer->kind;
    row[1] = (unsigned char)transfer->basis;
    row[2] = (unsigned char)transfer->flags;
    row[3] = 0;
    memcpy(row + 4, transfer->id.bytes, 16);
    unsigned char *out = write_number(row + 20, (uint64_t)transfer->time_ns, 8);
    out = write_number(out, (uint64_t)transfer->amount, 8);
    out = write_number(out, transfer->debit, 4);
    out = write_number(out, transfer->credit, 4);
    out = write_number(out, shared, 8);
    out = write_number(out, is_linked ? transfer->first : transfer->previous, 8);
    memcpy(out, transfer->chain, HASH_BYTES);
}

bool transfer_parse(struct slice key, struct slice row, struct transfer *ret_transfer)
{
    const unsigned char *in = bytes_of(row);
    if (key.length != 8 || row.length != TRANSFER_ROW_BYTES || in[0] < TRANSFER_PENDING || in[0] >= TRANSFER_KINDS ||
        in[1] > BASIS_NONE || in[2] > TRANSFER_FLAGS || in[3] != 0)
        return false;
    struct transfer transfer = {.sequence = row_key_parse(key), .kind = in[0], .basis = in[1], .flags = in[2]};
    memcpy(transfer.id.bytes, in + 4, 16);
    in += 20;
    transfer.time_ns = (int64_t)read_number(&in, 8);
    transfer.amount = (int64_t)read_number(&in, 8);
    transfer.debit = (uint32_t)read_number(&in, 4);
    transfer.credit = (uint32_t)read_number(&in, 4);
    uint64_t shared = read_number(&in, 8), before = read_number(&in, 8);
    bool is_pending = transfer.kind == TRANSFER_PENDING, is_linked = is_pending && transfer_is_linked(&transfer);
    if (is_linked && before > UINT32_MAX)
        return false;
    transfer.limit = is_linked ? (int64_t)shared : 0;
    transfer.floor = is_pending && !is_linked ? (int64_t)shared : 0;
    transfer.related = is_pending ? 0 : shared;
    transfer.first = is_linked ? (uint32_t)before : 0;
    transfer.previous = is_linked ? 0 : before;
    memcpy(transfer.chain, in, HASH_BYTES);
    *ret_transfer = transfer;
    return true;
}

void balance_format(const struct balance *balance, unsigned char row[BALANCE_ROW_BYTES])
{
    unsigned char *out = write_number(row, (uint64_t)balance->debits_pending, 8);
    out = write_number(out, (uint64_t)balance->debits_posted, 8);
    out = write_number(out, (uint64_t)balance->credits_pending, 8);
    out = write_number(out, (uint64_t)balance->credits_posted, 8);
    out = write_number(out, balance->transfers, 8);
    write_number(out, balance->last, 8);
}

bool balance_parse(struct slice row, struct balance *ret_balance)
{
    const unsigned char *in = bytes_of(row);
    if (row.length != BALANCE_ROW_BYTES)
        return false;
    ret_balance->debits_pending = (int64_t)read_number(&in, 8);
    ret_balance->debits_posted = (int64_t)read_number(&in, 8);
    ret_balance->credits_pending = (int64_t)read_number(&in, 8);
    ret_balance->credits_posted = (int64_t)read_number(&in, 8);
    ret_balance->transfers = read_number(&in, 8);
    ret_balance->last = read_number(&in, 8);
    return true;
}

void head_format(const struct head *head, unsigned char row[HEAD_ROW_BYTES])
{
    memcpy(write_number(row, head->sequence, 8), head->hash, HASH_BYTES);
}

bool wallet_parse_head(struct slice row, struct head *ret_head)
{
    const unsigned char *in = bytes_of(row);
    if (row.length != HEAD_ROW_BYTES)
        return false;
    ret_head->sequence = read_number(&in, 8);
    memcpy(ret_head->hash, in, HASH_BYTES);
    return true;
}

void anchor_format(const struct anchor *anchor, unsigned char row[ANCHOR_ROW_BYTES])
{
    head_format(&anchor->head, row);
    write_number(row + HEAD_ROW_BYTES, anchor->first, 8);
}

bool anchor_parse(struct slice row, struct anchor *ret_anchor)
{
    if (row.length != ANCHOR_ROW_BYTES || !wallet_parse_head(row_slice(row.data, HEAD_ROW_BYTES), &ret_anchor->head))
        return false;
    const unsigned char *in = bytes_of(row) + HEAD_ROW_BYTES;
    ret_anchor->first = read_number(&in, 8);
    return true;
}

void memo_format(const struct memo *memo, struct detail *ret_detail)
{
    unsigned char *out = ret_detail->bytes;
    *out++ = 'm';
    out = write_number(out, memo->resolution, 8);
    out = write_number(out, memo->model, 4);
    out = write_number(out, memo->provider, 4);
    out = write_number(out, memo->group, 4);
    out = write_number(out, memo->pid, 4);
    out = write_number(out, memo->tokens_input, 8);
    out = write_number(out, memo->tokens_cache_read, 8);
    out = write_number(out, memo->tokens_cache_write, 8);
    out = write_number(out, memo->tokens_output, 8);
    out = write_number(out, memo->program, 4);
    out = write_number(out, memo->project, 4);
    ret_detail->length = (size_t)(out - ret_detail->bytes);
}

bool memo_parse(struct slice row, struct memo *ret_memo)
{
    *ret_memo = (struct memo){0};
    if ((row.length != MEMO_ROW_BYTES && row.length != MEMO_ROW_BYTES_1) || row.data[0] != 'm')
        return false;
    const unsigned char *in = bytes_of(row) + 1;
    ret_memo->resolution = read_number(&in, 8);
    ret_memo->model = (uint32_t)read_number(&in, 4);
    ret_memo->provider = (uint32_t)read_number(&in, 4);
    ret_memo->group = (uint32_t)read_number(&in, 4);
    ret_memo->pid = (uint32_t)read_number(&in, 4);
    ret_memo->tokens_input = read_number(&in, 8);
    ret_memo->tokens_cache_read = read_number(&in, 8);
    ret_memo->tokens_cache_write = read_number(&in, 8);
    ret_memo->tokens_output = read_number(&in, 8);
    if (row.length == MEMO_ROW_BYTES) {
        ret_memo->program = (uint32_t)read_number(&in, 4);
        ret_memo->project = (uint32_t)read_number(&in, 4);
    }
    return true;
}

void link_format(uint64_t resolution, struct detail *ret_detail)
{
    ret_detail->bytes[0] = 'r';
    write_number(ret_detail->bytes + 1, resolution, 8);
    ret_detail->length = LINK_ROW_BYTES;
}

void note_format(const char *note, struct detail *ret_detail)
{
    size_t length = strnlen(note, WALLET_NOTE_MAX - 1);
    ret_detail->bytes[0] = 'n';
    memcpy(ret_detail->bytes + 1, note, length);
    ret_detail->length = 1 + length;
}

/* 'j', deadline, length of provider and key, both, and the rest is the note. */
void job_format(const struct wallet_job *job, struct detail *ret_detail)
{
    const size_t provider_bytes = strnlen(job->provider, sizeof job->provider - 1);
    const size_t key_bytes = strnlen(job->key, sizeof job->key - 1),
                 note_bytes = strnlen(job->note, sizeof job->note - 1);
    unsigned char *out = ret_detail->bytes;
    *out++ = 'j';
    out = write_number(out, (uint64_t)job->deadline_s, 8);
    *out++ = (unsigned char)provider_bytes;
    *out++ = (unsigned char)key_bytes;
    memcpy(out, job->provider, provider_bytes);
    memcpy(out + provider_bytes, job->key, key_bytes);
    memcpy(out + provider_bytes + key_bytes, job->note, note_bytes);
    ret_detail->length = 11 + provider_bytes + key_bytes + note_bytes;
}

bool job_parse(struct slice row, struct wallet_job *ret_job)
{
    const unsigned char *in = bytes_of(row) + 1;
    if (row.length < 11 || row.length > JOB_DETAIL_BYTES_MAX || row.data[0] != 'j')
        return false;
    struct wallet_job job = {.deadline_s = (int64_t)read_number(&in, 8)};
    const size_t provider_bytes = *in++, key_bytes = *in++;
    if (!provider_bytes || provider_bytes >= sizeof job.provider || !key_bytes || key_bytes >= sizeof job.key ||
        row.length < 11 + provider_bytes + key_bytes || memchr(in, '\0', row.length - 11))
        return false;
    const size_t note_bytes = row.length - 11 - provider_bytes - key_bytes;
    if (note_bytes >= sizeof job.note)
        return false;
    memcpy(job.provider, in, provider_bytes);
    memcpy(job.key, in + provider_bytes, key_bytes);
    memcpy(job.note, in + provider_bytes + key_bytes, note_bytes);
    *ret_job = job;
    return true;
}

uint64_t detail_resolution(struct slice row)
{
    const unsigned char *in = bytes_of(row);
    bool is_memo = (row.length == MEMO_ROW_BYTES || row.length == MEMO_ROW_BYTES_1) && *in == 'm';
    if (!is_memo && !(row.length == LINK_ROW_BYTES && *in == 'r'))
        return 0;
    in++;
    return read_number(&in, 8);
}

void detail_note(struct slice row, char note[WALLET_NOTE_MAX])
{
    size_t length = row.length > 1 && row.data[0] == 'n' ? row.length - 1 : 0;
    if (length >= WALLET_NOTE_MAX)
        length = WALLET_NOTE_MAX - 1;
    if (length)
        memcpy(note, row.data + 1, length);
    note[length] = '\0';
}

void transfer_hash(uint64_t sequence, struct slice row, struct slice detail, unsigned char ret_hash[HASH_BYTES])
{
    unsigned char text[8 + TRANSFER_ROW_BYTES + DETAIL_BYTES_MAX];
    size_t row_bytes = row.length < TRANSFER_ROW_BYTES ? row.length : TRANSFER_ROW_BYTES;
    size_t detail_bytes = detail.length < DETAIL_BYTES_MAX ? detail.length : DETAIL_BYTES_MAX;
    unsigned char *out = write_number(text, sequence, 8);
    memcpy(out, row.data, row_bytes);
    if (detail_bytes)
        memcpy(out + row_bytes, detail.data, detail_bytes);
    digest_sha256(row_slice(text, 8 + row_bytes + detail_bytes), ret_hash);
}

bool transfer_has_detail(enum transfer_kind kind)
{
    return transfer_resolves(kind) || kind == TRANSFER_FUND || kind == TRANSFER_ADJUST || kind == TRANSFER_DEFER;
}

const char *transfer_kind_name(enum transfer_kind kind)
{
    static const char *const names[] = {"", "pending", "post", "void", "fund", "adjust", "write-off", "defer"};
    return names[kind];
}
